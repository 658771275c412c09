"""The front page: what stands on it, for whom, and that it costs no more for a large book."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.checkup_messages import file_of, may_push, message_of, parts_of
from tests.fhir import labelled
from tests.listening import Operations
from tests.pages.resources import allergy, blood_group, clinical, medicine, visit
from tests.world import Json, Person, World, bundle, condition, found_in, immunization


def front(world: World, as_: Person, whose: str = "me") -> Json:
    answer = world.get(f"/citizens/{whose}/summary", as_)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return found_in(answer)


def names(page: Json, section: str) -> list[str]:
    return [each["name"] for each in page["sections"][section]["lines"]]


def test_the_front_page_of_an_empty_book(world: World) -> None:
    an = world.person()
    page = front(world, an)
    assert (page["id"], page["name"], page["birth_date"]) == (an.id, an.name, an.born.isoformat())
    assert all(each == {"lines": [], "more": False} for each in page["sections"].values())


def test_each_section_has_what_stands_now_with_where_it_comes_from(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    supply = {"dispenseRequest": {"expectedSupplyDuration": {"value": 30, "unit": "d", "code": "d"}}}
    world.send(
        doctor,
        bundle(
            an,
            blood_group(),
            allergy(),
            condition("c1", "E11.9", "2019"),
            condition("c2", "J20.9", "2026-09-01", **clinical("resolved")),
            medicine("m1", "Metformin", on="2026-10-20", **supply),
            medicine("m2", "Amoxicillin", on="2026-01-01"),
            medicine("m3", "Amlodipin", on="2020-01-01", status="active"),
            visit(),
            visit("v2", on="2026-12-01", status="planned"),
            immunization(on="2026-02"),
        ),
    )
    page = front(world, an)
    found = {name: names(page, name) for name in page["sections"]}
    assert found["blood_group"] == ["882-1"] and found["allergies"] == ["Tôm"]
    assert found["conditions"] == ["E11.9"], "what is over does not stand on the front page"
    assert found["medicines"] == ["Metformin", "Amlodipin"], "lately prescribed, or said to be taken"
    assert found["visits"] == ["Đau lưng"] and found["immunizations"] == ["08"]
    assert [each["day"] for each in page["sections"]["appointments"]["lines"]] == ["2026-12-01"]
    assert [each["day"] for each in page["sections"]["refills"]["lines"]] == ["2026-11-19"]
    (line,) = page["sections"]["blood_group"]["lines"]
    assert line["found"] == [{"name": None, "value": None, "unit": None, "text": "O+"}]
    assert line["occurred_on"] == "2012" and line["self_reported"] is False
    assert line["source"]["organisation"] == doctor.organisation_id
    assert line["source"]["name_vi"] == "Bệnh viện Thử" and line["source"]["received_at"]
    record = found_in(world.get(f"/citizens/me/records/{line['id']}", an))
    assert record["occurred_on"] == "2012"


def test_of_one_diagnosis_the_newest_record_stands_there(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    sent = [condition(f"c{year}", "I10", f"{year}-03-01") for year in (2024, 2026, 2025)]
    world.send(doctor, bundle(an, *sent))
    (line,) = front(world, an)["sections"]["conditions"]["lines"]
    assert line["day"] == "2026-03-01"
    world.send(doctor, bundle(an, condition("c2026", "I10", "2023-03-01")))  # its day was wrong
    (line,) = front(world, an)["sections"]["conditions"]["lines"]
    assert line["day"] == "2025-03-01"
    world.send(doctor, bundle(an, condition("c9", "I10", "2026-08-01", **clinical("resolved"))))
    assert names(front(world, an), "conditions") == []


def test_what_is_said_to_be_a_strangers_is_as_if_it_had_never_been(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition("old", "I10", "2024-03-01")))
    world.send(doctor, bundle(an, condition("new", "I10", "2026-03-01", **clinical("resolved"))))
    assert front(world, an)["sections"]["conditions"]["lines"] == []
    listed = found_in(world.get("/citizens/me/records", an))["items"]
    (newest,) = (each["id"] for each in listed if each["occurred_on"] == "2026-03-01")
    assert world.post(f"/citizens/me/records/{newest}/not-mine", an).status_code == 200
    (line,) = front(world, an)["sections"]["conditions"]["lines"]
    assert line["day"] == "2024-03-01"


def test_more_tells_of_more(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, *(condition(f"c{n}", f"A0{n}") for n in range(5)), condition("c9", "B00")))
    assert front(world, an)["sections"]["conditions"]["more"] is False
    world.send(doctor, bundle(an, condition("c10", "B01", "2026-10-01")))
    section = front(world, an)["sections"]["conditions"]
    assert section["more"] is True and len(section["lines"]) == 6
    assert section["lines"][0]["codes"][0]["code"] == "B01"


def test_a_guardian_sees_it_as_if_what_is_hidden_had_never_been(world: World) -> None:
    mother, doctor = world.person(), world.doctor()
    girl = world.child_of(mother, world.now().date().replace(year=2011))
    girl = world.signed_in(girl)
    world.send(doctor, bundle(girl, condition("old", "E11", "2020"), allergy()))
    before = front(world, mother, girl.id)
    world.send(doctor, bundle(girl, condition("new", "E11", "2026"), condition("other", "O20", "2026")))
    items = found_in(world.get("/citizens/me/records?category=condition&from=2026-01-01", girl))["items"]
    hide = {"audience": "guardians", "hidden": True}
    for each in items:
        assert (
            world.call("PUT", f"/citizens/me/records/{each['id']}/visibility", girl, hide).status_code == 204
        )
    assert front(world, mother, girl.id)["sections"] == before["sections"]
    assert len(front(world, girl)["sections"]["conditions"]["lines"]) == 2


def test_only_whose_book_it_is_and_who_acts_for_them(world: World) -> None:
    an, stranger, doctor = world.person(), world.person(), world.doctor()
    answers = [world.get(f"/citizens/{whose}/summary", stranger) for whose in (an.id, "a" * 26)]
    assert [each.status_code for each in answers] == [404, 404]
    assert world.get("/citizens/me/summary", doctor).status_code == 403
    assert world.get("/citizens/me/summary").status_code == 401


def test_a_look_at_the_front_page_is_in_the_log(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition(), labelled(condition("c2", "F32"), "PSY")))
    assert [each["labels"] for each in front(world, an)["sections"]["conditions"]["lines"]] != [[], []]
    newest = found_in(world.get("/citizens/me/access-log?limit=1", an))["items"][0]
    assert (newest["action"], newest["record_count"]) == ("record:searched", 2)
    assert newest["categories"] == ["condition"]


def test_a_large_book_is_not_read_for_its_front_page(world: World, operations: Operations) -> None:
    an, doctor = world.person(), world.doctor()
    months = [f"20{10 + n // 12}-{n % 12 + 1:02d}" for n in range(60)]
    many = [condition(f"c{n}", f"A{n % 30:02d}", f"{month}-01") for n, month in enumerate(months)]
    world.send(doctor, bundle(an, *many))
    with operations.heard() as commands:
        assert len(front(world, an)["sections"]["conditions"]["lines"]) == 6
    counted, asked = (each["pipeline"] for each in commands if each.get("aggregate") == "records")
    assert isinstance(counted[0]["$match"]["_id"], str), (
        "what is not shown: the first of it alone is asked about"
    )
    assert "$group" in counted[-1] and len(asked[0]["$match"]["_id"]["$in"]) == 6
    with operations.heard() as commands:
        assert len(found_in(world.get("/citizens/me/records?limit=5", an))["items"]) == 5
    (asked,) = [each["pipeline"][0]["$match"] for each in commands if each.get("aggregate") == "records"]
    assert world.db["records"].count_documents(asked) < 20, "a page reads as much of the book as it needs"


def test_a_book_without_a_front_page_is_read_whole_and_gets_one(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition("c1", "E11", "2020"), allergy()))
    with_one = front(world, an)["sections"]
    world.db["book_fronts"].delete_one({"_id": an.id})
    assert front(world, an)["sections"] == with_one
    world.send(doctor, bundle(an, condition("c2", "I10")))
    assert names(front(world, an), "conditions") == ["I10", "E11"]
    assert world.db["book_fronts"].find_one({"_id": an.id})["months"] == {
        "2020-01": 1,
        "2024-05": 1,
        "2026-03": 1,
    }


def test_what_many_send_at_once_stands_on_the_front_page(world: World) -> None:
    an, doctors = world.person(), [world.doctor() for _ in range(6)]
    tokens = [each.token for each in doctors]
    path = "/provider/intake/fhir-bundles"

    def send(number: int) -> int:
        sent = bundle(an, condition("c", f"A0{number}"))
        return world.post(path, tokens[number], sent, kind="application/fhir+json").status_code

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(send, range(6))) == [202] * 6
    codes = sorted(each["codes"][0]["code"] for each in front(world, an)["sections"]["conditions"]["lines"])
    assert codes == [f"A0{number}" for number in range(6)]


def test_a_check_up_stands_there_with_its_class(world: World) -> None:
    an, kinds = world.person(), ("checkup", "condition", "document", "lab_result", "vital_sign")
    station = may_push(world, world.doctor(reads=kinds, writes=kinds))
    sent = message_of(file_of(parts_of(an)))
    answer = world.post("/provider/intake/checkups", station, raw=sent, kind="application/json")
    assert answer.status_code == 202, answer.get_data(as_text=True)
    found = front(world, an)["sections"]
    assert [each["name"] for each in found["checkup_class"]["lines"]] == ["Phân loại sức khỏe"]
    (value,) = found["checkup_class"]["lines"][0]["found"]
    assert value["text"]
    assert len(found["checkups"]["lines"]) == 1, "findings are no check-ups"
