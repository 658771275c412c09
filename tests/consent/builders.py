"""Consent values with every field defaulted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from consent.model import Actor, Evidence, Licence, LiveGrant, Period, Scope, Standing

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
ALL_PURPOSES = frozenset({"TREAT", "HPAYMT", "HRESCH"})
ALL_CATEGORIES = frozenset({"immunization", "visit", "lab_result", "condition"})
LICENCE = Licence(ALL_PURPOSES, ALL_CATEGORIES)


def make_scope(**over: Any) -> Scope:
    base = Scope(
        organisation_id="org",
        practitioner_id=None,
        purpose="TREAT",
        categories=frozenset({"immunization", "visit"}),
        record_period=Period(date(2020, 1, 1), date(2026, 12, 31)),
        expires_at=NOW + timedelta(days=30),
        uses=None,
        labels=frozenset(),
    )
    return replace(base, **over)


def make_live(grant_id: str = "g1", uses_left: int | None = None, **over: Any) -> LiveGrant:
    return LiveGrant(grant_id, make_scope(**over), uses_left)


def make_standing(*live: LiveGrant, **over: Any) -> Standing:
    return replace(Standing(epoch=1, live=live, known=bool(live)), **over)


def make_actor(relation: str = "self", born: date = date(1990, 1, 1), person_id: str = "citizen") -> Actor:
    evidence = Evidence(person_id, relation, "session", "app", NOW, "2")
    return Actor(evidence, born)
