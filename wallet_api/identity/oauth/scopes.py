"""SMART App Launch scopes: how an app asks for less than everything, and what a narrowed session may read.

An app that asks for `patient/...` scopes, and not for `citizen`, gets a session that reads those types of the
person's own book through /fhir and can do nothing else. Whoever names no such scope gets the whole of its
kind, as before. A scope with search parameters (`?category=`) is not granted: what is granted may be less
than what was asked for, never more, and the token answer says what it is.
"""

from __future__ import annotations

import re
from typing import Final

TYPES: Final = frozenset(
    {
        *("AllergyIntolerance", "Condition", "DiagnosticReport", "DocumentReference", "Encounter"),
        *(
            "EpisodeOfCare",
            "Immunization",
            "MedicationRequest",
            "MedicationStatement",
            "Observation",
            "Patient",
            "Procedure",
        ),
    }
)
"""What can be read through /fhir with a narrowed session; a test holds it against what is served."""
WHOLE: Final = "citizen"
LAUNCH: Final = "launch/patient"
SUPPORTED: Final = (LAUNCH, "patient/*.rs", *(f"patient/{each}.rs" for each in sorted(TYPES)))
_SCOPE = re.compile(r"patient/(\*|[A-Za-z]+)\.(c?r?u?d?s?|read|\*)")
_READING: Final = {"read": "rs", "*": "rs"}


class NothingGranted(ValueError):
    """Only `patient/...` scopes were asked for, and none of them is served."""


def narrowed(asked: str) -> str:
    """The scopes to grant of those asked for, sorted; "" for the whole of the client's kind.

    Raises:
        NothingGranted: nothing of what was asked for is served.
    """
    words = set(asked.split())
    if WHOLE in words or not any(each.startswith("patient/") for each in words):
        return ""
    granted = {each for word in words if (each := _granted(word))}
    if not granted:
        raise NothingGranted(asked)
    return " ".join(sorted(granted | (words & {LAUNCH})))


def covers(scope: str, kind: str, act: str) -> bool:
    """Whether a session's scope lets it read ("r") or search ("s") resources of a type."""
    if not scope:
        return True
    found = filter(None, map(_SCOPE.fullmatch, scope.split()))
    return any(each.group(1) in ("*", kind) and act in each.group(2) for each in found)


def _granted(word: str) -> str:
    match = _SCOPE.fullmatch(word)
    if match is None or match.group(1) not in TYPES | {"*"}:
        return ""
    acts = _READING.get(match.group(2), "".join(each for each in match.group(2) if each in "rs"))
    return f"patient/{match.group(1)}.{acts}" if acts else ""
