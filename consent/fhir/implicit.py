"""What holds for a person without any consent on file: a policy named by IHE PCF, the operator's choice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from consent.fhir.model import Coding, Restriction
from consent.fhir.vocabulary import CONFIDENTIALITY

DEFAULT = "break-glass-only"
"""Ours: nothing but breaking the glass."""


@dataclass(frozen=True)
class ImplicitPolicy:
    """Purposes it permits to all, of data marked so; and whether privileged people may break the glass."""

    id: str
    uri: str
    purposes: frozenset[str]
    restriction: Restriction
    break_glass: bool

    def permits(self, purpose: str, *, privileged: bool) -> bool:
        """Whether it opens for this purpose; BTG only for whom the caller vouches as privileged."""
        return purpose in self.purposes or (purpose == "BTG" and self.break_glass and privileged)


def implicit_policy(name: str) -> ImplicitPolicy:
    """A policy by its name.

    Raises:
        KeyError: there is none of that name.
    """
    return _policies()[name]


@cache
def _policies() -> Mapping[str, ImplicitPolicy]:
    raw = json.loads(files(__package__).joinpath("implicit-policies.json").read_text(encoding="utf-8"))
    return {
        each["id"]: ImplicitPolicy(
            each["id"],
            each["uri"],
            frozenset(each["purposes"]),
            Restriction(labels=tuple(Coding(CONFIDENTIALITY, label) for label in each["labels"])),
            each["break_glass"],
        )
        for each in raw["policies"]
    }
