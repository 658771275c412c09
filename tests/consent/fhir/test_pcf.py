"""The published IHE PCF examples come out of our decision as expected, residual rules included."""

from __future__ import annotations

from typing import Any

import pytest

from consent.fhir.deciding import PolicyDecision, decide_policies
from consent.fhir.tokens import residual_claims
from tests.consent.fhir.vectors import (
    ABSENT,
    BASE,
    FOLDER,
    PRIVILEGED,
    RESEARCHER,
    ask,
    consents,
    knows,
    load,
)

pytestmark = pytest.mark.skipif(not FOLDER, reason=ABSENT)
CONSENTS = consents()
EXPECTED = load("pcf-expected-residual.json")


def decided(name: str, **over: Any) -> PolicyDecision:
    return decide_policies([CONSENTS[name]], ask(**over), knows)


def plain(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One of the samples says "deny" where the others say "forbid"."""
    return [rule | {"type": rule["type"].replace("deny", "forbid")} for rule in rules]


@pytest.mark.parametrize("name", sorted(EXPECTED) or ["none"])
def test_the_residual_token_is_the_expected_one(name: str) -> None:
    found = residual_claims(decided(name), "ex-patient", BASE)["ihe_pcf"]
    assert [found["residual"]] == [plain(rules) for rules in EXPECTED[name]]
    assert found["doc_id"] == [name]
    assert found["acp"] == [CONSENTS[name]["policy"][0]["uri"]]
    assert found["patient_id"] == "ex-patient"


def test_all_thirteen_are_there() -> None:
    assert (len(CONSENTS), len(EXPECTED)) == (23, 13)


OTHERS = {
    "ex-consent-basic-treat": (True, 0),
    "ex-consent-basic-treat-infant": (True, 0),
    "ex-consent-basic-ink": (True, 0),
    "ex-consent-expired-treat": (False, 0),
    "ex-consent-basic-reject": (False, 0),
    "ex-consent-basic-research": (False, 0),
    "ex-consent-intermediate-purpose": (False, 0),
    "ex-dissent-intermediate-break-glass": (False, 0),
    "ex-consent-advanced-normal-focused-restricted": (True, 3),
    "ex-consent-advanced-normal-break-glass-restricted": (True, 2),
}


@pytest.mark.parametrize("name", OTHERS)
def test_the_examples_without_an_expected_token(name: str) -> None:
    found = decided(name)
    assert (found.permit, len(found.residual)) == OTHERS[name]


def test_every_example_is_tried() -> None:
    assert set(OTHERS) | set(EXPECTED) == set(CONSENTS)


# What another engine answered to the same examples is beside them (leap-vs-pcf.txt); these are its letters.


@pytest.mark.parametrize(
    ("name", "over", "permit"),
    [
        pytest.param("ex-consent-intermediate-purpose", {"purpose": None}, False, id="A"),
        pytest.param("ex-consent-intermediate-purpose", {}, False, id="A2"),
        pytest.param(
            "ex-consent-intermediate-purpose",
            {"purpose": "http://example.org/policies/purposeOfUse|FooBar", "organisation": RESEARCHER},
            True,
            id="A-by-the-researcher",
        ),
        pytest.param(
            "ex-consent-intermediate-purpose",
            {"purpose": "http://example.org/policies/purposeOfUse|FooBar"},
            False,
            id="A-by-a-stranger",
        ),
        pytest.param("ex-consent-basic-research", {"purpose": None}, False, id="B"),
        pytest.param("ex-consent-basic-research", {}, False, id="B2"),
        pytest.param("ex-consent-basic-research", {"purpose": "HRESCH"}, True, id="B-research"),
        pytest.param("ex-consent-expired-treat", {}, False, id="I"),
        pytest.param("ex-dissent-intermediate-break-glass", {"purpose": "BTG"}, False, id="E2"),
        pytest.param(
            "ex-dissent-intermediate-break-glass",
            {"purpose": "BTG", "groups": frozenset({PRIVILEGED})},
            True,
            id="E-privileged",
        ),
        pytest.param(
            "ex-dissent-intermediate-break-glass",
            {"groups": frozenset({PRIVILEGED})},
            False,
            id="E-not-breaking",
        ),
        pytest.param(
            "ex-consent-advanced-normal-break-glass-restricted",
            {"purpose": "BTG", "groups": frozenset({PRIVILEGED})},
            True,
            id="restricted-by-breaking-the-glass",
        ),
        pytest.param(
            "ex-consent-advanced-normal-break-glass-restricted",
            {"purpose": "BTG"},
            False,
            id="restricted-by-a-stranger",
        ),
    ],
)
def test_where_another_engine_went_wrong(name: str, over: dict[str, Any], permit: bool) -> None:
    assert decided(name, **over).permit is permit


def test_a_recipient_named_at_the_root_is_heeded() -> None:
    """LEAP's A3."""
    raw = CONSENTS["ex-consent-basic-treat"]
    actor = CONSENTS["ex-consent-intermediate-purpose"]["provision"]["actor"]
    named = raw | {"provision": raw["provision"] | {"actor": actor}}
    assert not decide_policies([named], ask(), knows).permit
    assert decide_policies([named], ask(organisation=RESEARCHER), knows).permit


def test_an_opt_out_whose_exception_cannot_be_looked_up_is_kept() -> None:
    """LEAP's F."""
    raw = CONSENTS["ex-dissent-intermediate-break-glass"]
    both = [raw, CONSENTS["ex-consent-basic-treat"]]
    found = decide_policies(both, ask(groups=frozenset({PRIVILEGED})), lambda reference: False)
    assert (found.permit, found.reason) == (False, "blocked")


def test_permit_and_denial_of_the_same_day_are_a_denial_in_either_order() -> None:
    """LEAP's G and G2."""
    both = [CONSENTS["ex-consent-basic-treat"], CONSENTS["ex-consent-basic-reject"]]
    for listed in (both, both[::-1]):
        assert decide_policies(listed, ask(), knows).reason == "blocked"
