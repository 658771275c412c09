"""What the entries of a bundle say of each other: who is meant by a reference, and what goes along with it.

A record stands alone: what it cannot be read without (a medicine, a specimen, a device) is put into it as a
contained resource, and who did it is named by their words. Other records it names keep their own names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from wallet_api.records.types import Fault

Json = dict[str, Any]
CARRIED: Final = frozenset({"Medication", "Specimen", "Device"})
"""What goes into whatever names it."""
NAMED: Final = frozenset({"Practitioner", "PractitionerRole", "Organization", "Location"})
"""What only gives its name."""
SUPPORTING: Final = CARRIED | NAMED | {"Patient", "Composition"}
_MOST_CARRIED: Final = 2**24
"""Bytes that one bundle may have put into its records: one medicine may be named a thousand times."""
_LONGEST_NAME: Final = 100
_RESTFUL: Final = re.compile(r"https?://.*/(?P<local>[A-Za-z]+/[A-Za-z0-9.-]{1,64})")
_UUID: Final = re.compile(r"urn:uuid:(?P<id>[0-9a-f-]{36})")
_FHIR_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")


class Neighbours:
    """The entries of one bundle, found by what others of it call them."""

    def __init__(self, entries: Sequence[Mapping[str, Any]]) -> None:
        self._resources: list[Json] = [each["resource"] for each in entries]
        self._ids = [_id_of(each) for each in entries]
        self._left = _MOST_CARRIED
        self._at: dict[str, int | None] = {}
        for index, entry in enumerate(entries):
            for name in names_of(entry):
                # Two that go by one name: neither can be meant.
                self._at[name] = None if self._at.get(name, index) != index else index

    def find(self, reference: object) -> int | None:
        """Which entry a reference means; None: none of these, or more than one."""
        return self._at.get(_without_version(reference)) if isinstance(reference, str) else None

    def joined(self, index: int, resource: Json) -> tuple[Json, frozenset[int], Fault | None]:
        """A resource with what it names put into it, and which entries that were.

        `resource` is the entry's, perhaps already narrowed. A fault where there would be more of it than one
        bundle may have.
        """
        work = _Joining(self, index)
        named = self._ids[index]
        made = work.rewritten(resource if named is None else {"id": named} | resource)
        if work.contained:
            made["contained"] = [*_list(made.get("contained")), *work.contained]
        if work.tags:
            meta = made.get("meta") if isinstance(made.get("meta"), dict) else {}
            made["meta"] = {**meta, "security": [*_list(meta.get("security")), *work.tags]}
        self._left -= work.size
        fault = Fault("", "too_much_carried") if self._left < 0 else None
        return made, frozenset(work.used), fault

    def resource(self, index: int) -> Json:
        """The resource of an entry."""
        return self._resources[index]

    def local(self, index: int) -> str | None:
        """How the record of an entry is called by others of its sender."""
        named = self._ids[index]
        return None if named is None else f"{self._resources[index].get('resourceType')}/{named}"

    def name(self, index: int | None) -> tuple[str | None, frozenset[int]]:
        """The words for who or what an entry is, and the entries they were taken from."""
        if index is None:
            return None, frozenset()
        resource = self._resources[index]
        if resource.get("resourceType") != "PractitionerRole":
            return _name(resource), frozenset({index})
        parts, used = [], {index}
        for member in ("practitioner", "organization"):
            whom = resource.get(member)
            at = self.find(whom.get("reference")) if isinstance(whom, dict) else None
            said = whom.get("display") if isinstance(whom, dict) else None
            if at is not None and self._resources[at].get("resourceType") != "PractitionerRole":
                said, used = _name(self._resources[at]) or said, used | {at}
            parts += [said] if isinstance(said, str) else []
        return ", ".join(parts)[:_LONGEST_NAME] or None, frozenset(used)


class _Joining:
    """One resource being joined with what it names."""

    def __init__(self, around: Neighbours, index: int) -> None:
        self._around = around
        self._index = index
        self._inside: dict[int, str] = {}
        self.contained: list[Json] = []
        self.tags: list[Any] = []
        self.used: set[int] = set()
        self.size = 0

    def rewritten(self, value: Any) -> Any:
        """The same with its references rewritten, at any depth."""
        if isinstance(value, list):
            return [self.rewritten(each) for each in value]
        if not isinstance(value, dict):
            return value
        made = {key: self.rewritten(each) for key, each in value.items()}
        at = self._around.find(made.get("reference"))
        return made if at is None or at == self._index else self._referring(made, at)

    def _referring(self, made: Json, at: int) -> Json:
        kind = str(self._around.resource(at).get("resourceType"))
        if kind in CARRIED:
            return made | {"reference": f"#{self._carry(at)}"}
        if kind in NAMED:
            name, used = self._around.name(at)
            self.used |= used
            self.size += len(name or "")
            return {"display": name} | made if name else made
        local = self._around.local(at)
        # The patient is known by what the bundle calls it; another record by its own name.
        return made | {"reference": local} if local is not None and kind not in SUPPORTING else made

    def _carry(self, at: int) -> str:
        if at in self._inside:
            return self._inside[at]
        resource = self._around.resource(at)
        base = f"{str(resource['resourceType']).lower()}-{len(self._inside) + 1}"
        self._inside[at] = base
        self.used.add(at)
        self.tags += _list((resource.get("meta") or {}).get("security")) if _is_map(resource, "meta") else []
        nested = {str(each.get("id")): each for each in _list(resource.get("contained")) if _is(each)}
        for name, each in nested.items():
            self.contained.append(self._bare(each, base, nested) | {"id": f"{base}-{name}"[:64]})
        self.contained.append(self._bare(resource, base, nested) | {"id": base})
        self.size += sum(len(json.dumps(each)) for each in self.contained[-1 - len(nested) :])
        return base

    def _bare(self, resource: Json, base: str, nested: Mapping[str, Any]) -> Json:
        """A resource as another may contain it: without what is its own, its references turned to words."""
        kept = {key: each for key, each in resource.items() if key not in ("meta", "contained", "text")}
        bare: Json = self._worded(kept, base, nested)
        return bare

    def _worded(self, value: Any, base: str, nested: Mapping[str, Any]) -> Any:
        if isinstance(value, list):
            return [each for each in (self._worded(one, base, nested) for one in value) if each != {}]
        if not isinstance(value, dict):
            return value
        told = ((key, self._worded(each, base, nested)) for key, each in value.items())
        made = {key: each for key, each in told if each not in ({}, [])}
        reference = made.get("reference")
        if not isinstance(reference, str):
            return made
        if reference.startswith("#") and reference[1:] in nested:
            return made | {"reference": f"#{base}-{reference[1:]}"[:65]}
        name, used = self._around.name(self._around.find(reference))
        self.used |= used if name else frozenset()
        return ({"display": name} if name else {}) | {k: v for k, v in made.items() if k != "reference"}


def names_of(entry: Mapping[str, Any]) -> Iterator[str]:
    """What others of the bundle may call an entry."""
    resource, url = entry["resource"], entry.get("fullUrl")
    kind, named = resource.get("resourceType"), resource.get("id")
    if isinstance(url, str) and url:
        yield url
        if (found := _RESTFUL.fullmatch(url)) and found["local"].startswith(f"{kind}/"):
            yield found["local"]
    if isinstance(named, str) and named:
        yield f"{kind}/{named}"


def _id_of(entry: Mapping[str, Any]) -> str | None:
    """The id of a resource, or else that of its `fullUrl`, by which others name it."""
    named, url = entry["resource"].get("id"), entry.get("fullUrl")
    if isinstance(named, str) and _FHIR_ID.fullmatch(named):
        return named
    found = _UUID.fullmatch(url) if isinstance(url, str) and named is None else None
    return found["id"] if found else None


def _without_version(reference: str) -> str:
    return reference.partition("/_history/")[0]


def _name(resource: Mapping[str, Any]) -> str | None:
    """The words a resource has for itself; nothing of a patient."""
    kind, said = str(resource.get("resourceType")), resource.get("name")
    if kind == "Practitioner":
        first: Json = next((each for each in _list(said) if _is(each)), {})
        told = [*_list(first.get("prefix")), *_list(first.get("given")), first.get("family")]
        said = first.get("text") or " ".join(each for each in told if isinstance(each, str))
    elif kind in CARRIED:
        concept = resource.get("code") or resource.get("type") or {}
        first = next((each for each in _list(_get(concept, "coding")) if _is(each)), {})
        said = _get(concept, "text") or first.get("display")
    elif kind not in NAMED:
        return None
    return said[:_LONGEST_NAME] if isinstance(said, str) and said else None


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _is(value: Any) -> bool:
    return isinstance(value, dict)


def _is_map(resource: Mapping[str, Any], key: str) -> bool:
    return isinstance(resource.get(key), dict)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
