"""SMART scopes: an app that asks for less gets less, for as long as its session lives."""

from __future__ import annotations

import pytest

from tests.identity.world import World, authorize_query, told_in
from wallet_api.identity.oauth.scopes import SUPPORTED, TYPES, NothingGranted, covers, narrowed
from wallet_api.records.fhir_search import KINDS

GRANTED = {
    "": "",
    "citizen": "",
    "openid fhirUser offline_access": "",
    "citizen patient/*.rs": "",
    "patient/*.rs": "patient/*.rs",
    "patient/*.read": "patient/*.rs",
    "patient/*.*": "patient/*.rs",
    "patient/*.cruds": "patient/*.rs",
    "patient/Immunization.r": "patient/Immunization.r",
    "launch/patient openid patient/Observation.s": "launch/patient patient/Observation.s",
    "patient/Observation.rs patient/Nothing.rs": "patient/Observation.rs",
    "patient/Observation.rs patient/Condition.rs?category=x": "patient/Observation.rs",
}
NOTHING = (
    "patient/Nothing.rs",
    "patient/Observation.cud",
    "patient/Observation",
    "patient/*.rs?_id=1",
    "patient/",
)


def test_the_types_are_those_that_are_served() -> None:
    assert KINDS.keys() | {"Patient"} == TYPES


@pytest.mark.parametrize("asked", GRANTED)
def test_never_more_is_granted_than_was_asked_for(asked: str) -> None:
    assert narrowed(asked) == GRANTED[asked]
    assert narrowed(narrowed(asked)) == narrowed(asked)


@pytest.mark.parametrize("asked", NOTHING)
def test_to_ask_for_nothing_served_is_not_to_ask_for_all(asked: str) -> None:
    with pytest.raises(NothingGranted):
        narrowed(asked)


def test_a_scope_covers_its_type_and_its_act() -> None:
    assert covers("", "Condition", "r") and covers("patient/*.rs", "Condition", "s")
    assert covers("launch/patient patient/Condition.r", "Condition", "r")
    assert not covers("patient/Condition.r", "Condition", "s")
    assert not covers("patient/Condition.rs", "Observation", "r")
    assert not covers("launch/patient", "Condition", "r")


def test_a_session_keeps_its_scope_and_is_told_its_patient(world: World) -> None:
    asked = "launch/patient patient/Immunization.rs patient/Patient.r"
    body = world.signed_in(scope=asked)
    assert body["scope"] == asked
    caller = world.identity.authenticator.caller(body["access_token"])
    assert (caller.scope, body["patient"]) == (asked, caller.subject_id)
    status, again = world.refresh(body["refresh_token"])
    assert (status, again["scope"], again["patient"]) == (200, asked, caller.subject_id)
    assert world.identity.authenticator.caller(again["access_token"]).scope == asked


def test_whoever_asks_for_no_type_gets_the_whole_and_no_patient(world: World) -> None:
    body = world.signed_in(scope="openid")
    assert body["scope"] == "citizen" and "patient" not in body
    assert world.identity.authenticator.caller(body["access_token"]).scope == ""


def test_a_scope_that_is_not_served_is_refused_at_the_app(world: World) -> None:
    answer = world.browser().get("/oauth/authorize", query_string=authorize_query("v" * 43, scope=NOTHING[0]))
    assert answer.status_code == 302
    assert told_in(answer.headers["Location"])["error"] == "invalid_scope"


def test_the_documents_tell_what_can_be_asked_for(world: World) -> None:
    for name in ("oauth-authorization-server", "smart-configuration"):
        told = world.browser().get(f"/.well-known/{name}").get_json()
        assert set(SUPPORTED) < set(told["scopes_supported"])
    assert {"permission-v2", "permission-patient", "context-standalone-patient"} <= set(told["capabilities"])
    for scope in SUPPORTED[1:]:
        assert narrowed(scope) == scope
