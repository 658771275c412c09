"""The registry in trouble: look-alikes, lost keys, mergers, people who leave, licences that shrink."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.emergency.glass import opened, read
from tests.fhir import bundle, condition, sources
from tests.world import Doctor, Json, World, found_in
from wallet_api.identity.lookalikes import confusables, mixes_scripts, skeleton
from wallet_api.infra.ids import new_id
from wallet_api.wiring import licences

REGISTRY = "/ops/organisations"
FORM = {
    "name_vi": "Bệnh viện Sao Mai",
    "name_en": "Morning Star Hospital",
    "kind": "hospital",
    "purposes": ["TREAT"],
    "read_categories": ["condition"],
    "write_categories": ["condition"],
}


def register(world: World, name: str, english: str = "") -> Json:
    form = FORM | {"name_vi": name, "name_en": english or f"English {new_id()}"}
    answer = world.post(REGISTRY, world.ops("registrar"), form)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return found_in(answer)


def act(world: World, organisation_id: str, what: str, **body: Any) -> Any:
    registrar = world.ops("registrar")
    path = f"{REGISTRY}/{organisation_id}"
    tag = world.get(path, registrar).headers["ETag"]
    return world.post(f"{path}/{what}", registrar, {"reason": "seen"} | body, headers={"If-Match": tag})


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("Bệnh viện Bạch Mai", "Benh vien Bach Mai"),
        ("Bệnh viện Bạch Mai", "Bệnh viện Вạch Mаi"),
        ("Bệnh viện Bạch Mai", "BỆNH  VIỆN BẠCH-MAI"),
        ("Bệnh viện Bạch Mai", "Ｂệnh viện Bạch Mai"),
        ("Trạm y tế Đông", "Tram y te Dong"),
        ("Hospital 10", "Hospita1 1O"),
        ("Modern", "Modem"),
    ],
)
def test_names_that_look_the_same_have_one_skeleton(mine: str, theirs: str) -> None:
    assert skeleton(mine) == skeleton(theirs)


def test_names_that_differ_to_the_eye_do_not() -> None:
    assert skeleton("Trạm y tế xã 1") != skeleton("Trạm y tế xã 2")
    assert skeleton("Bệnh viện Bạch Mai") != skeleton("Bệnh viện Bình Dân")
    assert mixes_scripts("Bạch Mаi") and not mixes_scripts("Bạch Mai Клиника")
    assert confusables().source


def test_c20_a_look_alike_is_flagged_when_it_registers_and_shown_so_to_whom_it_asks(world: World) -> None:
    mark = new_id()[:8]
    real = register(world, f"Bệnh viện Sao {mark}")
    assert (real["looks_like"], real["verified"]) == (None, False)
    fake = register(world, f"Bệnh viện Sаo {mark}")
    assert fake["looks_like"] == real["name_vi"]
    plain = register(world, f"Benh vien Sao {mark}")
    assert plain["looks_like"] in (real["name_vi"], fake["name_vi"])
    an, doctor = world.person(), staffed(world, fake["id"])
    world.ask(doctor, an, categories=["condition"])
    shown = world.newest_request(an)["organisation"]
    assert (shown["verified"], shown["looks_like"]) == (False, real["name_vi"])
    assert act(world, fake["id"], "verification").status_code == 200
    shown = world.newest_request(an)["organisation"]
    assert (shown["verified"], shown["looks_like"]) == (True, real["name_vi"])


def staffed(world: World, organisation_id: str) -> Doctor:
    """A doctor at an organisation that was registered over HTTP."""
    key = ECKey.generate_key("P-256", {"kid": "k1"})
    body = {"jwks": {"keys": [key.as_dict(private=False)]}}
    made = found_in(world.post(f"{REGISTRY}/{organisation_id}/keys", world.ops("registrar"), body))
    return world.colleague(Doctor(world, organisation_id, made["client_id"], None))


def test_onboarding_says_what_is_missing(world: World) -> None:
    made, registrar = register(world, f"Trạm {new_id()}"), world.ops("registrar")

    def missing() -> list[str]:
        return list(found_in(world.get(f"{REGISTRY}/{made['id']}", registrar))["missing"])

    assert missing() == ["keys", "roster", "verification"]
    staffed(world, made["id"])
    assert missing() == ["verification"]
    act(world, made["id"], "verification")
    assert missing() == []


def assertion(world: World, client_id: str, key: ECKey) -> str:
    now = int(world.now().timestamp())
    claims = {"iss": client_id, "sub": client_id, "aud": world.desk.issuer, "exp": now + 60, "jti": new_id()}
    return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)


def token_with(world: World, client_id: str, key: ECKey) -> int:
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion(world, client_id, key),
    }
    return world.app.test_client().post("/oauth/token", data=form).status_code


def test_a_lost_key_opens_nothing_from_the_moment_it_is_revoked(world: World) -> None:
    made = register(world, f"Bệnh viện {new_id()}")
    lost, kept = (ECKey.generate_key("P-256", {"kid": kid}) for kid in ("lost", "kept"))
    body = {"jwks": {"keys": [each.as_dict(private=False) for each in (lost, kept)]}}
    client_id = found_in(world.post(f"{REGISTRY}/{made['id']}/keys", world.ops("registrar"), body))[
        "client_id"
    ]
    doctor = world.colleague(Doctor(world, made["id"], client_id, None))
    token = doctor.token
    assert token_with(world, client_id, lost) == token_with(world, client_id, kept) == 200
    answer = act(world, made["id"], f"keys/{client_id}/revocation", kid="lost")
    assert (answer.status_code, found_in(answer)["keys"]) == (200, 1)
    assert token_with(world, client_id, lost) == 401
    assert world.get("/provider/own-records", token).status_code == 401, "tokens it got are void too"
    assert token_with(world, client_id, kept) == 200
    left = found_in(act(world, made["id"], f"keys/{client_id}/revocation", kid="kept"))
    assert (left["status"], left["keys"]) == ("suspended", 0)
    assert token_with(world, client_id, kept) == 401
    other = register(world, f"Bệnh viện {new_id()}")
    assert act(world, other["id"], f"keys/{client_id}/revocation").status_code == 404


def test_a_merger_moves_no_grant_but_the_writings(world: World) -> None:
    old, new, an = world.doctor(), world.doctor(), world.person()
    world.send(old, bundle(an, condition("theirs")))
    world.send(new, bundle(an, condition("own")))
    made = world.grant(old, an)
    world.ask(old, an, categories=["condition"])
    session, token = made.session(), old.token
    assert act(world, old.organisation_id, "merger", into=new.organisation_id).status_code == 200
    url = f"/provider/citizens/{made.citizen_ref}/records"
    assert world.get(url, token, headers={"Access-Session": session}).status_code == 401
    assert made.read(session, new).status_code == 404, "its references mean nothing to the successor"
    written = found_in(world.get("/provider/own-records", new))["items"]
    assert sorted(sources(written)) == ["own", "theirs"]
    request = world.newest_request(an)
    assert request["organisation"]["merged_into"] == "Bệnh viện Thử"
    path = f"/citizens/me/consent-requests/{request['id']}/approval"
    licences_read_anew(world)
    assert found_in(world.post(path, an, world.answer_to(request)))["code"] == "not_licensed"
    for what, code in (("readmission", 409), ("merger", 200)):
        body = {"into": new.organisation_id} if what == "merger" else {}
        assert act(world, old.organisation_id, what, **body).status_code == code
    assert act(world, new.organisation_id, "merger", into=old.organisation_id).status_code == 409
    assert act(world, new.organisation_id, "merger", into=new.organisation_id).status_code == 409


def test_a_merger_of_a_merger_is_read_back_too(world: World) -> None:
    first, second, third, an = (world.doctor(), world.doctor(), world.doctor(), world.person())
    world.send(first, bundle(an, condition("oldest")))
    for one, into in ((first, second), (second, third)):
        assert act(world, one.organisation_id, "merger", into=into.organisation_id).status_code == 200
    assert sources(found_in(world.get("/provider/own-records", third))["items"]) == ["oldest"]


def licences_read_anew(world: World) -> None:
    """As if five seconds had passed."""
    window = world.services.access._licence_of
    assert isinstance(window, licences.LicenceWindow)
    window._held.clear()


def test_a_practitioner_who_leaves_reads_no_more_in_mid_session(world: World) -> None:
    doctor, an = world.doctor(purposes=("TREAT", "BTG")), world.person()
    world.send(doctor, bundle(an, condition()))
    made = world.grant(doctor, an)
    session, token, access = made.session(), doctor.token, opened(world, doctor, an)
    answer = act(world, doctor.organisation_id, f"roster/{doctor.practitioner_id}/departure")
    assert answer.status_code == 200
    url = f"/provider/citizens/{made.citizen_ref}/records"
    assert world.get(url, token, headers={"Access-Session": session}).status_code == 401
    assert (
        world.get(
            f"/provider/citizens/{access['citizen_ref']}/records",
            token,
            headers={"Access-Session": access["access_session"]["id"]},
        ).status_code
        == 401
    )
    assert made.open(world.colleague(doctor)).status_code == 201, "the grant is the organisation's"


def test_a_licence_narrowed_in_mid_grant_narrows_what_is_read(world: World) -> None:
    doctor, an = world.doctor(purposes=("TREAT", "BTG")), world.person()
    world.send(doctor, bundle(an, condition("c")))
    made, access = world.grant(doctor, an), opened(world, doctor, an)
    session = made.session()
    assert sources(found_in(made.read(session))["items"]) == ["c"]
    licence = {"read_categories": ["immunization"], "write_categories": []}
    answer = put_licence(world, doctor, purposes=["TREAT"], **licence)
    assert answer.status_code == 200
    licences_read_anew(world)
    assert found_in(made.read(session))["items"] == []
    assert found_in(read(world, doctor, access))["code"] == "consent_ended"
    put_licence(world, doctor, purposes=["HPAYMT"], **licence)
    licences_read_anew(world)
    assert found_in(made.read(session))["code"] == "consent_ended"


def put_licence(world: World, doctor: Doctor, **licence: Any) -> Any:
    registrar, path = world.ops("registrar"), f"{REGISTRY}/{doctor.organisation_id}"
    tag = world.get(path, registrar).headers["ETag"]
    stale = world.call("PUT", f"{path}/licence", registrar, licence, headers={"If-Match": '"99"'})
    assert found_in(stale)["code"] == "stale_version"
    return world.call("PUT", f"{path}/licence", registrar, licence, headers={"If-Match": tag})


def test_a_suspended_organisation_reads_and_asks_nothing_until_it_is_readmitted(world: World) -> None:
    doctor, an = world.doctor(), world.person()
    made = world.grant(doctor, an)
    session, token = made.session(), doctor.token
    assert act(world, doctor.organisation_id, "suspension").status_code == 200
    url = f"/provider/citizens/{made.citizen_ref}/records"
    assert world.get(url, token, headers={"Access-Session": session}).status_code == 401
    assert world.post("/provider/consent-requests", token, world.proposal(an)).status_code == 401
    assert act(world, doctor.organisation_id, "readmission").status_code == 200
    licences_read_anew(world)
    world.forget_tokens()
    assert made.read(session).status_code == 200


def test_only_registrars_do_any_of_it(world: World) -> None:
    doctor = world.doctor()
    for role in ("operator", "reviewer"):
        for what in ("verification", "suspension", "merger"):
            path = f"{REGISTRY}/{doctor.organisation_id}/{what}"
            answer = world.post(path, world.ops(role), {"reason": "x"})  # type: ignore[arg-type]  # a role
            assert found_in(answer)["code"] == "role_missing"
