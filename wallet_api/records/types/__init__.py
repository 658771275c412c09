"""Record types: one module each, found by being in this folder.

A module sets `TYPE`, or `TYPES` where one kind of care comes as several FHIR resource types. Everything that
depends on what a record is reads this registry: intake (what is taken, filed where, closed by which labels,
kept without what), timeline (the line that tells of it), series, shares and corrections. A test refuses a
type that leaves something out and a category that no code list names.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Any, NamedTuple

Resource = Mapping[str, Any]


class Words(NamedTuple):
    """The same in Vietnamese and in English."""

    vi: str
    en: str


@dataclass(frozen=True)
class Fault:
    """Why a resource cannot be taken in: where (JSON pointer within the resource), a code, and a sentence
    where the code's own does not do."""

    pointer: str
    code: str
    message: str = ""


def _code(resource: Resource) -> Mapping[str, Any]:
    found = resource.get("code")
    return found if isinstance(found, Mapping) else {}


def _no_labels(resource: Resource) -> frozenset[str]:
    return frozenset()


def _as_it_is(resource: Resource) -> Resource:
    return resource


def _status_in_error(resource: Resource) -> Resource:
    return {**resource, "status": "entered-in-error"}


@dataclass(frozen=True)
class RecordType:
    """How resources of one FHIR type, or some of them, become records.

    `category` picks the category of a valid resource, one of `categories`; `occurred` the date text it is
    filed under (None when it has none); `faults` checks the codes that the FHIR structure alone does not
    demand. `lasting`: it holds until told otherwise, so without a date of its own it holds on the day of the
    document telling it.
    """

    resource_type: str
    category: Callable[[Resource], str]
    occurred: Callable[[Resource], str | None]
    faults: Callable[[Resource], list[Fault]]
    called: Words
    """What such a record is called: its line begins with it."""
    categories: frozenset[str]
    subject: str = "subject"
    """The member that says whom it is about."""
    name: str = ""
    """Its own name where it is not all of its FHIR type."""
    claims: Callable[[Resource], bool] | None = None
    """Which valid resources of the FHIR type are its own; None: whatever no other type claims."""
    about: Callable[[Resource], Mapping[str, Any]] = _code
    """The concept it is about: what happened or was found."""
    place: Callable[[Resource], Words | None] = lambda resource: None
    """What its line says before what it is about: a tooth, a week."""
    labels: Callable[[Resource], frozenset[str]] = _no_labels
    """The labels that close it besides those its sender and the law name by code."""
    kept: Callable[[Resource], Resource] = _as_it_is
    """The same without what the book never keeps of it."""
    in_error: Callable[[Resource], Resource] = _status_in_error
    """The same as something that its source took back."""
    measured: bool = False
    """Whether it may be a value of a series."""
    lasting: bool = False

    def __reduce__(self) -> tuple[Callable[[str], RecordType], tuple[str]]:
        """To another process it goes by its name, and is that process's own there."""
        return _named, (self.name or self.resource_type,)


def _named(name: str) -> RecordType:
    return record_types()[name]


@cache
def record_types() -> Mapping[str, RecordType]:
    """Every record type by its own name, else by its FHIR resource type."""
    found: dict[str, RecordType] = {}
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            loaded = import_module(f"{__name__}.{module.name}")
            for kind in getattr(loaded, "TYPES", None) or (loaded.TYPE,):
                found[kind.name or kind.resource_type] = kind
    return MappingProxyType(found)


def type_of(resource: Resource) -> RecordType | None:
    """The type a valid resource belongs to: one that claims it, else that of its FHIR resource type."""
    rest: RecordType | None = None
    for kind in record_types().values():
        if kind.resource_type != resource.get("resourceType"):
            continue
        if kind.claims is None:
            rest = kind
        elif kind.claims(resource):
            return kind
    return rest


def subject_of(resource: Resource) -> str:
    """The member of a resource that says whom it is about."""
    kind = type_of(resource)
    return "subject" if kind is None else kind.subject
