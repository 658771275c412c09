"""Reading a FHIR R4 Consent, strictly: what is not understood in full is refused, with every reason.

A rule half understood would be a rule nobody has made: an unknown code dropped from a permit widens it, one
dropped from a denial loses it. So nothing is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from consent.errors import ConsentError
from consent.fhir.dates import days, first_and_last
from consent.fhir.model import (
    Coding,
    DataReference,
    Meaning,
    PrivacyConsent,
    Provision,
    ProvisionType,
    Restriction,
    Span,
)
from consent.fhir.vocabulary import CONSENT_SCOPE, PARTICIPATION, PRIVACY, RECIPIENT
from consent.model import Period

STATUSES = frozenset({"draft", "proposed", "active", "rejected", "inactive", "entered-in-error"})
_TOP = frozenset(
    {
        *("resourceType", "id", "meta", "language", "text", "extension", "identifier", "status", "scope"),
        *("category", "patient", "dateTime", "performer", "organization", "sourceAttachment"),
        *("sourceReference", "policy", "verification", "provision", "modifierExtension"),
    }
)
_RULE = frozenset(
    {
        "id",
        "extension",
        "type",
        "period",
        "actor",
        "securityLabel",
        "purpose",
        "dataPeriod",
        "data",
        "provision",
    }
)
_TYPES = frozenset({"permit", "deny"})
_MEANINGS = frozenset({"instance", "related", "authoredby"})
_MOST = 200
Found = TypeVar("Found")


@dataclass(frozen=True)
class Fault:
    """What is wrong, and where, as a FHIRPath-like place."""

    place: str
    code: str


class ConsentUnreadable(ConsentError):
    """The resource cannot be taken as a whole; `faults` names every reason."""

    code = "consent_unreadable"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(", ".join(f"{each.place}: {each.code}" for each in faults))
        self.faults = tuple(faults)


@dataclass
class Reading:
    """Collects what is wrong while a resource is read; `known` are modifier extensions understood."""

    known: frozenset[str] = frozenset()
    faults: list[Fault] = field(default_factory=list)

    def wrong(self, place: str, code: str) -> None:
        """Note a fault."""
        self.faults.append(Fault(place, code))

    def tried(self, place: str, code: str, make: Callable[[], Found]) -> Found | None:
        """What `make` gives, or a fault."""
        try:
            return make()
        except (ValueError, OverflowError):
            self.wrong(place, code)
            return None


def read_consent(raw: object, modifiers: frozenset[str] = frozenset()) -> PrivacyConsent:
    """The consent, or every reason why it is not taken. `modifiers`: modifier extensions the caller heeds.

    Raises:
        ConsentUnreadable: anything in it is unknown, malformed, missing or not legal in IHE PCF.
    """
    notes = Reading(modifiers)
    if not isinstance(raw, dict) or raw.get("resourceType") != "Consent":
        raise ConsentUnreadable([Fault("Consent", "not_a_consent")])
    _only(raw, _TOP, "Consent", notes)
    if not _listed(raw.get("status"), STATUSES):
        notes.wrong("Consent.status", "unknown_code")
    if not any(
        each == Coding(CONSENT_SCOPE, PRIVACY) for each in _codings(raw.get("scope"), "Consent.scope", notes)
    ):
        notes.wrong("Consent.scope", "not_about_privacy")
    _list(raw, "extension", "Consent", notes)
    for each in _list(raw, "modifierExtension", "Consent", notes):
        if not isinstance(each, dict) or not _listed(each.get("url"), notes.known):
            notes.wrong("Consent.modifierExtension", "unknown_modifier")
    policies = [each for each in _list(raw, "policy", "Consent", notes) if isinstance(each, dict)]
    uri = _text(policies[0], "uri", "Consent.policy", notes) if len(policies) == 1 else ""
    if len(policies) != 1:
        notes.wrong("Consent.policy", "exactly_one")
    performers = tuple(
        _reference(each, "Consent.performer", notes) for each in _list(raw, "performer", "Consent", notes)
    )
    if not performers:
        notes.wrong("Consent.performer", "missing")
    if "dateTime" in raw:
        notes.tried("Consent.dateTime", "malformed", lambda: first_and_last(raw["dateTime"]))
    provision = _provision(raw.get("provision"), "Consent.provision", notes, None)
    patient = _reference(raw.get("patient"), "Consent.patient", notes)
    if notes.faults:
        raise ConsentUnreadable(notes.faults)
    return PrivacyConsent(str(raw.get("id", "")), raw["status"], patient, uri, performers, provision)


def _provision(raw: object, place: str, notes: Reading, parent: Provision | None) -> Provision:
    if not isinstance(raw, dict):
        notes.wrong(place, "missing")
        return Provision("deny")
    _only(raw, _RULE, place, notes)
    if not _listed(raw.get("type"), _TYPES):
        notes.wrong(f"{place}.type", "unknown_code")
    mine = _texts_of(raw, place, notes)
    if mine.type == "permit" and not mine.purposes and not (parent and parent.purposes):
        notes.wrong(f"{place}.purpose", "missing")
    inner = _list(raw, "provision", place, notes)
    if inner and parent is not None:
        notes.wrong(f"{place}.provision", "nested_too_deep")
        return mine
    nested = tuple(_provision(each, f"{place}.provision[{at}]", notes, mine) for at, each in enumerate(inner))
    return Provision(mine.type, mine.purposes, mine.actors, mine.span, mine.restriction, nested)


def _texts_of(raw: Mapping[str, Any], place: str, notes: Reading) -> Provision:
    purposes = [_coding(each, f"{place}.purpose", notes) for each in _list(raw, "purpose", place, notes)]
    labels = [
        _coding(each, f"{place}.securityLabel", notes) for each in _list(raw, "securityLabel", place, notes)
    ]
    data = [_data(each, f"{place}.data", notes) for each in _list(raw, "data", place, notes)]
    return Provision(
        type=cast(ProvisionType, raw.get("type")),
        purposes=tuple(purposes),
        actors=tuple(_actor(each, f"{place}.actor", notes) for each in _list(raw, "actor", place, notes)),
        span=_span(raw.get("period"), f"{place}.period", notes) if "period" in raw else Span(),
        restriction=Restriction(
            _days(raw["dataPeriod"], f"{place}.dataPeriod", notes) if "dataPeriod" in raw else None,
            tuple(data),
            tuple(labels),
        ),
    )


def _span(raw: object, place: str, notes: Reading) -> Span:
    start, end = _ends(raw, place, notes)
    first = notes.tried(place, "malformed", lambda: first_and_last(start)[0]) if start is not None else None
    last = notes.tried(place, "malformed", lambda: first_and_last(end)[1]) if end is not None else None
    if first is not None and last is not None and last < first:
        notes.wrong(place, "ends_before_it_begins")
    return Span(first, last)


def _days(raw: object, place: str, notes: Reading) -> Period:
    start, end = _ends(raw, place, notes)
    first = notes.tried(place, "malformed", lambda: days(start)[0]) if start is not None else None
    last = notes.tried(place, "malformed", lambda: days(end)[1]) if end is not None else None
    if first is not None and last is not None and last < first:
        notes.wrong(place, "ends_before_it_begins")
    return Period(first, last)


def _ends(raw: object, place: str, notes: Reading) -> tuple[object, object]:
    if not isinstance(raw, dict) or not raw or set(raw) - {"start", "end"} or None in raw.values():
        notes.wrong(place, "malformed")
        return None, None
    return raw.get("start"), raw.get("end")


def _actor(raw: object, place: str, notes: Reading) -> str:
    if not isinstance(raw, dict):
        notes.wrong(place, "malformed")
        return ""
    _only(raw, frozenset({"id", "extension", "role", "reference"}), place, notes)
    if _codings(raw.get("role"), f"{place}.role", notes) != [Coding(PARTICIPATION, RECIPIENT)]:
        notes.wrong(f"{place}.role", "not_a_recipient")
    return _reference(raw.get("reference"), f"{place}.reference", notes)


def _data(raw: object, place: str, notes: Reading) -> DataReference:
    found = raw if isinstance(raw, dict) else {}
    _only(found, frozenset({"id", "extension", "meaning", "reference"}), place, notes)
    if not _listed(found.get("meaning"), _MEANINGS):
        notes.wrong(f"{place}.meaning", "unknown_code")
    reference = _reference(found.get("reference"), f"{place}.reference", notes)
    return DataReference(cast(Meaning, found.get("meaning")), reference)


def _reference(raw: object, place: str, notes: Reading) -> str:
    """A literal reference; one by identifier or display alone names nobody that can be looked up."""
    found = raw.get("reference") if isinstance(raw, dict) else None
    if not isinstance(found, str) or "/" not in found or len(found) > _MOST or not found.isprintable():
        notes.wrong(place, "no_reference")
        return ""
    return found


def _codings(raw: object, place: str, notes: Reading) -> list[Coding]:
    found = raw.get("coding") if isinstance(raw, dict) else None
    if not isinstance(found, list):
        notes.wrong(place, "missing")
        return []
    return [_coding(each, place, notes) for each in found]


def _coding(raw: object, place: str, notes: Reading) -> Coding:
    found = raw if isinstance(raw, dict) else {}
    _only(found, frozenset({"id", "system", "version", "code", "display", "userSelected"}), place, notes)
    return Coding(_text(found, "system", place, notes), _text(found, "code", place, notes))


def _text(raw: Mapping[str, Any], name: str, place: str, notes: Reading) -> str:
    found = raw.get(name)
    if not isinstance(found, str) or not found or len(found) > _MOST:
        notes.wrong(f"{place}.{name}", "missing")
        return ""
    return found


def _listed(found: object, codes: frozenset[str]) -> bool:
    """Whether it is a text, and one of these."""
    return isinstance(found, str) and found in codes


def _list(raw: Mapping[str, Any], name: str, place: str, notes: Reading) -> list[Any]:
    """An optional list. One that is there and empty is no FHIR, and says neither everything nor nothing."""
    found = raw.get(name, None)
    if name not in raw:
        return []
    if not isinstance(found, list) or not 1 <= len(found) <= _MOST:
        notes.wrong(f"{place}.{name}", "malformed")
        return []
    return found


def _only(raw: Mapping[str, Any], names: frozenset[str], place: str, notes: Reading) -> None:
    for name in raw.keys() - names:
        notes.wrong(f"{place}.{str(name)[:40]}", "not_understood")
