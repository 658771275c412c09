"""A child's measurements against the growth standard, as guardians, the person and providers see them."""

from __future__ import annotations

from datetime import date

from werkzeug.test import TestResponse

from tests.checkup_messages import OCCASION, file_of, may_push, message_of, parts_of
from tests.fhir import labelled
from tests.pages.resources import measured, quantity
from tests.pages.test_series import series
from tests.world import READS, Granted, Person, World, bundle, found_in
from wallet_api.identity.model import Identifier, Profile

WEIGHT, LENGTH, HEAD, BMI = "29463-7", "8302-2", "9843-4", "39156-5"
LINES = ("minus_3", "minus_2", "median", "plus_2", "plus_3")


def granted(made: Granted, session: str, code: str, query: str = "") -> TestResponse:
    path = f"/provider/citizens/{made.citizen_ref}/series/{code}{query}"
    return made.world.get(path, made.doctor, headers={"Access-Session": session})


def test_a_guardian_sees_where_each_measurement_lies_and_a_curve_to_draw(world: World) -> None:
    mother, doctor = world.person(), world.doctor()
    girl = world.child_of(mother, date(2025, 2, 1))
    sent = [
        measured("o1", WEIGHT, "2025-02-01", **quantity(3.2322)),
        measured("o2", WEIGHT, "2026-02-01", **quantity(6500, "g")),
        measured("o3", WEIGHT, "2026-03-01", **quantity(95)),
        measured("o4", WEIGHT, "2026-04", **quantity(9)),
    ]
    world.send(doctor, bundle(girl, *sent))
    page = series(world, mother, WEIGHT, "", girl.id)
    unsure, slipped, light, newborn = page["items"]
    assert (newborn["growth"]["z"], newborn["growth"]["side"], newborn["growth"]["called"]) == (
        0,
        "within_2",
        None,
    )
    assert (newborn["growth"]["lines"]["median"], newborn["growth"]["value"]) == (3.232, 3.2322)
    place = light["growth"]
    assert (light["value"], light["unit"], light["age_days"]) == (6500, "g", 365), "as it was sent"
    assert (place["value"], place["z"], place["side"]) == (6.5, -2.69, "below_minus_2")
    assert place["called"] == "underweight" and place["reason"] is None
    assert place["line_vi"] == ("Điểm z -2,69: từ -3 SD đến dưới -2 SD; tài liệu tập huấn của WHO: nhẹ cân.")
    assert [round(place["lines"][name], 1) for name in LINES] == [6.3, 7.0, 8.9, 11.5, 13.1]
    assert (slipped["growth"]["reason"], slipped["growth"]["side"]) == ("implausible", None)
    assert (unsure["growth"]["reason"], unsure["growth"]["lines"]) == ("day_unknown", None)
    told = page["growth"]
    assert (told["standard"], told["year"]) == ("WHO Child Growth Standards", 2006)
    assert (told["indicator"], told["unit"]) == ("weight-for-age", "kg")
    assert "Geneva, 2006" in told["source"] and "không phải chẩn đoán" in told["note_vi"]
    assert "no diagnosis" in told["note_en"] and "born too early" in told["note_en"]
    assert [each["month"] for each in told["curve"]] == list(range(14))
    assert all([row[name] for name in LINES] == sorted(row[name] for name in LINES) for row in told["curve"])


def test_length_head_and_body_mass_index_have_curves_of_their_own(world: World) -> None:
    mother, doctor = world.person(), world.doctor()
    girl = world.child_of(mother, date(2025, 2, 1))
    sent = [
        measured("l", LENGTH, "2026-02-01", **quantity(66, "cm")),
        measured("h", HEAD, "2026-02-01", **quantity(45, "cm")),
        measured("b", BMI, "2026-02-01", **quantity(20, "kg/m2")),
        measured("p", "8867-4", "2026-02-01", **quantity(110, "/min")),
    ]
    world.send(doctor, bundle(girl, *sent))
    found = {}
    for code in (LENGTH, HEAD, BMI):
        page = series(world, mother, code, "", girl.id)
        (one,) = page["items"]
        found[page["growth"]["indicator"]] = (one["growth"]["side"], one["growth"]["called"])
    assert found == {
        "length/height-for-age": ("below_minus_3", "severely_stunted"),
        "head circumference-for-age": ("within_2", None),
        "body mass index-for-age": ("above_plus_2", "overweight"),
    }
    pulse = series(world, mother, "8867-4", "", girl.id)
    assert pulse["growth"] is None and pulse["items"][0]["growth"] is None
    other = series(world, mother, WEIGHT, "?system=urn:other", girl.id)
    assert other["growth"] is None, "the code of another system is another code"


