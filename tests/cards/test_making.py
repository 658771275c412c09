"""SMART Health Cards over HTTP: what stands on them, for whom they are made, and what the log tells."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from tests.cards.steps import claims, made, make, resources, told, vaccines
from tests.fhir import labelled
from tests.world import Json, Person, World, bundle, condition, found_in, immunization
from wallet_api.infra.crypto.framing import from_base64url
from wallet_api.infra.ids import new_id
from wallet_api.records.card_doses import Wanted
from wallet_api.records.health_card import LONGEST_JWS, MOST_DOSES, is_told
from wallet_api.records.model import Filter


def dose_of(world: World, who: Person, cvx: str) -> str:
    items = found_in(world.get("/citizens/me/records?category=immunization&limit=100", who))["items"]
    coded = [(each["id"], each["resource"]["vaccineCode"].get("coding", [{}])) for each in items]
    return next(str(record_id) for record_id, (coding, *_) in coded if coding.get("code") == cvx)


def hide(world: World, who: Person, record_id: str, audience: str) -> None:
    path = f"/citizens/me/records/{record_id}/visibility"
    assert world.call("PUT", path, who, {"audience": audience, "hidden": True}).status_code == 204


def exported(world: World, who: Person) -> list[Json]:
    items = found_in(world.get("/citizens/me/access-log?limit=100", who))["items"]
    return [each for each in items if each["action"] == "record:exported"]


def test_a_card_says_what_the_standard_demands_and_no_more(world: World) -> None:
    an = world.person("Nguyễn Thị Hường")
    sent = immunization(lotNumber="AB12", occurrenceDateTime="2026-02-03T08:00:00+07:00")
    world.send(world.doctor(), bundle(an, sent, condition()))
    answer = made(world, an)
    (card,) = answer["cards"]
    said = claims(card["card"])
    head = json.loads(from_base64url(card["card"].split(".")[0]))
    keys = found_in(world.get("/cards/.well-known/jwks.json"))["keys"]
    assert head == {"alg": "ES256", "kid": keys[0]["kid"], "zip": "DEF"}
    assert said["iss"] == answer["issuer"] == f"{world.settings.public_url}/cards"
    assert 0 <= world.now().timestamp() - said["nbf"] < 60 and "exp" not in said
    assert said["vc"]["type"] == [
        "https://smarthealth.cards#health-card",
        "https://smarthealth.cards#immunization",
    ]
    subject = said["vc"]["credentialSubject"]
    assert subject["fhirVersion"] == "4.0.1"
    urls = [each["fullUrl"] for each in subject["fhirBundle"]["entry"]]
    assert urls == ["resource:0", "resource:1"]
    patient, dose = resources(card["card"])
    assert patient == {
        "resourceType": "Patient",
        "name": [{"family": "Nguyễn", "given": ["Thị", "Hường"]}],
        "birthDate": an.born.isoformat(),
    }
    assert dose == {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "08"}]},
        "patient": {"reference": "resource:0"},
        "occurrenceDateTime": "2026-02-03",
        "lotNumber": "AB12",
    }
    assert an.id not in str(said) and an.number not in str(said)
    assert card["record_ids"] == [dose_of(world, an, "08")] and answer["left_out"] == []


def test_the_keys_stand_where_the_standard_looks_and_are_of_cards_alone(world: World) -> None:
    answer = world.get("/cards/.well-known/jwks.json")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    (key,) = found_in(answer)["keys"]
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")
    assert "d" not in key
    others = ("/.well-known/card-jwks.json", "/.well-known/jwks.json", "/.well-known/receipt-jwks.json")
    for path in others:
        assert key["kid"] not in [each["kid"] for each in found_in(world.get(path))["keys"]]


def test_doses_that_do_not_fit_one_code_are_told_on_further_cards(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    days = [(date(2020, 1, 1) + timedelta(days=17 * number)).isoformat() for number in range(40)]
    doses = [immunization(f"i{n}", on=day, lotNumber=f"LOT{n * 7919 % 9973}") for n, day in enumerate(days)]
    world.send(doctor, bundle(an, *doses))
    answer = made(world, an)
    cards = answer["cards"]
    assert 1 < len(cards) < 10
    assert all(len(each["card"]) <= LONGEST_JWS for each in cards)
    seen = [one["occurrenceDateTime"] for each in cards for one in resources(each["card"])[1:]]
    assert seen == days, "oldest first, each dose once"
    assert len({one for each in cards for one in each["record_ids"]}) == len(days)


def test_a_card_leaves_out_what_is_hidden_restricted_or_without_a_code(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    secret = labelled(immunization("i2", "05"), "HIV")
    own_code = immunization("i3") | {"vaccineCode": {"text": "Sởi"}}
    refused = immunization("i4", "03") | {"status": "not-done"}
    world.send(doctor, bundle(an, immunization(), secret, own_code, refused, immunization("i5", "10")))
    hide(world, an, dose_of(world, an, "10"), "providers")
    answer = made(world, an)
    assert told(answer) == ["08"] and len(answer["left_out"]) == 2
    for cvx, status in (("05", 404), ("10", 404), ("03", 422)):
        wish = [dose_of(world, an, "08"), dose_of(world, an, cvx)]
        found = make(world, an, record_ids=wish)
        assert found.status_code == status, found.get_data(as_text=True)
        if status == 422:
            (fault,) = found_in(found)["errors"]
            assert (fault["pointer"], fault["code"]) == ("/record_ids/1", "dose_untold")
    assert told(made(world, an, record_ids=[dose_of(world, an, "08")])) == ["08"]


def test_what_somebody_says_of_themselves_is_not_signed(world: World) -> None:
    an = world.person()
    world.send(world.doctor(), bundle(an, immunization()))
    predicate = Wanted(an.id, "self", None).predicate
    (told,) = world.services.card_doses._records.page(an.id, predicate, Filter(), None, 10)
    assert is_told(told)
    assert not is_told(replace(told, self_reported=True))
    assert not is_told(replace(told, resource=dict(told.resource) | {"status": "entered-in-error"}))


def test_a_disputed_dose_is_on_no_card(world: World) -> None:
    an = world.person()
    world.send(world.doctor(), bundle(an, immunization(), immunization("i2", "05")))
    record_id = dose_of(world, an, "05")
    said = world.post(f"/citizens/me/records/{record_id}/not-mine", an)
    assert said.status_code == 200, said.get_data(as_text=True)
    assert told(made(world, an)) == ["08"]
    assert make(world, an, record_ids=[record_id]).status_code == 404


def test_a_book_without_doses_gives_no_card_and_nobody_elses_are_named(world: World) -> None:
    an, other = world.person(), world.person()
    world.send(world.doctor(), bundle(other, immunization()))
    answer = make(world, an)
    assert (answer.status_code, found_in(answer)["code"]) == (409, "no_doses")
    theirs = make(world, an, record_ids=[dose_of(world, other, "08")])
    nobodys = make(world, an, record_ids=[new_id()])
    assert (theirs.status_code, nobodys.status_code) == (404, 404)
    assert exported(world, an) == []


def test_a_card_needs_a_fresh_sign_in_and_is_written_down(world: World) -> None:
    an = world.person()
    world.send(world.doctor(), bundle(an, immunization()))
    old = world.signed_in(an, ago=timedelta(minutes=6))
    answer = make(world, old)
    assert (answer.status_code, found_in(answer)["code"]) == (401, "insufficient_user_authentication")
    assert exported(world, an) == []
    made(world, an)
    (line,) = exported(world, an)
    assert (line["record_count"], line["categories"]) == (1, ["immunization"])


@pytest.mark.parametrize(
    ("over", "pointer"),
    [
        ({"kind": "everything"}, "/kind"),
        ({"kind": None}, "/kind"),
        ({"record_ids": []}, "/record_ids"),
        ({"record_ids": ["x"]}, "/record_ids/0"),
        ({"record_ids": ["a" * 26] * (MOST_DOSES + 1)}, "/record_ids"),
        ({"name": "Ai đó"}, "/name"),
    ],
)
def test_what_no_card_can_be_is_named(world: World, over: Any, pointer: str) -> None:
    answer = make(world, world.person(), **over)
    assert answer.status_code == 422
    assert any(each["pointer"].startswith(pointer) for each in found_in(answer)["errors"])


def test_more_doses_than_cards_are_made_for_at_once_are_asked_to_be_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wallet_api.records.card_doses.MOST_DOSES", 2)
    an = world.person()
    world.send(world.doctor(), bundle(an, *(immunization(f"i{n}", on=f"2026-01-0{n}") for n in (1, 2, 3))))
    answer = make(world, an)
    assert (answer.status_code, found_in(answer)["errors"][0]["code"]) == (422, "dose_count")


def test_a_guardian_makes_the_cards_of_a_child_below_seven_without_what_is_hidden(world: World) -> None:
    mother, doctor = world.person(), world.doctor()
    baby, girl = world.child_of(mother), world.child_of(mother, date(2017, 2, 1))
    for child in (baby, girl):
        world.send(doctor, bundle(child, immunization(), immunization("i2", "05")))
    answer = made(world, mother, baby.id)
    assert sorted(told(answer)) == ["05", "08"]
    assert resources(answer["cards"][0]["card"])[0]["birthDate"] == baby.born.isoformat()
    older = make(world, mother, girl.id)
    assert (older.status_code, found_in(older)["code"]) == (409, "co_consent_required")
    hide(world, girl, dose_of(world, girl, "05"), "guardians")
    assert make(world, mother, world.person().id).status_code == 404


def test_a_guardianship_that_ends_while_a_card_is_made_gives_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    mother = world.person()
    baby = world.person("Bé Thử", date(2024, 2, 1))
    relation = world.guard(mother, baby)
    world.send(world.doctor(), bundle(baby, immunization()))
    family, look = world.services.identity.family, world.services.card_doses.look

    def ends(*args: Any) -> Any:
        found = look(*args)
        family.end(relation)
        return found

    monkeypatch.setattr(world.services.card_doses, "look", ends)
    answer = make(world, mother, baby.id)
    assert answer.status_code == 404 and b"cards" not in answer.data


def test_a_dose_that_is_hidden_while_a_card_is_made_gives_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    an = world.person()
    world.send(world.doctor(), bundle(an, immunization()))
    record_id, look = dose_of(world, an, "08"), world.services.card_doses.look

    def hidden(*args: Any) -> Any:
        found = look(*args)
        hide(world, an, record_id, "providers")
        return found

    monkeypatch.setattr(world.services.card_doses, "look", hidden)
    answer = make(world, an)
    assert (answer.status_code, found_in(answer)["code"]) == (503, "unavailable")


def test_the_same_act_sent_twice_is_answered_twice(world: World) -> None:
    an = world.person()
    world.send(world.doctor(), bundle(an, immunization()))
    key = {"Idempotency-Key": new_id()}
    answers = [world.post("/citizens/me/cards", an, {"kind": "immunization"}, headers=key) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 201]
    assert vaccines(found_in(answers[0])["cards"][0]) == vaccines(found_in(answers[1])["cards"][0])
