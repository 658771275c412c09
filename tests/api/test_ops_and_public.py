"""The registry, the figures, code lists, notices, reminders of one's own."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc.jwk import ECKey

from consent.codes import NAMES, PURPOSES
from tests.world import CVX, World, bundle, found_in, immunization
from wallet_api.errors import codes
from wallet_api.infra.ids import new_id

ORGANISATION = {
    "name_vi": "Trạm y tế Thử",
    "name_en": "Test station",
    "kind": "commune_station",
    "purposes": ["TREAT"],
    "read_categories": ["immunization"],
    "write_categories": ["immunization"],
}


def public_key(kid: str = "k1") -> dict[str, Any]:
    return dict(ECKey.generate_key("P-256", {"kid": kid}).as_dict(private=False))


def test_a_registrar_cannot_register(world: World) -> None:
    registrar = world.ops("registrar")
    made = world.post("/ops/organisations", registrar, ORGANISATION)
    assert made.status_code == 201 and found_in(made)["status"] == "active"
    base = f"/ops/organisations/{found_in(made)['id']}"
    keys = world.post(f"{base}/keys", registrar, {"jwks": {"keys": [public_key()]}})
    assert keys.status_code == 201 and found_in(keys)["client_id"]
    entry = {"id": "bs-1", "name": "BS. Thử", "role": "physician", "valid_from": "2026-01-01"}
    assert world.post(f"{base}/roster", registrar, entry).status_code == 201
    word = world.get("/organisations?query=tram thu", world.person())
    assert found_in(made)["id"] in {each["id"] for each in found_in(word)["items"]}


def test_one_code_is_given_to_two_organisations(world: World) -> None:
    registrar, code = world.ops("registrar"), new_id()[:5].upper()
    assert (
        world.post("/ops/organisations", registrar, ORGANISATION | {"facility_code": code}).status_code == 201
    )
    again = world.post("/ops/organisations", registrar, ORGANISATION | {"facility_code": code})
    assert (again.status_code, found_in(again)["code"]) == (409, "already_taken")


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"gln": "8934567890123"}, "bad_organisation"),
        ({"facility_code": "1"}, "bad_organisation"),
        ({"purposes": ["everything"]}, "invalid_fields"),
        ({"kind": "palace"}, "invalid_fields"),
        ({"id": "a" * 26}, "invalid_fields"),
        ({"status": "active"}, "invalid_fields"),
    ],
)
def test_a_bad_organisation_is_registered(world: World, over: dict[str, Any], code: str) -> None:
    answer = world.post("/ops/organisations", world.ops("registrar"), ORGANISATION | over)
    assert (answer.status_code, found_in(answer)["code"]) == (422, code)


def test_a_private_key_is_taken(world: World) -> None:
    doctor, registrar = world.doctor(), world.ops("registrar")
    private = ECKey.generate_key("P-256", {"kid": "k1"}).as_dict(private=True)
    path = f"/ops/organisations/{doctor.organisation_id}/keys"
    for keys in ([private], [], [public_key()] * 11, [{"kty": "oct", "k": "x"}], "x"):
        assert world.post(path, registrar, {"jwks": {"keys": keys}}).status_code == 422
    assert (
        world.post(
            path.replace(doctor.organisation_id, new_id()), registrar, {"jwks": {"keys": [public_key()]}}
        ).status_code
        == 404
    )


def test_a_guardianship_without_evidence_stands(world: World) -> None:
    registrar, guardian, child = world.ops("registrar"), world.person(), world.person()
    form = {
        "guardian_id": guardian.id,
        "dependent_id": child.id,
        "relation": "adult",
        "evidence_kind": "court_order",
        "valid_from": "2026-01-01",
    }
    for over, status in (({"evidence_kind": "word of mouth"}, 422), ({"dependent_id": guardian.id}, 409)):
        assert world.post("/ops/guardianships", registrar, form | over).status_code == status
    assert world.post("/ops/guardianships", registrar, form | {"guardian_id": new_id()}).status_code == 404
    assert world.get(f"/citizens/{child.id}/records", guardian).status_code == 404
    made = world.post("/ops/guardianships", registrar, form)
    assert (made.status_code, found_in(made)["state"]) == (201, "active")
    assert world.get(f"/citizens/{child.id}/records", guardian).status_code == 200
    again = world.post("/ops/guardianships", registrar, form)
    assert (again.status_code, found_in(again)["code"]) == (409, "guardianship_refused")


@pytest.mark.parametrize("role", ["operator", "reviewer"])
def test_another_role_registers(world: World, role: Any) -> None:
    who = world.ops(role)
    for path, form in (("/ops/organisations", ORGANISATION), ("/ops/guardianships", {})):
        answer = world.post(path, who, form)
        assert (answer.status_code, found_in(answer)["code"]) == (403, "role_missing")
    assert world.get("/ops/programmes", who).status_code == 200


def test_nobody_of_ops_is_let_in_without_a_role(world: World) -> None:
    answer = world.get("/ops/programmes", world.ops())
    assert (answer.status_code, found_in(answer)["code"]) == (403, "role_missing")
    for other in (world.person(), world.doctor()):
        assert found_in(world.get("/ops/programmes", other))["code"] == "forbidden"


def test_figures_are_missing(world: World) -> None:
    operator = world.ops("operator")
    assert set(found_in(world.get("/ops/delivery", operator))) == {"reminders", "batches", "pushes", "funnel"}
    told = {each["id"]: each for each in found_in(world.get("/ops/programmes", operator))["items"]}
    sure = {name: told[name]["confidence"] for name in ("annual_checkup", "antenatal", "epi_routine")}
    assert sure == {"annual_checkup": "found", "antenatal": "unverified", "epi_routine": None}
    run = world.post("/ops/reminder-runs", operator)
    assert (run.status_code, found_in(run)) == (202, {"day": "2026-11-03", "state": "queued"})


def test_a_code_list_lacks_names(world: World) -> None:
    for name in (*NAMES, "errors"):
        body = found_in(world.get(f"/code-systems/{name}"))
        assert body["items"] and all(each["code"] and each["vi"] and each["en"] for each in body["items"])
    listed = {each["code"] for each in found_in(world.get("/code-systems/errors"))["items"]}
    assert listed == codes()
    assert world.get("/code-systems/secrets").status_code == 404


def test_a_purpose_has_no_text(world: World) -> None:
    who = world.person()
    for purpose, code in PURPOSES.codes.items():
        if code.more["requestable"]:
            for locale in ("vi", "en"):
                body = found_in(world.get(f"/notices/{purpose}?locale={locale}", who))
                assert body["text"] and body["locale"] == locale and len(body["sha256"]) == 64
    told = found_in(world.get("/notices/BTG", who))
    assert told["text"], "nobody is asked for an emergency, yet its text is there to be read"
    assert world.get("/notices/NOPE", who).status_code == 422
    assert world.get("/notices/TREAT").status_code == 401


def test_settings_and_devices_are_not_ones_own(world: World) -> None:
    an, other = world.person(), world.person()
    chosen = {"opted_out": [], "from_hour": 8, "to_hour": 20, "locale": "en"}
    path = "/citizens/me/notification-preferences"
    assert world.call("PUT", path, an, chosen).status_code == 200
    assert found_in(world.get(path, an)).items() >= chosen.items()
    assert found_in(world.get(path, other))["from_hour"] == 7
    for bad in ({"from_hour": 20, "to_hour": 8}, {"from_hour": 6}, {"to_hour": 22}, {"locale": "English"}):
        assert world.call("PUT", path, an, chosen | bad).status_code == 422
    device = {"platform": "android", "address_kind": "token", "address": "x" * 100}
    where = f"/citizens/me/devices/{new_id()}"
    assert world.call("PUT", where, an, device).status_code == 200
    assert world.call("DELETE", where, other).status_code == 404
    assert world.call("DELETE", where, an).status_code == 204
    assert world.call("DELETE", where, an).status_code == 404
    for bad in ({"address": "x"}, {"address": "a b" * 10}, {"platform": "toaster"}, {"citizen_id": an.id}):
        assert world.call("PUT", where, an, device | bad).status_code == 422


def test_a_guardian_sees_no_forecast_or_reminders_of_the_child(world: World) -> None:
    guardian = world.person()
    child = world.child_of(guardian, born=world.now().date().replace(month=8, day=1))
    world.send(world.doctor(), bundle(child, immunization(cvx="08", on="2026-08-01")))
    items = found_in(world.get(f"/citizens/{child.id}/forecast", guardian))["items"]
    assert {each["status"] for each in items} and all(each["title"] and each["rule"] for each in items)
    used = [each for each in items if each["evidence"]]
    assert used and CVX not in str(used)
    assert world.get(f"/citizens/{child.id}/reminders", guardian).status_code == 200
    assert found_in(world.get("/citizens/me/inbox", guardian)) == {
        "items": [],
        "next_cursor": None,
        "unread": 0,
    }


def test_the_language_of_an_app_is_taken_and_forgotten(world: World) -> None:
    an = world.person()
    where, chosen = f"/citizens/me/devices/{new_id()}", "/citizens/me/notification-preferences"
    device = {"platform": "ios", "address_kind": "fid", "address": "a" * 22}
    assert world.call("PUT", chosen, an, {"from_hour": 9, "opted_out": ["checkup"]}).status_code == 200
    for locale, then in (("en", "en"), (None, "en"), ("vi", "vi")):
        named = device if locale is None else device | {"locale": locale}
        assert world.call("PUT", where, an, named).status_code == 200
        found = found_in(world.get(chosen, an))
        assert (found["locale"], found["from_hour"], found["opted_out"]) == (then, 9, ["checkup"])


def test_a_topic_that_does_not_exist_can_be_switched_off(world: World) -> None:
    an = world.person()
    answer = world.call("PUT", "/citizens/me/notification-preferences", an, {"opted_out": ["vacination"]})
    assert answer.status_code == 422
    assert [each["pointer"] for each in found_in(answer)["errors"]] == ["/opted_out/0"]
