"""C08: a purpose is what was granted, licensed and asked, letter by letter; anything else is none."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from consent.decision import Ask, decide
from consent.model import Licence
from tests.consent.builders import ALL_CATEGORIES, NOW, make_live, make_standing
from tests.world import World, bundle, found_in, immunization

VARIANTS = [
    None,
    "",
    "treat",
    "Treat",
    "TREAT ",
    " TREAT",
    "TREAT\n",
    "ТREAT",  # its first letter is Cyrillic
    "TREAT,HRESCH",
    "TREAT|HRESCH",
    "*",
    "MARKETING",
    "CAREMGT",
    "http://terminology.hl7.org/CodeSystem/v3-ActReason#TREAT",
    ["TREAT"],
    ["TREAT", "HRESCH"],
    {"code": "TREAT"},
    True,
    0,
]


@pytest.mark.parametrize("purpose", VARIANTS, ids=repr)
def test_c08_no_variant_of_a_purpose_opens_a_session_or_makes_a_request(world: World, purpose: Any) -> None:
    an, doctor = world.person(), world.doctor()
    granted = world.grant(doctor, an)
    body = {"citizen_ref": granted.citizen_ref, "purpose": purpose}
    answer = world.post("/provider/access-sessions", doctor, body)
    assert (answer.status_code, found_in(answer)["code"]) == (422, "invalid_fields")
    asked = world.proposal(an, purpose=purpose)
    assert world.post("/provider/consent-requests", doctor, asked).status_code == 422


def test_c08_no_purpose_is_not_every_purpose(world: World) -> None:
    granted = world.grant(world.doctor(), world.person())
    answer = world.post("/provider/access-sessions", granted.doctor, {"citizen_ref": granted.citizen_ref})
    assert answer.status_code == 422
    asked = world.proposal(granted.person)
    del asked["purpose"]
    assert world.post("/provider/consent-requests", granted.doctor, asked).status_code == 422


def test_c08_granted_licensed_and_asked_must_be_one_purpose() -> None:
    codes = ["TREAT", "HPAYMT", "HRESCH", "BTG", "treat", ""]
    for given, licensed, asked in itertools.product(codes, repeat=3):
        standing = make_standing(make_live(purpose=given))
        licence = Licence(frozenset({licensed}), ALL_CATEGORIES)
        said = decide(Ask("org", "dr", asked, NOW), standing, licence)
        assert said.permit is (given == licensed == asked), (given, licensed, asked)


def test_c08_who_may_treat_may_not_research_and_the_other_way_round(world: World) -> None:
    an = world.person()
    surgery, institute = world.doctor(purposes=("TREAT",)), world.doctor(purposes=("HRESCH",))
    granted = world.grant(surgery, an)
    for purpose in ("HRESCH", "HPAYMT", "PUBHLTH"):
        refused = granted.open(purpose=purpose)
        assert refused.status_code == 403, purpose
        asked = world.post("/provider/consent-requests", surgery, world.proposal(an, purpose=purpose))
        assert (asked.status_code, found_in(asked)["code"]) == (403, "not_licensed")
    asked = world.post("/provider/consent-requests", institute, world.proposal(an))
    assert (asked.status_code, found_in(asked)["code"]) == (403, "not_licensed")


def test_c08_data_opened_for_one_purpose_is_not_used_for_another(world: World) -> None:
    """Both purposes licensed and both granted, with different data: a session serves its own alone."""
    an, doctor = world.person(), world.doctor(purposes=("TREAT", "HPAYMT"))
    world.send(doctor, bundle(an, immunization()))
    treat = world.grant(doctor, an, categories=["condition"])
    pay = world.grant(doctor, an, purpose="HPAYMT", categories=["immunization"])
    assert treat.seen() == []
    answer = pay.open(purpose="HPAYMT")
    session = str(found_in(answer)["id"])
    assert [each["category"] for each in found_in(pay.read(session))["items"]] == ["immunization"]
    assert pay.withdraw().status_code == 200
    assert found_in(pay.read(session))["code"] == "consent_ended"
    assert treat.seen() == []
