"""A visit and everything recorded in it, found by how its parts name it. Pure.

One visit may come from several sources: as a FHIR bundle, as a file for the health insurance, as a check-up.
Of one organisation and day those are shown as one that carry the same key (MA_LK), or that are the only ones
of their formats. Nothing of that is stored: each stays a record of its own, and whoever asks may have them
apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wallet_api.records.model import Record
from wallet_api.records.types import Resource

_DAY: Final = len("2026-11-03")
_REFERENCE: Final = "reference"
Key = tuple[str, str]


@dataclass(frozen=True)
class Visit:
    """One visit: the records that tell of it as a whole, and what was recorded in it, newest first."""

    visits: tuple[Record, ...]
    parts: tuple[tuple[str, Record], ...]
    """Each with the id of the visit record that it names."""

    @property
    def records(self) -> list[Record]:
        """Everything that is shown."""
        return [*self.visits, *(part for _, part in self.parts)]


def is_visit(record: Record) -> bool:
    """Whether a record tells of a visit as a whole."""
    return record.resource.get("resourceType") == "Encounter"


def visit_of(visit: Record, written: Sequence[Record], *, together: bool) -> Visit:
    """The visit of a record, out of all that its organisation wrote and the reader may see."""
    same = [visit, *(_same_visit(visit, written) if together else ())]
    found: dict[str, tuple[str, Record]] = {}
    for each in same:
        keys = set(_keys_of(each.resource))
        for part in written:
            if part.source.format == each.source.format and keys & set(_named_by(part.resource)):
                found[part.id] = (each.id, part)
    parts = sorted(found.values(), key=lambda one: _place(one[1]), reverse=True)
    return Visit(tuple(same), tuple(parts))


def _same_visit(visit: Record, written: Sequence[Record]) -> list[Record]:
    """What other sources tell of the same visit: only where no other can be meant."""
    if len(visit.occurred_on.text) < _DAY:
        return []
    by_format: dict[str, list[Record]] = {}
    for each in written:
        if is_visit(each) and each.occurred_on == visit.occurred_on and not _void(each):
            by_format.setdefault(each.source.format, []).append(each)
    mine = by_format.pop(visit.source.format, [])
    others = (_partner(visit, mine, each) for _, each in sorted(by_format.items()))
    return [each for each in others if each is not None]


def _partner(visit: Record, mine: Sequence[Record], theirs: Sequence[Record]) -> Record | None:
    """The one of another format that is the same visit: by its key where one has it, else as the only one."""
    named = [each for each in theirs if _numbers(each) & _numbers(visit)]
    if named:
        rivals = [each for each in mine if _numbers(each) & _numbers(named[0])]
        return named[0] if len(named) == len(rivals) == 1 else None
    return theirs[0] if len(mine) == len(theirs) == 1 else None


def _numbers(visit: Record) -> set[str]:
    """The values of a visit's identifiers: each format has a system of its own for the same key."""
    return {value for system, value in _keys_of(visit.resource) if system != _REFERENCE}


def _void(visit: Record) -> bool:
    return visit.resource.get("status") == "entered-in-error"


def _keys_of(resource: Resource) -> Iterator[Key]:
    """The names by which parts may call a visit."""
    if resource.get("id"):
        yield _REFERENCE, f"Encounter/{resource['id']}"
    for each in resource.get("identifier") or ():
        if each.get("value"):
            yield str(each.get("system", "")), str(each["value"])


def _named_by(resource: Resource) -> Iterator[Key]:
    """The visits that a resource names."""
    context = resource.get("context")
    within = context if isinstance(context, Mapping) else {}
    told: list[Any] = [
        resource.get("encounter"),
        *_list(within.get("encounter")),
        *_list(within.get("related")),
    ]
    for each in told:
        if isinstance(each, Mapping):
            yield _REFERENCE, str(each.get("reference", ""))
            named = each.get("identifier") or {}
            yield str(named.get("system", "")), str(named.get("value", ""))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _place(record: Record) -> tuple[str, str]:
    return record.occurred_on.first_day.isoformat(), record.id