def test_who_is_grown_sees_the_places_of_childhood_and_why_there_is_none_now(world: World) -> None:
    an, doctor = world.person(born=date(2001, 5, 4)), world.doctor()
    sent = [
        measured("o1", WEIGHT, "2002-05-04", **quantity(9)),
        measured("o2", WEIGHT, "2006-05-03", **quantity(18)),
        measured("o3", WEIGHT, "2006-05-04", **quantity(18)),
    ]
    world.send(doctor, bundle(an, *sent))
    said = {"kind": "body_weight", "occurred_on": "2026-11-01", "value": 52}
    assert world.post("/citizens/me/records", an, said).status_code == 201
    page = series(world, an, WEIGHT)
    reasons = [each["growth"]["reason"] for each in page["items"]]
    assert reasons == ["over_age", "over_age", None, None]
    assert page["items"][0]["growth"]["line_en"] == "The standard is for children under 5 years."
    assert [each["month"] for each in series(world, an, WEIGHT, "?from=2006-05-04")["growth"]["curve"]] == []
    assert [each["month"] for each in page["growth"]["curve"]][-1] == 60


def test_a_child_of_unknown_sex_is_compared_with_nobody(world: World) -> None:
    born, doctor = date(2001, 5, 4), world.doctor()
    number = world.new_number(born)
    made = world.services.identity.people.register(
        Profile("Lê Văn Thử", born, "unknown"), [Identifier("national_id", number)]
    )
    known = world.signed_in(Person(world, made, number, born, "Lê Văn Thử", "", ""))
    world.send(doctor, bundle(known, measured("o1", WEIGHT, "2002-05-04", **quantity(9))))
    page = series(world, known, WEIGHT)
    (one,) = page["items"]
    assert (one["growth"]["reason"], one["growth"]["lines"]) == ("sex_unknown", None)
    assert page["growth"]["curve"] == []


def test_what_is_hidden_leaves_no_trace_in_the_curve(world: World) -> None:
    mother, doctor = world.person(), world.doctor()
    girl = world.signed_in(world.child_of(mother, world.now().date().replace(year=2011)))
    days = ("2012-11-03", "2014-11-03")
    sent = [measured(f"o{day}", WEIGHT, day, **quantity(9)) for day in days]
    world.send(doctor, bundle(girl, *sent))
    newest, oldest = series(world, girl, WEIGHT)["items"]
    path = f"/citizens/me/records/{newest['id']}/visibility"
    assert world.call("PUT", path, girl, {"audience": "guardians", "hidden": True}).status_code == 204
    seen = series(world, mother, WEIGHT, "", girl.id)
    assert [each["id"] for each in seen["items"]] == [oldest["id"]]
    months = [each["month"] for each in seen["growth"]["curve"]]
    assert months == [
        each["month"] for each in series(world, girl, WEIGHT, f"?to={days[0]}")["growth"]["curve"]
    ]
    assert months and max(months) <= 13


def test_a_page_has_the_curve_of_its_own_points(world: World) -> None:
    mother, doctor = world.person(), world.doctor()
    girl = world.child_of(mother, date(2025, 2, 1))
    days = ("2025-03-01", "2025-09-01", "2026-05-01")
    world.send(doctor, bundle(girl, *(measured(f"o{d}", WEIGHT, d, **quantity(5)) for d in days)))
    first = series(world, mother, WEIGHT, "?limit=1", girl.id)
    assert [each["month"] for each in first["growth"]["curve"]] == [14, 15]
    rest = series(world, mother, WEIGHT, f"?cursor={first['next_cursor']}", girl.id)
    assert [each["month"] for each in rest["growth"]["curve"]] == list(range(8))


