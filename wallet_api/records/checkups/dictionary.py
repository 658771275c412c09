"""Which elements of a check-up the health book keeps, what they are called and what their answers mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from wallet_api.records.insurance.dictionary import Form, form_of, read_file


@dataclass(frozen=True)
class Measured:
    """An element that is a measurement: its LOINC code, its UCUM unit, and the unit as people read it."""

    loinc: str
    unit: str
    shown: str


@dataclass(frozen=True)
class Part:
    """What is known of the elements of one part, by name.

    `answers`: what the numbers of a ticked element mean. `labelled`: the label that closes an element.
    """

    answers: Mapping[str, Mapping[str, str]]
    labelled: Mapping[str, str]
    measured: Mapping[str, Measured]


@dataclass(frozen=True)
class CheckUps:
    """The form of a check-up file, and what is known of its parts, by name (XML1 ...)."""

    form: Form
    parts: Mapping[str, Part]


@cache
def check_ups() -> CheckUps:
    """The dictionary as it stands."""
    raw = read_file(str(__package__))
    answers = raw["answers"]
    parts = {
        name: Part(
            {field: answers[kind] for field, kind in one.get("answers", {}).items()},
            one.get("labelled", {}),
            {field: Measured(**told) for field, told in one.get("measured", {}).items()},
        )
        for name, one in raw["tables"].items()
    }
    return CheckUps(form_of(raw), parts)
