"""The guards, read from `guards.toml`: what is taken away, and which tests must then turn red."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FILE = Path(__file__).with_name("guards.toml")


@dataclass(frozen=True)
class Guard:
    """One guard: `holds` is its text in `file`, `without` what stands there when it is gone."""

    name: str
    file: str
    holds: str
    without: str
    dies_by: tuple[str, ...]


class GuardLost(Exception):
    """The text of a guard is not to be found exactly once, so nothing would be removed."""


def guards() -> list[Guard]:
    """Every guard, in the order of the file."""
    found = tomllib.loads(_FILE.read_text(encoding="utf-8"))["guard"]
    return [Guard(**{**each, "dies_by": tuple(each["dies_by"])}) for each in found]


def without(guard: Guard, source: str) -> str:
    """The source of the guard's file without the guard.

    Raises:
        GuardLost: its text is not there exactly once.
    """
    if source.count(guard.holds) != 1:
        raise GuardLost(f"{guard.name}: found {source.count(guard.holds)} times in {guard.file}")
    return source.replace(guard.holds, guard.without)
