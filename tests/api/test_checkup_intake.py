"""Check-ups over HTTP: signed as they were sent, kept for the right person, closed where the law closes."""

from __future__ import annotations

import base64
import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checkup_messages import (
    BODY,
    CONCLUSION,
    EXAMINED,
    KEY,
    OCCASION,
    RESULTS,
    file_of,
    may_push,
    message_of,
    parts_of,
    rsa_key,
)
from tests.world import READS, Doctor, Json, Person, World, found_in
from wallet_api.records.checkups.message import _members
from wallet_api.records.labels import UNKNOWN

PATH = "/provider/intake/checkups"
KINDS = (*READS, "document", "checkup", "vital_sign", "lab_result")


@pytest.fixture(scope="module")
def station(shared_world: World) -> Doctor:
    return may_push(shared_world, shared_world.doctor(reads=KINDS, writes=KINDS))


@pytest.fixture
def an(world: World) -> Person:
    return world.person()


def send(world: World, doctor: Doctor, raw: bytes, **headers: str) -> Any:
    return world.post(PATH, doctor, raw=raw, kind="application/json", headers=headers)


def taken(world: World, doctor: Doctor, *told: Any) -> list[Json]:
    answer = send(world, doctor, message_of(file_of(*told)))
    assert answer.status_code == 202, answer.get_data(as_text=True)
    return list(found_in(answer)["items"])


def book(world: World, person: Person) -> list[Json]:
    return list(found_in(world.get("/citizens/me/records?limit=100", person))["items"])


def texts(records: list[Json]) -> str:
    """All papers, unpacked."""
    packed = (
        each["resource"]["content"][0]["attachment"]["data"]
        for each in records
        if each["resource"]["resourceType"] == "DocumentReference"
    )
    return "\n".join(base64.b64decode(each).decode() for each in packed)


def test_a_check_up_is_lost_or_more_kept_than_the_book_needs(
    world: World, station: Doctor, an: Person
) -> None:
    (report,) = taken(world, station, parts_of(an))
    assert (report["format"], report["rejected"]) == ("check-up-xml", 0), report["rows"]
    records = book(world, an)
    assert Counter((each["resource"]["resourceType"], each["category"]) for each in records) == {
        ("Encounter", "checkup"): 1,
        ("Condition", "condition"): 2,
        ("Observation", "vital_sign"): 5,
        ("Observation", "lab_result"): 2,
        ("Observation", "checkup"): 1,
        ("DiagnosticReport", "lab_result"): 1,
        ("DocumentReference", "document"): 6,
    }
    assert {each["occurred_on"] for each in records} == {"2026-11-01"}
    kept = json.dumps(records, ensure_ascii=False) + texts(records)
    for never in ("NGƯỜI THỬ", "0900000000", "chữ ký", "NGUON_CHI_TRA"):
        assert never not in kept
    assert "Tăng huyết áp: có" in kept and "Phân loại mắt: loại II (khỏe)" in kept
    values = {
        each["resource"]["code"]["text"]: each["resource"] for each in records if "code" in each["resource"]
    }
    assert values["Cân nặng (kg)"]["valueQuantity"] == {
        "value": 72.5,
        "unit": "kg",
        "system": "http://unitsofmeasure.org",
        "code": "kg",
    }
    assert [each["valueQuantity"]["value"] for each in values["Huyết áp"]["component"]] == [134, 84]
    assert values["Phân loại sức khỏe"]["valueCodeableConcept"]["text"] == "loại III (trung bình)"
    assert values["GLUCOSE"]["valueQuantity"]["value"] == 5.9


def test_what_somebody_remembers_becomes_a_dose(world: World, station: Doctor, an: Person) -> None:
    taken(world, station, parts_of(an))
    assert all(each["category"] != "immunization" for each in book(world, an))
    assert "Sởi: được tiêm" in texts(book(world, an))


