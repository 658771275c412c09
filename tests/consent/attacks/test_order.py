"""C16, C17: no order of consents decides anything, a denial wins, and an opt-out is never lost."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime
from typing import Any

import pytest

from consent.fhir.deciding import PolicyAsk, decide_policies
from consent.fhir.model import Coding, DataFacts
from consent.fhir.vocabulary import ACT_CODE
from tests.consent.fhir.builders import (
    CITIZEN,
    DOCTOR,
    OTHERS,
    OURS,
    PRIVILEGED,
    actor,
    coding,
    consent,
    deny,
    mark,
    permit,
    sensitivity,
)

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
ASK = PolicyAsk(CITIZEN, OURS, DOCTOR, "TREAT", AT)
SAME_SECOND = "2026-06-13T09:00:00+07:00"
SIX = [
    permit(),
    permit(securityLabel=[mark("N")], provision=[permit(securityLabel=[sensitivity("PSY")])]),
    permit(period={"end": "2020"}),
    permit(period={"start": "2030"}),
    permit(provision=[deny(dataPeriod={"start": "2025", "end": "2025"})]),
    deny(actor=[actor(OTHERS)]),
]
BOOK = [
    DataFacts(f"Observation/{year}{label}", date(year, 5, 1), date(year, 5, 1), security=frozenset(security))
    for year in (2024, 2025, 2026)
    for label, security in (("", ()), ("p", (Coding(ACT_CODE, "PSY"),)), ("h", (Coding(ACT_CODE, "HIV"),)))
]


def outcome(rules: list[Any]) -> tuple[bool, str, frozenset[str]]:
    found = decide_policies(rules, ASK, lambda each: each in {OURS, OTHERS, DOCTOR, PRIVILEGED})
    return found.permit, found.reason, frozenset(each.reference for each in BOOK if found.admits(each))


def test_c16_all_permutations_of_six_consents_are_one_decision() -> None:
    listed = [consent(rule, f"c{at}", dateTime=SAME_SECOND) for at, rule in enumerate(SIX)]
    first = outcome(listed)
    assert first[0] and first[2] == {each.reference for each in BOOK if each.first_day.year != 2025}
    assert {outcome(list(order)) for order in itertools.permutations(listed)} == {first}


def test_c16_with_a_denial_among_them_every_permutation_is_a_refusal() -> None:
    """LEAP's G and H: neither the later date nor the later place lets a permit past a denial."""
    listed = [consent(rule, f"c{at}", dateTime=SAME_SECOND) for at, rule in enumerate(SIX[:4])]
    for when in ("2020-01-01", SAME_SECOND, "2026-11-22"):
        denial = consent(deny(), "d", dateTime=when)
        found = {outcome(list(order)) for order in itertools.permutations([*listed, denial])}
        assert found == {(False, "blocked", frozenset())}


OPT_OUTS: dict[str, Any] = {
    "plain": deny(),
    "whose exception nobody can look up": deny(provision=[permit("BTG", actor=[actor("Group/unknown")])]),
    "of somebody nobody can look up": deny(actor=[actor("Organization/deleted")]),
    "of a purpose nobody knows": deny(purpose=[coding("x", "urn:unknown")]),
    "with a malformed period": deny(period={"end": "31/12/2020"}),
    "with an empty period": deny(period={}),
    "with a member nobody knows": deny(**{"class": [coding("x")]}),
    "nested in a permit, malformed": permit(provision=[deny(securityLabel="all")]),
    "without a type": {"actor": [actor(OURS)]},
    "of another type": {"type": "DENY"},
    "that is nothing": None,
    "that is a list": [],
}


@pytest.mark.parametrize("name", OPT_OUTS)
def test_c17_an_opt_out_never_disappears(name: str) -> None:
    for order in itertools.permutations([consent(permit()), consent(OPT_OUTS[name], "c2")]):
        permitted, reason, seen = outcome(list(order))
        assert (permitted, seen) == (False, frozenset()), reason


@pytest.mark.parametrize("spoil", ["status", "scope", "policy", "performer", "patient"])
def test_c17_an_opt_out_spoilt_at_its_head_shuts_too(spoil: str) -> None:
    for junk in (None, "", [], {}, "x"):
        assert not outcome([consent(permit()), consent(deny(), "c2", **{spoil: junk})])[0], junk


def test_c17_a_permit_that_cannot_be_read_opens_nothing_and_shuts_nothing() -> None:
    broken = consent(permit(period={"end": "31/12/2030"}), "c2")
    assert not outcome([broken])[0]
    assert outcome([broken, consent(permit())]) == outcome([consent(permit())])
