"""Sensitivity labels: what the sender says, plus what law restricts by default, found by code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from wallet_api.records.types import Resource, type_of

_ICD10 = ("http://hl7.org/fhir/sid/icd-10", "http://hl7.org/fhir/sid/icd-10-cm")
_LOINC = "http://loinc.org"
_ORDINARY = frozenset({"N", "L", "M", "U"})
UNKNOWN = "R"
"""For a sender's own sensitivity code: nobody is ever granted it, so it stays with the citizen."""


def labels_of(resource: Resource, known: frozenset[str]) -> frozenset[str]:
    """The labels of a resource.

    A sensitivity code that no list of ours knows becomes `UNKNOWN`: unknown means closed, not open.
    """
    said = {str(tag.get("code", "")) for tag in (resource.get("meta") or {}).get("security") or ()}
    labels = {code if code in known else UNKNOWN for code in said - _ORDINARY if code}
    kind = type_of(resource)
    labels |= kind.labels(resource) if kind is not None else frozenset()
    for system, code in _all_codings(resource):
        labels |= {label for label, prefixes, exact in _rules() if _hit(system, code, prefixes, exact)}
    return frozenset(labels)


def _hit(system: str, code: str, prefixes: tuple[str, ...], exact: frozenset[str]) -> bool:
    if system in _ICD10:
        return code.replace(".", "").upper().startswith(prefixes)
    return system == _LOINC and code in exact


@cache
def _rules() -> tuple[tuple[str, tuple[str, ...], frozenset[str]], ...]:
    raw = json.loads(files(__package__).joinpath("labels.json").read_text(encoding="utf-8"))
    return tuple((rule["label"], tuple(rule["icd10"]), frozenset(rule["loinc"])) for rule in raw["rules"])


def _all_codings(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        if isinstance(value.get("system"), str) and isinstance(value.get("code"), str):
            yield value["system"], value["code"]
        for each in value.values():
            yield from _all_codings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _all_codings(each)