def test_a_finding_that_is_closed_closes_what_is_not_or_is_shown(
    world: World, station: Doctor, an: Person
) -> None:
    taken(world, station, parts_of(an))
    closed = {label for each in book(world, an) for label in each["labels"]}
    assert closed == {"PSY", "ETH", "TB"}
    reader = world.doctor(reads=KINDS)
    made = world.grant(reader, an, categories=list(KINDS))
    seen = list(found_in(made.read(made.session()))["items"])
    assert len(seen) == len(book(world, an)) - 3 and not any(each["labels"] for each in seen)
    assert "Lo âu" not in texts(seen) and "Ma túy" not in texts(seen) and "Rì rào" in texts(seen)


def test_a_disease_that_is_closed_leaves_a_part_of_the_check_up_open(
    world: World, station: Doctor, an: Person
) -> None:
    for place, told in (
        ("XML12", dict(CONCLUSION, KET_LUAN_BENH="B20")),
        ("XML9", {"TSBT_MA_BENH": "I10; B20.1"}),
        ("XML12", dict(CONCLUSION, CAC_BENH_TAT_NEU_CO="nhiễm b24")),
    ):
        person = world.person()
        taken(world, station, parts_of(person, **{place: told}))
        assert all("HIV" in each["labels"] for each in book(world, person)), place
    person = world.person()
    taken(world, station, parts_of(person, XML12=dict(CONCLUSION, KET_LUAN_BENH="Ä\u0090au")))
    assert all(UNKNOWN in each["labels"] for each in book(world, person)), "nobody knows what it said"


@pytest.mark.parametrize("wrapped", [True, False])
def test_either_reading_of_the_data_is_refused(
    world: World, station: Doctor, an: Person, wrapped: bool
) -> None:
    answer = send(world, station, message_of(file_of(parts_of(an)), wrapped=wrapped))
    assert answer.status_code == 202 and len(book(world, an)) == 18


def test_a_changed_message_or_a_strangers_is_taken(world: World, station: Doctor, an: Person) -> None:
    good = message_of(file_of(parts_of(an)))
    told = json.loads(good)
    flipped = "B" if told["data"]["file_content"][40] != "B" else "C"
    content = told["data"]["file_content"]
    wrong = {
        "header": good.replace(b'"1.0.6"', b'"1.0.7"'),
        "blank in the header": good.replace(b'"version":', b'"version": '),
        "data": good.replace(content.encode(), (content[:40] + flipped + content[41:]).encode()),
        "signature": json.dumps(told | {"signature": base64.b64encode(b"x" * 256).decode()}).encode(),
        "no signature": json.dumps(told | {"signature": ""}).encode(),
        "a number": json.dumps(told | {"signature": 1}).encode(),
        "laid out otherwise": json.dumps(told, indent=1).encode(),
        "another key": message_of(file_of(parts_of(an)), rsa_key(3072)),
    }
    for what, raw in wrong.items():
        answer = send(world, station, raw)
        assert answer.status_code == 422, what
        assert found_in(answer)["errors"][0]["code"] == "signature_invalid", what
    stranger = may_push(world, world.doctor(writes=KINDS), rsa_key(3072))
    assert send(world, stranger, good).status_code == 422, "signed by another organisation"
    assert send(world, world.doctor(writes=KINDS), good).status_code == 422, "no key of it is registered"
    assert book(world, an) == []
    assert send(world, station, good).status_code == 202


def test_what_is_no_such_message_is_taken(world: World, station: Doctor, an: Person) -> None:
    raw = file_of(parts_of(an))
    told = json.loads(message_of(raw))
    cases = {
        "not_a_push_message": [b"[]", b"{}", json.dumps(told | {"more": 1}).encode()],
        "part_missing": [json.dumps(told | {"header": "x"}).encode()],
        "push_kind_unknown": [message_of(raw, txn_type="other"), message_of(raw, data_type="pdf/base64")],
        "not_a_visit_file": [message_of(b"<GIAMDINHHS><HOSO/></GIAMDINHHS>")],
        "xml_malformed": [message_of(raw[:-9])],
        "xml_forbidden": [message_of(b'<!DOCTYPE x [<!ENTITY a "b">]><KHAMSUCKHOE>&a;</KHAMSUCKHOE>')],
        "visit_count": [message_of(b"<KHAMSUCKHOE/>")],
    }
    for code, bodies in cases.items():
        for body in bodies:
            answer = send(world, station, body)
            assert (answer.status_code, found_in(answer)["errors"][0]["code"]) == (422, code), body[:80]
    assert send(world, station, b"\xff").status_code == 400
    assert world.post(PATH, station, raw=raw, kind="application/xml").status_code == 415
    assert book(world, an) == []


