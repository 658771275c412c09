"""Real patient summaries of many countries, from the folder that WALLET_VECTORS_DIR names."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.fhir import Known
from tests.world import Json
from wallet_api.records.bundle import NATIONAL_ID
from wallet_api.records.neighbours import Neighbours

FOLDER = os.environ.get("WALLET_VECTORS_DIR", "")
ABSENT = "WALLET_VECTORS_DIR names no folder with `ips`: the patient summaries are not read"


def documents() -> list[Path]:
    """The documents that are there."""
    return sorted((Path(FOLDER) / "ips").glob("*.json")) if FOLDER else []


def about(path: Path, person: Known) -> Json:
    """A document as it is, but for its patient's number and birth date: those of a synthetic person."""
    document: Json = json.loads(path.read_text(encoding="utf-8"))
    entries = document["entry"]
    subject = entries[0]["resource"]["subject"]["reference"]
    at = Neighbours(entries).find(subject)
    assert at is not None, "a document names its patient"
    entries[at]["resource"] |= {
        "identifier": [{"system": NATIONAL_ID, "value": person.number}],
        "birthDate": person.born.isoformat(),
    }
    return document
