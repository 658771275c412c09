"""What a FHIR R4 Consent says, as values: more than our own scopes can say, so it has a model of its own.

`deciding.py` decides by it. It is never stored: what a citizen imports becomes a scope (`proposing.py`) or
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from consent.fhir.vocabulary import ACT_REASON, CATEGORIES, CONFIDENTIALITY
from consent.model import Period

ProvisionType = Literal["permit", "deny"]
Meaning = Literal["instance", "related", "authoredby"]
_RANK = {"U": 0, "L": 1, "M": 2, "N": 3, "R": 4, "V": 5}
"""Confidentiality from unrestricted to very restricted (HL7 v3-Confidentiality)."""


@dataclass(frozen=True, slots=True)
class Coding:
    """A code in its system; equal only if both are."""

    system: str
    code: str

    @property
    def key(self) -> str:
        """The bare code of HL7's reasons for access, which ours are; any other with its system before it."""
        return self.code if self.system == ACT_REASON else f"{self.system}|{self.code}"


@dataclass(frozen=True, slots=True)
class Span:
    """Instants from `start` to `end`, both inclusive as FHIR has it; None is an open end."""

    start: datetime | None = None
    end: datetime | None = None

    def contains(self, at: datetime) -> bool:
        """Whether the instant lies in it."""
        return (self.start is None or self.start <= at) and (self.end is None or at <= self.end)


@dataclass(frozen=True, slots=True)
class DataReference:
    """Data meant by its relation to something."""

    meaning: Meaning
    reference: str


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What of a resource may decide who sees it: never its clinical content."""

    reference: str
    first_day: date
    last_day: date
    related: frozenset[str] = frozenset()
    authors: frozenset[str] = frozenset()
    security: frozenset[Coding] = frozenset()


@dataclass(frozen=True, slots=True)
class Restriction:
    """Which data is meant. Nothing said on any dimension means all data."""

    data_period: Period | None = None
    data: tuple[DataReference, ...] = ()
    labels: tuple[Coding, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether it leaves nothing out."""
        return self.data_period is None and not self.data and not self.labels

    def or_of(self, parent: Restriction) -> Restriction:
        """This one, with what it does not say taken from the rule it is nested in."""
        return Restriction(
            self.data_period or parent.data_period, self.data or parent.data, self.labels or parent.labels
        )

    def surely_matches(self, facts: DataFacts) -> bool:
        """Whether the data is meant beyond doubt: for opening."""
        inside = self.data_period is None or self.data_period.contains(facts.first_day, facts.last_day)
        return inside and self._refers_to(facts) and self._opens(facts.security)

    def may_match(self, facts: DataFacts) -> bool:
        """Whether the data might be meant: for shutting. A vague date and a higher mark count as meant."""
        period = self.data_period
        outside = period is not None and (
            (period.first is not None and facts.last_day < period.first)
            or (period.last is not None and facts.first_day > period.last)
        )
        return not outside and self._refers_to(facts) and self._shuts(facts.security)

    def _refers_to(self, facts: DataFacts) -> bool:
        named = {"instance": {facts.reference}, "related": facts.related, "authoredby": facts.authors}
        return not self.data or any(each.reference in named[each.meaning] for each in self.data)

    def _opens(self, security: frozenset[Coding]) -> bool:
        """By its category, and by its mark or each sensitivity: one that is not listed keeps it shut."""
        wanted = frozenset(each for each in self.labels if each.system == CATEGORIES)
        others = frozenset(self.labels) - wanted
        if wanted and not wanted & security:
            return False
        sensitive = sensitivities(security)
        by_mark = Coding(CONFIDENTIALITY, mark(security)) in others
        return not others or by_mark or (bool(sensitive) and mark(security) != "V" and sensitive <= others)

    def _shuts(self, security: frozenset[Coding]) -> bool:
        """By any sensitivity listed, or by a confidentiality listed or a higher one."""
        ranks = [_RANK.get(each.code, 0) for each in self.labels if each.system == CONFIDENTIALITY]
        above = bool(ranks) and _RANK[mark(security)] >= min(ranks)
        return not self.labels or above or bool(security & set(self.labels))


def sensitivities(security: frozenset[Coding]) -> frozenset[Coding]:
    """The labels that name a kind of sensitive data; whatever is no mark and no category counts as one."""
    return frozenset(each for each in security if each.system not in (CONFIDENTIALITY, CATEGORIES))


def mark(security: frozenset[Coding]) -> str:
    """The confidentiality of data: the highest one said; restricted when it is sensitive, else normal."""
    said = [each.code for each in security if each.system == CONFIDENTIALITY]
    if not all(code in _RANK for code in said):
        return "V"
    floor = ["R"] if sensitivities(security) else []
    return max(said + floor or ["N"], key=_RANK.__getitem__)


@dataclass(frozen=True, slots=True)
class Provision:
    """One rule: for whom, why, when, and which data. Exceptions to it are nested one level deep.

    No actors: anybody. No purposes: whatever purpose, which only a denial may say.
    """

    type: ProvisionType
    purposes: tuple[Coding, ...] = ()
    actors: tuple[str, ...] = ()
    span: Span = Span()
    restriction: Restriction = Restriction()
    nested: tuple[Provision, ...] = ()

    def rules(self) -> Iterator[Provision]:
        """This rule and its exceptions."""
        yield self
        yield from self.nested


@dataclass(frozen=True, slots=True)
class PrivacyConsent:
    """A FHIR Consent for privacy, read strictly."""

    id: str
    status: str
    patient: str
    policy_uri: str
    performers: tuple[str, ...]
    provision: Provision
