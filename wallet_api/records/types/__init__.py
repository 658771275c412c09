"""Record types: one module each, found by being in this folder.

A module sets `TYPE`. Intake, timeline, consent scopes and documents read this registry; a test refuses
a category that no code list names.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Any

Resource = Mapping[str, Any]


@dataclass(frozen=True)
class Fault:
    """Why a resource cannot be taken in: where (JSON pointer within the resource), a code, and a sentence
    where the code's own does not do."""

    pointer: str
    code: str
    message: str = ""


@dataclass(frozen=True)
class RecordType:
    """How one FHIR resource type becomes records.

    `category` picks the category of a valid resource, `occurred` the date text it is filed under (None
    when it has none), `faults` checks the codes that the FHIR structure alone does not demand. `lasting`: it
    holds until told otherwise, so without a date of its own it holds on the day of the document telling it.
    """

    resource_type: str
    category: Callable[[Resource], str]
    occurred: Callable[[Resource], str | None]
    faults: Callable[[Resource], list[Fault]]
    subject: str = "subject"
    lasting: bool = False


@cache
def record_types() -> Mapping[str, RecordType]:
    """Every record type by FHIR resource type."""
    found: dict[str, RecordType] = {}
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            kind: RecordType = import_module(f"{__name__}.{module.name}").TYPE
            found[kind.resource_type] = kind
    return MappingProxyType(found)
