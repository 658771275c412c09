"""What a reader may see, as one value: tested on a record here, compiled into the query by a store.

The empty predicate admits nothing. There is no way to write "everything" by leaving something out:
`None` for categories or labels is set only by the constructors below for the citizen's own eyes.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import NamedTuple

from consent.model import LiveGrant, Period, RecordFacts

GUARDIANS = "guardians"
PROVIDERS = "providers"
SAFETY = "safety"
"""Hidden from companions by a safety flag; apart from what the person hid: lifting one keeps the other."""
COMPANIONS = frozenset({GUARDIANS, SAFETY})
"""What is hidden from one of these is hidden from everybody who acts for the person."""
DISPUTED = "disputed"
"""Said not to be the person's own: hidden from everybody, the person too, until it is decided."""
REMOVED = "removed"
"""Found not to be the person's own. Whoever sends it again adds to what nobody sees."""
QUARANTINE = frozenset({DISPUTED, REMOVED})
"""Every reader but the author belongs to these."""


def organisation_audience(organisation_id: str) -> str:
    """The audience name for hiding a record from a single organisation."""
    return f"organisation:{organisation_id}"


# Tuples, not dataclasses: a decision makes one of each, and a frozen dataclass takes thrice as long to make.
class Clause(NamedTuple):
    """One way for a record to be admitted; all its conditions hold together."""

    categories: frozenset[str] | None
    period: Period
    labels: frozenset[str] | None
    author: str | None = None
    record_ids: frozenset[str] | None = None

    def admits(self, facts: RecordFacts) -> bool:
        """Whether the record meets every condition of this clause."""
        return (
            (self.categories is None or facts.category in self.categories)
            and self.period.contains(facts.first_day, facts.last_day)
            and (self.labels is None or facts.labels <= self.labels)
            and (self.author is None or facts.organisation_id == self.author)
            and (self.record_ids is None or facts.record_id in self.record_ids)
        )


class Predicate(NamedTuple):
    """Any clause admits; a record hidden from one of the reader's audiences never is.

    `decided_on` decides of nothing: it tells a store which days may still come.
    """

    clauses: tuple[Clause, ...] = ()
    audiences: frozenset[str] = frozenset()
    decided_on: date | None = None

    def admits(self, facts: RecordFacts) -> bool:
        """Whether this reader may see this record."""
        if facts.hidden_from & self.audiences:
            return False
        return any(clause.admits(facts) for clause in self.clauses)

    def also_hidden_from(self, audiences: frozenset[str]) -> Predicate:
        """The same for a reader who belongs to these audiences as well."""
        return Predicate(self.clauses, self.audiences | audiences, self.decided_on)

    def hidden_or_not(self) -> Predicate:
        """The same for what is known not to be hidden."""
        return Predicate(self.clauses, decided_on=self.decided_on)


NOTHING = Predicate()
_ALWAYS = Period()


def own_eyes() -> Predicate:
    """The citizen's own book: everything in it but what may be a stranger's."""
    return Predicate((Clause(None, _ALWAYS, None),), QUARANTINE)


def guardian_eyes() -> Predicate:
    """A guardian: all but what was hidden from guardians, or may be a stranger's."""
    return Predicate((Clause(None, _ALWAYS, None),), COMPANIONS | QUARANTINE)


def heir_eyes() -> Predicate:
    """An heir: what no label restricts and the person had hidden from nobody, family or providers."""
    return Predicate((Clause(None, _ALWAYS, frozenset()),), COMPANIONS | QUARANTINE | {PROVIDERS})


def shared_eyes(wanted: Clause, *, by_guardian: bool) -> Predicate:
    """Whoever holds a share link: what is wanted, without what is hidden from every provider, or may be a
    stranger's.

    What a guardian shares lacks what is hidden from companions, and so does whatever is not named record by
    record: somebody who hides a record from the family does not put it into a link by a category.
    """
    own_choice = wanted.record_ids is not None and not by_guardian
    audiences = QUARANTINE | {PROVIDERS}
    return Predicate((wanted,), audiences if own_choice else audiences | COMPANIONS)


def author_eyes(organisation_id: str) -> Predicate:
    """An organisation reading back its own writings, hidden or not: it wrote them."""
    return Predicate((Clause(None, _ALWAYS, None, author=organisation_id),))


def granted_eyes(
    organisation_id: str,
    grants: tuple[LiveGrant, ...],
    licensed: frozenset[str],
    decided_on: date | None = None,
) -> Predicate:
    """An organisation under grants: each grant's categories within the licence, period and labels.

    Clauses are sorted, so the same grants give the same predicate in whatever order they came.
    """
    clauses = [
        Clause(shared, grant.scope.record_period, grant.scope.labels, None, grant.scope.record_ids)
        for grant in grants
        if (shared := grant.scope.categories & licensed)
    ]
    if not clauses:
        return NOTHING
    settled = tuple(clauses) if len(clauses) == 1 else _settled(clauses)
    return Predicate(settled, _provider(organisation_id), decided_on)


@lru_cache(maxsize=4096)
def _provider(organisation_id: str) -> frozenset[str]:
    """The audiences an organisation belongs to; asked for in every decision, and never different."""
    return frozenset((PROVIDERS, organisation_audience(organisation_id))) | QUARANTINE


def _settled(clauses: list[Clause]) -> tuple[Clause, ...]:
    """In one order; clauses that differ in their categories alone are one clause with all of these."""
    merged: dict[Clause, frozenset[str]] = {}
    for each in clauses:
        alike = each._replace(categories=frozenset())
        merged[alike] = merged.get(alike, frozenset()) | (each.categories or frozenset())
    whole = [alike._replace(categories=categories) for alike, categories in merged.items()]
    return tuple(sorted(whole, key=_place))


def _place(clause: Clause) -> tuple[object, ...]:
    period = clause.period
    ends = (str(period.first), str(period.last))
    named = clause.record_ids is not None, sorted(clause.record_ids or ())
    return (sorted(clause.categories or ()), ends, sorted(clause.labels or ()), named)
