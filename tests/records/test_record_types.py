"""Record types: everything about one is in its file, and a new file is all that a new type needs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from consent.codes import CATEGORIES, LABELS
from tests.fhir import LOINC, bundle, condition, observation
from tests.pages.resources import medicine, visit
from tests.world import Json, Person, World, found_in
from wallet_api.records import types
from wallet_api.records.types import RecordType, record_types, type_of
from wallet_api.records.words import line_of

SNOMED = "http://snomed.info/sct"
HEARING = '''
"""Hearing tests."""

from wallet_api.records.types import RecordType, Words, observation
from wallet_api.records.types._fields import always, codings

TYPE = RecordType(
    "Observation",
    always("checkup"),
    observation.TYPE.occurred,
    observation.TYPE.faults,
    Words("Đo thính lực", "Hearing test"),
    frozenset({"checkup"}),
    name="Observation.hearing",
    claims=lambda resource: ("http://loinc.org", "89024-4") in codings(resource.get("code")),
    place=lambda resource: Words("hai tai", "both ears"),
    labels=lambda resource: frozenset({"PSY"}),
    kept=lambda resource: {name: value for name, value in resource.items() if name != "note"},
    measured=True,
)
'''
SHAPES: tuple[Json, ...] = (
    {},
    {"category": [{"coding": [{"system": "x", "code": "vital-signs"}]}]},
    {"category": [{"coding": [{"system": "x", "code": "exam"}]}], "type": [{}]},
    {"bodySite": {}, "component": [{}], "reasonCode": [{}], "code": {}},
)


@pytest.fixture
def hearing(tmp_path: Path) -> Iterator[None]:
    """One file more in the folder of record types, for the time of a test."""
    (tmp_path / "hearing.py").write_text(HEARING, encoding="utf-8")
    types.__path__.append(str(tmp_path))
    record_types.cache_clear()
    yield
    types.__path__.remove(str(tmp_path))
    sys.modules.pop(f"{types.__name__}.hearing", None)
    record_types.cache_clear()


@pytest.mark.parametrize("kind", record_types().values(), ids=record_types().keys())
def test_a_type_says_all_that_depends_on_it(kind: RecordType) -> None:
    assert kind.called.vi and kind.called.en and kind.called.vi != kind.called.en
    assert kind.categories and all(each in CATEGORIES for each in kind.categories)
    for shape in SHAPES:
        resource = {"resourceType": kind.resource_type} | shape
        assert kind.category(resource) in kind.categories, shape
        assert kind.labels(resource) <= set(LABELS.codes)
        assert kind.claims is None or kind.claims(resource) is False, "it claims what is nobody's"
        assert kind.kept(resource).keys() <= resource.keys()
        back = kind.in_error(resource)
        assert "entered-in-error" in str(back) and kind.in_error(back) == back
        assert line_of(resource).vi or type_of(resource) is None


def test_every_file_of_the_folder_is_a_type() -> None:
    files = {each.stem for each in Path(types.__file__).parent.glob("[!_]*.py")}
    made = {sys.modules[f"{types.__name__}.{name}"] for name in files}
    found = [kind for module in made for kind in getattr(module, "TYPES", None) or (module.TYPE,)]
    assert len(found) == len(record_types()), "two types have one name"


def heard(**over: object) -> Json:
    code = {"coding": [{"system": LOINC, "code": "89024-4"}], "text": "Thính lực"}
    value = {"valueQuantity": {"value": 20, "unit": "dB"}}
    return observation("h1", code=code, note=[{"text": "x"}], **value, **over)


@pytest.mark.usefixtures("hearing")
def test_one_new_file_is_taken_in_filed_told_and_closed(world: World) -> None:
    an, doctor = world.person(), world.doctor(writes=("checkup",), reads=("checkup",))
    assert world.send(doctor, bundle(an, heard(), observation("o2")))["accepted"] == 1
    (shown,) = found_in(world.get("/citizens/me/records?category=checkup", an))["items"]
    assert shown["line_vi"] == "Đo thính lực, hai tai: Thính lực 20 dB"
    assert shown["line_en"] == "Hearing test, both ears: Thính lực 20 dB"
    assert shown["labels"] == ["PSY"] and "note" not in shown["resource"]
    series = found_in(world.get("/citizens/me/series/89024-4", an))["items"]
    assert [each["value"] for each in series] == [20]
    assert type_of({"resourceType": "Observation", "code": {}}) is record_types()["Observation"]


def test_without_its_file_it_is_an_ordinary_result(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, heard()))
    (shown,) = found_in(world.get("/citizens/me/records", an))["items"]
    assert (shown["category"], shown["labels"]) == ("lab_result", [])
    assert shown["line_vi"] == "Kết quả: Thính lực 20 dB"


def test_lines_name_what_a_record_is_in_two_languages(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    tension = {
        "coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10"}],
        "text": "Tăng huyết áp",
    }
    world.send(doctor, bundle(an, condition(code=tension), medicine(), visit()))
    told = {
        (each["line_vi"], each["line_en"])
        for each in found_in(world.get("/citizens/me/records", an))["items"]
    }
    assert told == {
        ("Chẩn đoán: Tăng huyết áp", "Diagnosis: Tăng huyết áp"),
        ("Đơn thuốc: Metformin", "Prescription: Metformin"),
        ("Lượt khám: Đau lưng", "Visit: Đau lưng"),
    }
    front = found_in(world.get("/citizens/me/summary", an))["sections"]["medicines"]["lines"]
    assert [each["line_vi"] for each in front] == ["Đơn thuốc: Metformin"]


def test_a_type_of_the_book_is_called_by_its_own_name_alone() -> None:
    line = line_of({"resourceType": "Basic"})
    assert (line.vi, line.en) == ("", "")


def of(world: World, who: Person, category: str) -> list[Json]:
    return list(found_in(world.get(f"/citizens/me/records?category={category}", who))["items"])
