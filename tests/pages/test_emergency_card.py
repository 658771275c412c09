"""The emergency card: checked with public keys alone, short, silent about what is restricted or hidden."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import jwt
import pytest

from tests.fhir import labelled
from tests.pages.resources import allergy, blood_group, clinical, medicine
from tests.world import Json, Person, World, bundle, condition, found_in


def card(world: World, who: Person, query: str = "", whose: str = "me") -> str:
    answer = world.get(f"/citizens/{whose}/emergency-card{query}", who)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.headers["Cache-Control"] == "no-store"
    return str(found_in(answer)["card"])


def read(world: World, text: str, days: int = 0) -> Json:
    """What a helper without a network reads some days later, by the program of docs/clients.md."""
    page = (Path(__file__).parents[2] / "docs" / "clients.md").read_text(encoding="utf-8")
    (program,) = [each for each in page.split("```python\n")[1:] if "def helped_by" in each]
    found: Json = {}
    exec(program.split("```", 1)[0], found)
    keys = found_in(world.get("/.well-known/card-jwks.json"))
    later = world.now() + timedelta(days=days)
    return dict(found["helped_by"](text, keys, later.timestamp))


def test_the_card_says_what_a_helper_needs_and_verifies_offline(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    over = condition("c2", "J20", **clinical("resolved"))
    world.send(
        doctor,
        bundle(an, blood_group(), allergy(), condition(code={"text": "Đái tháo đường"}), over, medicine()),
    )
    said = read(world, card(world, an))
    assert (said["name"], said["birth_date"]) == (an.name, an.born.isoformat())
    assert said["blood_group"] == [{"what": "O+", "on": "2012"}]
    assert said["allergies"] == [{"what": "Tôm", "on": "2024-05"}]
    assert [each["what"] for each in said["conditions"]] == ["Đái tháo đường"]
    assert [each["what"] for each in said["medicines"]] == ["Metformin"]
    assert said["iat"] == int(world.now().timestamp()) and said["exp"] - said["iat"] == 90 * 86400
    assert an.id not in str(said) and an.number not in str(said) and "contact" not in said


def test_a_changed_card_is_no_card(world: World) -> None:
    text = card(world, world.person())
    head, body, seal = text.split(".")
    for forged in (f"{head}.{body[:-2]}AA.{seal}", f"{head}.{body}.{seal[:-8]}AAAAAAAA"):
        with pytest.raises(jwt.InvalidTokenError):
            read(world, forged)
    with pytest.raises(jwt.ExpiredSignatureError):
        read(world, text, days=90)
    assert read(world, text, days=89)
    receipts = found_in(world.get("/.well-known/receipt-jwks.json"))["keys"]
    assert jwt.get_unverified_header(text)["kid"] not in [each["kid"] for each in receipts]


def test_what_is_restricted_or_hidden_from_providers_is_not_on_it(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    secret, hidden = labelled(condition("c1", "B20"), "HIV"), condition("c2", "A15.9")
    world.send(doctor, bundle(an, secret, condition("c3", "F32"), condition("c4", "K35"), allergy()))
    world.send(doctor, bundle(an, hidden | {"code": {"text": "Gãy tay"}}))
    items = found_in(world.get("/citizens/me/records?category=condition", an))["items"]
    told = next(each["id"] for each in items if each["resource"]["id"] == "c2")
    path = f"/citizens/me/records/{told}/visibility"
    assert world.call("PUT", path, an, {"audience": "providers", "hidden": True}).status_code == 204
    assert [each["what"] for each in read(world, card(world, an))["conditions"]] == ["K35"]
    asked = read(world, card(world, an, "?label=HIV"))
    assert {each["what"] for each in asked["conditions"]} == {"K35", "B20"}
    assert world.get("/citizens/me/emergency-card?label=XYZ", an).status_code == 422


def test_a_guardians_card_names_the_guardian_and_marks_what_was_only_told(world: World) -> None:
    mother = world.person("Trần Thị Mẹ", phone="+84900000001")
    child = world.child_of(mother)
    told = {"kind": "allergy", "occurred_on": "2025", "text": "Lạc"}
    assert world.post(f"/citizens/{child.id}/records", mother, told).status_code == 201
    said = read(world, card(world, mother, whose=child.id))
    assert said["contact"] == {"name": "Trần Thị Mẹ", "phone": "+84900000001"}
    assert said["allergies"] == [{"what": "Lạc", "on": "2025", "self_reported": True}]


def test_that_a_card_was_made_is_in_the_log(world: World) -> None:
    an, stranger, doctor = world.person(), world.person(), world.doctor()
    world.send(doctor, bundle(an, allergy()))
    card(world, an)
    newest = found_in(world.get("/citizens/me/access-log?limit=1", an))["items"][0]
    assert (newest["action"], newest["record_count"]) == ("record:exported", 1)
    assert world.get(f"/citizens/{an.id}/emergency-card", stranger).status_code == 404


def test_a_card_of_a_full_book_stays_short(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    many = [condition(f"c{n}", {"text": f"Bệnh mạn tính có tên rất dài {'dài ' * 40}{n}"}) for n in range(30)]
    world.send(doctor, bundle(an, *many))
    text = card(world, an)
    assert len(read(world, text)["conditions"]) == 6 and len(text) < 2953, "it fits into one QR code"
