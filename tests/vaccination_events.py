"""Vaccination events as a station's system tells them, about people who do not exist."""

from __future__ import annotations

from typing import Any

from tests.visit_files import Somebody
from tests.world import Json


def event_of(person: Somebody, event_id: str = "TC-501", on: str = "2026-10-22", **over: Any) -> Json:
    """One dose given to somebody; `over` replaces whole parts of the event."""
    return {
        "event_id": event_id,
        "version": 1,
        "operation": "create",
        "subject": {
            "subject_identifier": person.number,
            "full_name": "NGƯỜI THỬ",
            "birth_date": person.born.isoformat(),
            "mother_name": "MẸ THỬ",
        },
        "dose": {
            "vaccine": {"code": "MR", "text": "Sởi - Rubella (MR)", "cvx": "04"},
            "vaccination_date": on,
            "dose_order": 1,
            "antigen": ["MEAS", "RUBE"],
            "lot_number": "MAUMR02",
        },
    } | over