def test_a_provider_sees_where_a_value_lies_and_neither_age_nor_curve(world: World) -> None:
    mother, author, doctor = world.person(), world.doctor(), world.doctor()
    girl = world.child_of(mother, date(2025, 2, 1))
    sent = [
        measured("o1", WEIGHT, "2026-02-01", **quantity(6.5)),
        labelled(measured("o2", WEIGHT, "2026-03-01", **quantity(6.8)), "PSY"),
    ]
    world.send(author, bundle(girl, *sent))
    made = world.grant(doctor, girl, categories=["vital_sign"])
    session = made.session()
    answer = granted(made, session, WEIGHT)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    page = found_in(answer)
    (one,) = page["items"]
    assert (one["value"], one["growth"]["z"], one["growth"]["called"]) == (6.5, -2.69, "underweight")
    assert "age_days" not in one and one["growth"].keys() == {
        *("z", "side", "called", "reason", "line_vi", "line_en"),
    }
    assert "curve" not in page["growth"] and page["growth"]["indicator"] == "weight-for-age"
    newest = found_in(world.get(f"/citizens/{girl.id}/access-log?limit=1", mother))["items"][0]
    assert newest["action"] == "record:searched"
    assert found_in(made.read(session, path=f"/{one['id']}"))["resource"]["id"] == "o1"
    assert granted(made, session, "weight").status_code == 404
    assert granted(made, session, WEIGHT, "?from=2026-02-02").get_json(force=True)["items"] == []
    assert granted(made, "x", WEIGHT).status_code == 403


def test_a_consent_that_covers_no_measurements_shows_none_and_one_that_ended_nothing(world: World) -> None:
    an, author, doctor = world.person(born=date(2001, 5, 4)), world.doctor(), world.doctor()
    sent = [measured(f"o{n}", WEIGHT, "2002-05-04", **quantity(9)) for n in range(3)]
    world.send(author, bundle(an, *sent))
    narrow = world.grant(world.doctor(), an, categories=["condition"])
    page = found_in(granted(narrow, narrow.session(), WEIGHT))
    assert page["items"] == []
    made = world.grant(doctor, an, categories=["vital_sign"])
    session = made.session()
    first = found_in(granted(made, session, WEIGHT, "?limit=2"))
    assert len(first["items"]) == 2
    more = f"?limit=2&cursor={first['next_cursor']}"
    assert len(found_in(granted(made, session, WEIGHT, more))["items"]) == 1
    made.withdraw()
    answer = granted(made, session, WEIGHT, more)
    assert (answer.status_code, found_in(answer)["code"]) == (403, "consent_ended")


def test_what_a_check_up_of_a_child_and_a_parent_at_home_measured_has_a_place(world: World) -> None:
    kinds = (*READS, "document", "checkup")
    mother, station = world.person(), may_push(world, world.doctor(reads=kinds, writes=kinds))
    girl = world.child_of(mother, date(2025, 11, 1))
    occasion = OCCASION | {"DOI_TUONG": "1", "TYPE": "Child"}
    body = {"CHIEU_DAI": "74", "CAN_NANG": "8,9", "VONG_DAU": "44.9", "CHIEU_DAI_TUOI_SD": "0"}
    told = parts_of(girl, XML2=occasion, XML4=body, XML7={}, XML9={}, XML10={}, XML11=[])
    raw = message_of(file_of(told))
    sent = world.post("/provider/intake/checkups", station, raw=raw, kind="application/json")
    assert sent.status_code == 202, sent.get_data(as_text=True)
    for code, z in ((WEIGHT, -0.05), (LENGTH, 0), (HEAD, 0)):
        (one,) = series(world, mother, code, "", girl.id)["items"]
        assert one["age_days"] == 365 and abs(one["growth"]["z"] - z) <= 0.05, one
        assert one["self_reported"] is False
    said = {"kind": "body_weight", "occurred_on": "2026-11-02", "value": 9}
    assert world.post(f"/citizens/{girl.id}/records", mother, said).status_code == 201
    newest = series(world, mother, WEIGHT, "", girl.id)["items"][0]
    assert newest["self_reported"] is True and newest["growth"]["side"] == "within_2"
