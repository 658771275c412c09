"""Fourteen real patient summaries come in: no entry of any is lost without a word."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.ips.vectors import ABSENT, about, documents
from tests.world import Json, World, found_in

ALL = (
    "immunization",
    "visit",
    "condition",
    "allergy",
    "medication",
    "lab_result",
    "vital_sign",
    "procedure",
    "imaging",
    "checkup",
    "document",
    "pregnancy",
)
REFUSED = {
    "date_missing",
    "no_information",
    "other_patient",
    "other_subject",
    "repeated_source_id",
    "structure_invalid",
    "type_not_kept",
    "unknown_modifier",
}
"""Why an entry of these documents may be refused: anything else would be new to whoever reads this."""

pytestmark = pytest.mark.skipif(not documents(), reason=ABSENT)


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.stem)
def test_an_entry_of_a_document_is_lost_without_a_word(world: World, path: Path) -> None:
    an, doctor = world.person(), world.doctor(writes=ALL)
    sent = about(path, an)
    report = world.send(doctor, sent)
    codes = Counter(row["code"] for row in report["rows"])
    kept, counts = report["accepted"], [report[each] for each in ("mapped", "unused", "rejected")]
    print(f"{path.name}: {len(sent['entry'])} entries, {kept} kept,", end=" ")
    print("{} mapped, {} unused, {} refused;".format(*counts), dict(codes))
    assert kept + sum(counts) == len(sent["entry"])
    assert [row["index"] for row in report["rows"]] == list(range(len(sent["entry"])))
    assert {row["code"] for row in report["rows"] if not row["accepted"]} <= REFUSED
    assert all(row["message"] for row in report["rows"] if row["code"] != "accepted")
    assert kept, "every one of these documents tells of something"
    book = found_in(world.get("/citizens/me/records?limit=100", an))["items"]
    assert len(book) == min(kept, 100)
    for record in book:
        check_record(record["resource"])
    assert world.send(doctor, sent) | {"id": "", "received_at": ""} == report | {"id": "", "received_at": ""}
    assert world.db["records"].count_documents({"citizen_id": an.id}) == kept


def check_record(resource: Json) -> None:
    """A record can be read alone: no narrative of others, and what it contains is there."""
    assert not any("div" in each for each in narratives(resource))
    inside = {each["id"] for each in resource.get("contained", ())}
    local = {each[1:] for each in references(resource) if each.startswith("#")}
    assert local <= inside, resource["resourceType"]
    if resource["resourceType"] == "MedicationStatement" and "medicationReference" in resource:
        assert resource["medicationReference"]["reference"].startswith("#")


def narratives(value: object) -> list[Json]:
    """Every `text` that is no plain text or concept."""
    if isinstance(value, list):
        return [found for each in value for found in narratives(each)]
    if not isinstance(value, dict):
        return []
    own = [value["text"]] if isinstance(value.get("text"), dict) else []
    return own + [found for each in value.values() for found in narratives(each)]


def references(value: object) -> list[str]:
    """Every literal reference in a resource."""
    if isinstance(value, list):
        return [found for each in value for found in references(each)]
    if not isinstance(value, dict):
        return []
    own = [value["reference"]] if isinstance(value.get("reference"), str) else []
    return own + [found for each in value.values() for found in references(each)]
