"""What a reader may see, as one value: tested on a record here, compiled into the query by a store.

The empty predicate admits nothing. There is no way to write "everything" by leaving something out:
`None` for categories or labels is set only by the constructors below for the citizen's own eyes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from consent.model import LiveGrant, Period, RecordFacts

GUARDIANS = "guardians"
PROVIDERS = "providers"


def organisation_audience(organisation_id: str) -> str:
    """The audience name for hiding a record from a single organisation."""
    return f"organisation:{organisation_id}"


@dataclass(frozen=True, slots=True)
class Clause:
    """One way for a record to be admitted; all its conditions hold together."""

    categories: frozenset[str] | None
    period: Period
    labels: frozenset[str] | None
    author: str | None = None

    def admits(self, facts: RecordFacts) -> bool:
        """Whether the record meets every condition of this clause."""
        return (
            (self.categories is None or facts.category in self.categories)
            and self.period.contains(facts.first_day, facts.last_day)
            and (self.labels is None or facts.labels <= self.labels)
            and (self.author is None or facts.organisation_id == self.author)
        )


@dataclass(frozen=True, slots=True)
class Predicate:
    """Any clause admits; a record hidden from one of the reader's audiences never is."""

    clauses: tuple[Clause, ...] = ()
    audiences: frozenset[str] = frozenset()

    def admits(self, facts: RecordFacts) -> bool:
        """Whether this reader may see this record."""
        if facts.hidden_from & self.audiences:
            return False
        return any(clause.admits(facts) for clause in self.clauses)


NOTHING = Predicate()
_ALWAYS = Period()


def own_eyes() -> Predicate:
    """The citizen's own book: everything in it."""
    return Predicate((Clause(None, _ALWAYS, None),))


def guardian_eyes() -> Predicate:
    """A guardian: all but what was hidden from guardians."""
    return Predicate((Clause(None, _ALWAYS, None),), frozenset({GUARDIANS}))


def author_eyes(organisation_id: str) -> Predicate:
    """An organisation reading back its own writings, hidden or not: it wrote them."""
    return Predicate((Clause(None, _ALWAYS, None, author=organisation_id),))


def granted_eyes(organisation_id: str, grants: tuple[LiveGrant, ...], licensed: frozenset[str]) -> Predicate:
    """An organisation under grants: each grant's categories within the licence, period and labels.

    Clauses are sorted, so the same grants give the same predicate in whatever order they came.
    """
    clauses = [
        Clause(shared, grant.scope.record_period, grant.scope.labels)
        for grant in grants
        if (shared := grant.scope.categories & licensed)
    ]
    if not clauses:
        return NOTHING
    return Predicate(tuple(clauses) if len(clauses) == 1 else _settled(clauses), _provider(organisation_id))


@lru_cache(maxsize=4096)
def _provider(organisation_id: str) -> frozenset[str]:
    """The audiences an organisation belongs to; asked for in every decision, and never different."""
    return frozenset((PROVIDERS, organisation_audience(organisation_id)))


def _settled(clauses: list[Clause]) -> tuple[Clause, ...]:
    return tuple(sorted(set(clauses), key=_place))


def _place(clause: Clause) -> tuple[object, ...]:
    period = clause.period
    ends = (str(period.first), str(period.last))
    return (sorted(clause.categories or ()), ends, sorted(clause.labels or ()))
