"""Asking for many people at once where a store can, one by one where it cannot.

A store that knows a cheaper way for hundreds of people says so by having the method.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, runtime_checkable

from notifications.model import Care, CitizenFacts, Preferences
from notifications.ports import CareHistory, PreferenceStore, Recipients


@runtime_checkable
class FactsOfMany(Protocol):
    """`CareHistory` that reads many books together."""

    def facts_of_many(self, citizen_ids: Collection[str]) -> Mapping[str, CitizenFacts]:
        """`facts` by citizen; those without any are absent."""
        ...

    def care_of_many(self, citizen_ids: Collection[str]) -> Mapping[str, Sequence[Care]]:
        """`care` by citizen; citizens without any may be absent."""
        ...


@runtime_checkable
class RemindedOfMany(Protocol):
    """`Recipients` of many together."""

    def reminded_of_many(self, citizen_ids: Collection[str]) -> Mapping[str, Sequence[str]]:
        """`who_is_reminded` by citizen; who has nobody may be absent."""
        ...


@runtime_checkable
class ChosenByMany(Protocol):
    """`PreferenceStore` that reads many together."""

    def of_many(self, citizen_ids: Collection[str]) -> Mapping[str, Preferences]:
        """`of` by citizen, the defaults included."""
        ...


def facts_and_care(
    port: CareHistory, citizen_ids: Collection[str]
) -> Mapping[str, tuple[CitizenFacts, Sequence[Care]]]:
    """Facts and care of each; unknown people are absent."""
    if isinstance(port, FactsOfMany):
        facts, care = port.facts_of_many(citizen_ids), port.care_of_many(citizen_ids)
        return {each: (known, care.get(each, ())) for each, known in facts.items()}
    found = {each: port.facts(each) for each in citizen_ids}
    return {each: (known, port.care(each)) for each, known in found.items() if known is not None}


def reminded(port: Recipients, citizen_ids: Collection[str]) -> Mapping[str, frozenset[str]]:
    """Who is told about each."""
    if isinstance(port, RemindedOfMany):
        found = port.reminded_of_many(citizen_ids)
        return {each: frozenset(found.get(each, ())) for each in citizen_ids}
    return {each: frozenset(port.who_is_reminded(each)) for each in citizen_ids}


def chosen(port: PreferenceStore, citizen_ids: Collection[str]) -> Mapping[str, Preferences]:
    """What each has chosen."""
    if isinstance(port, ChosenByMany):
        return port.of_many(citizen_ids)
    return {each: port.of(each) for each in citizen_ids}
