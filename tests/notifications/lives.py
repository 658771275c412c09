"""Builders for the planner's tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from notifications.model import Care, CitizenFacts, DueItem, GivenDose, Status
from notifications.planner import plan
from notifications.programmes import load_programmes

PROGRAMMES = load_programmes()
BY_ID = {programme.id: programme for programme in PROGRAMMES}
DOSES = {(s.id, d.dose): (s, d) for p in PROGRAMMES for s in p.series for d in s.doses}
CLASSES = sorted({vaccine for series, _ in DOSES.values() for vaccine in series.accepts})
ACTIVE = (Status.DUE, Status.OVERDUE)


def child(born: date, sex: str = "female", **over: object) -> CitizenFacts:
    return CitizenFacts("child", born, sex, **over)  # type: ignore[arg-type]  # builder


def dose(vaccine: str, day: date, name: str = "") -> GivenDose:
    return GivenDose(vaccine, None, day, name or f"{vaccine}@{day}")


def items_of(facts: CitizenFacts, history: Sequence[Care], today: date) -> dict[tuple[str, int], DueItem]:
    return {(i.series_id, i.dose): i for i in plan(facts, history, PROGRAMMES, today)}
