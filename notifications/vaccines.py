"""Vaccine classes: which antigens a product covers, and which public codes stand for it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files

from notifications.errors import BadProgramme
from notifications.schedule import Vaccine
from notifications.strict import Doc, names, text, texts, title

CVX = "http://hl7.org/fhir/sid/cvx"
ATC = "http://www.whocc.no/atc"
_OWNER = "vaccines"


def read_vaccines(raw: str | bytes) -> Mapping[str, Vaccine]:
    """Read a vaccine file. A code claimed by two classes stops the start-up: it would count by chance."""
    doc = Doc(_OWNER, json.loads(raw))
    doc.take("source", texts)
    found = doc.take("vaccines", lambda rows: [_vaccine(row) for row in rows])
    doc.done()
    codes = [code for vaccine in found for code in (*_pairs(vaccine), ("id", vaccine.id))]
    if len(codes) != len(set(codes)):
        raise BadProgramme(_OWNER, "a code or id is claimed twice")
    return {vaccine.id: vaccine for vaccine in found}


@lru_cache(maxsize=1)
def load_vaccines() -> Mapping[str, Vaccine]:
    """The classes shipped with this package."""
    return read_vaccines(files("notifications").joinpath("vaccines.json").read_bytes())


def vaccine_for(codes: Iterable[tuple[str | None, str | None]]) -> str | None:
    """Class id for (system, code) pairs as in FHIR Immunization.vaccineCode.coding, or None.

    CVX decides before ATC (it names the product more closely), whatever the order of the codings.
    """
    known, index = set(codes), _index()
    for system in (CVX, ATC):
        hits = {index[code] for code in known if code[0] == system and code in index}
        if len(hits) == 1:
            return hits.pop()
    return None


@lru_cache(maxsize=1)
def _index() -> Mapping[tuple[str | None, str | None], str]:
    return {pair: vaccine.id for vaccine in load_vaccines().values() for pair in _pairs(vaccine)}


def _pairs(vaccine: Vaccine) -> list[tuple[str, str]]:
    return [(CVX, code) for code in vaccine.cvx] + [(ATC, code) for code in vaccine.atc]


def _vaccine(row: object) -> Vaccine:
    doc = Doc(_OWNER, row)
    found = Vaccine(
        id=doc.take("id", text),
        title=doc.take("title", title),
        antigens=doc.take("antigens", lambda value: frozenset(texts(value))),
        cvx=tuple(sorted(doc.take("cvx", names))),
        atc=tuple(sorted(doc.take("atc", names))),
    )
    doc.done()
    return found
