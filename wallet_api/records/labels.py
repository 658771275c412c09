"""Sensitivity labels: what the sender says, plus what law restricts by default, found by code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from wallet_api.records.types import Resource, type_of

_ICD10 = re.compile(
    r"https?://.*/icd-10(?!-pcs)(-[a-z]{2,4})?|urn:oid:2\.16\.840\.1\.113883\.6\.(3|90)", re.I
)
"""ICD-10 and its national editions, which agree on what the rules ask for."""
_LOINC = "http://loinc.org"
_SNOMED = "http://snomed.info/sct"
_ORDINARY = frozenset({"N", "L", "M", "U"})
UNKNOWN = "R"
"""For a sender's own sensitivity code: nobody is ever granted it, so it stays with the citizen."""


def labels_of(resource: Resource, known: frozenset[str]) -> frozenset[str]:
    """The labels of a resource.

    A sensitivity code that no list of ours knows becomes `UNKNOWN`: unknown means closed, not open.
    """
    said = {str(tag.get("code", "")) for each in _with_contained(resource) for tag in _tags(each)}
    labels = {code if code in known else UNKNOWN for code in said - _ORDINARY if code}
    kind = type_of(resource)
    labels |= kind.labels(resource) if kind is not None else frozenset()
    for system, code in _all_codings(resource):
        labels |= _labels_of_code(system, code)
    return frozenset(labels)


def _with_contained(resource: Resource) -> Iterator[Resource]:
    yield resource
    yield from (each for each in resource.get("contained") or () if isinstance(each, Mapping))


def _tags(resource: Resource) -> list[Mapping[str, Any]]:
    return (resource.get("meta") or {}).get("security") or []


@lru_cache(maxsize=4096)
def _labels_of_code(system: str, code: str) -> frozenset[str]:
    return frozenset(rule.label for rule in _rules() if _hit(system, code, rule))


def _hit(system: str, code: str, rule: _Rule) -> bool:
    if _ICD10.fullmatch(system):
        return code.replace(".", "").upper().startswith(rule.icd10)
    return code in rule.exact.get(system.partition("|")[0], ())


@dataclass(frozen=True)
class _Rule:
    label: str
    icd10: tuple[str, ...]
    exact: Mapping[str, frozenset[str]]


@cache
def _rules() -> tuple[_Rule, ...]:
    raw = json.loads(files(__package__).joinpath("labels.json").read_text(encoding="utf-8"))
    return tuple(
        _Rule(
            rule["label"],
            tuple(rule["icd10"]),
            {_LOINC: frozenset(rule["loinc"]), _SNOMED: frozenset(rule["snomed"])},
        )
        for rule in raw["rules"]
    )


def _all_codings(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        if isinstance(value.get("system"), str) and isinstance(value.get("code"), str):
            yield value["system"], value["code"]
        for each in value.values():
            yield from _all_codings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _all_codings(each)