def test_sending_again_doubles_or_a_correction_is_lost(world: World, station: Doctor, an: Person) -> None:
    first = parts_of(an)
    turned = dict(reversed(parts_of(an, XML11=tuple(reversed(RESULTS))).items()))
    taken(world, station, first)
    taken(world, station, turned)
    assert len(book(world, an)) == 18 and {each["version"] for each in book(world, an)} == {1}
    taken(world, station, parts_of(an, XML10=dict(BODY, CAN_NANG="71")))
    (weight,) = (
        each for each in book(world, an) if each["resource"].get("code", {}).get("text") == "Cân nặng (kg)"
    )
    assert (weight["version"], weight["resource"]["valueQuantity"]["value"]) == (2, 71)
    assert sum(each["version"] for each in book(world, an)) == 19


def test_a_check_up_lands_on_somebody_it_does_not_name(world: World, station: Doctor, an: Person) -> None:
    head = parts_of(an)["XML1"]
    assert isinstance(head, dict)
    wrong: dict[str, Any] = {
        "checkup_head_needed": {"XML2": ()},
        "visit_key_needed": {"XML2": dict(OCCASION, MA_LK="")},
        "text_too_long": {"XML2": dict(OCCASION, MA_LK="7" * 1001)},
        "birth_date_needed": {"XML1": dict(head, NGAY_SINH="")},
        "date_unreadable": {"XML1": dict(head, NGAY_SINH="31121990")},
    }
    for code, over in wrong.items():
        (report,) = taken(world, station, parts_of(an, **over))
        assert code in {each["code"] for each in report["rows"]}, report
    for number in ("", "012345678", "B1234567", "00119099900１"):
        taken(world, station, parts_of(an, XML1=dict(head, SO_CCCD=number)))
    taken(world, station, parts_of(an, XML1=dict(head, NGAY_SINH="19000101")))
    assert book(world, an) == []


def test_one_bad_element_takes_the_rest_along(world: World, station: Doctor, an: Person) -> None:
    examined = dict(EXAMINED, NOI_KHOA_HO_HAP="Ã¡Ã©")
    results = ({"MA_CHI_SO": "X"}, *RESULTS)
    (report,) = taken(world, station, parts_of(an, XML7=examined, XML11=results, XML99={"LA": "1"}))
    told = {each["pointer"]: each["code"] for each in report["rows"] if each["code"] != "accepted"}
    assert told == {
        "/HOSO/0/XML7/0/NOI_KHOA_HO_HAP": "text_garbled",
        "/HOSO/0/XML11/0": "result_missing",
        "/HOSO/0/XML99": "table_not_kept",
    }
    assert len(book(world, an)) == 18


def test_two_check_ups_under_one_key_are_one(world: World, station: Doctor, an: Person) -> None:
    other = parts_of(an, XML2=dict(OCCASION, NGAY_VAO="202611020730"))
    first, second = taken(world, station, parts_of(an), other)
    assert first["rejected"] == 0 and second["rows"][0]["code"] == "repeated_source_id"
    assert len(book(world, an)) == 18
    binh = world.person()
    taken(world, station, parts_of(an), parts_of(binh))
    assert len(book(world, binh)) == 18, f"{KEY} of two people is two check-ups"


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists),
        max_size=4,
    ),
    st.sampled_from([None, 0, 2]),
)
def test_the_members_of_a_message_are_found_as_they_are_written(
    told: dict[str, Any], indent: int | None
) -> None:
    text = json.dumps(told, indent=indent, ensure_ascii=indent is None)
    found = _members(text)
    assert {name: json.loads(part) for name, part in found.items()} == told
    assert all(part in text and part == part.strip() for part in found.values())
