"""A reader's predicate in the database's words, and the days between which a page has to look.

What decides of most records is their category and day alone: no label restricts them, they are hidden from
nobody, and they tell an exact day. Of these `plain` holds both. Where the first day is bounded by the index
already, one look at `plain` spares the database all conditions of a clause; whatever is not plain is asked
them all. The embedded database judges each record in Python, so this is most of what a predicate costs it.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

from bson.regex import Regex

from consent.model import Period
from consent.predicate import Clause, Predicate
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.records.model import Record

Document = dict[str, Any]
_DAY = timedelta(days=1)


def plain_words(record: Record) -> str | None:
    """Category and day of a record of which nothing but these and hiding decides; None of any other.

    Hiding is left out: it changes without a new version, and is asked beside this.
    """
    day = record.occurred_on
    words = f"{record.category} {day.first_day.isoformat()}"
    return words if not record.labels and day.first_day == day.last_day else None


def bounds_of(predicate: Predicate) -> Period:
    """The days outside of which no clause admits anything."""
    firsts = [each.period.first for each in predicate.clauses]
    lasts = [each.period.last for each in predicate.clauses]
    first = min((day for day in firsts if day is not None), default=None)
    last = max((day for day in lasts if day is not None), default=None)
    return Period(None if None in firsts else first, None if None in lasts else last)


def narrowed(days: Document, bounds: Period, decided_on: date | None) -> Document:
    """The same bounds of `first_day`, no wider than the period; at most one on each side.

    A last day that had not passed when it was decided is left to the conditions: little lies behind it, and
    the embedded database judges each record by each bound. On a descending key it leaves the bound itself
    out of `$gte`: so the day before.
    """
    found = dict(days)
    if bounds.first is not None and bounds.first > date.min:
        before = (bounds.first - _DAY).isoformat()
        found["$gt"] = max(found.get("$gt", before), before)
    passed = bounds.last is not None and (decided_on is None or bounds.last < decided_on)
    if bounds.last is not None and passed:
        last = bounds.last.isoformat()
        if "$lt" not in found:
            found["$lte"] = min(found.get("$lte", last), last)
        elif found["$lt"] > last:
            del found["$lt"]
            found["$lte"] = last
    return found


class CompiledPredicates:
    """Compiles predicates for a store whose labels are tokens of a blind index."""

    def __init__(self, blind: BlindIndex) -> None:
        self._blind = blind

    def query(self, predicate: Predicate) -> Document:
        """What a record must meet. Without a clause it is a query that matches nothing."""
        if not predicate.clauses:
            return {"_id": {"$in": []}}
        clauses = [self._clause(each) for each in predicate.clauses]
        return _hidden(predicate) | (clauses[0] if len(clauses) == 1 else {"$or": clauses})

    def query_within(self, predicate: Predicate, bounds: Period) -> Document:
        """The same among records known not to begin before `bounds_of` the predicate."""
        whole = self.query(predicate)
        if not predicate.audiences:
            return whole
        open_ones = [each.categories for each in predicate.clauses if _asks_category_alone(each, bounds)]
        categories = frozenset(one for each in open_ones if each is not None for one in each)
        if not categories:
            return whole
        return {"$or": [{"plain": _plainly(categories, bounds.last), "hidden_from": []}, whole]}

    def _clause(self, clause: Clause) -> Document:
        compiled: Document = {}
        if clause.categories is not None:
            compiled["category"] = {"$in": sorted(clause.categories)}
        if clause.period.first is not None:
            compiled["first_day"] = {"$gte": clause.period.first.isoformat()}
        if clause.period.last is not None:
            compiled["last_day"] = {"$lte": clause.period.last.isoformat()}
        if clause.labels is not None:
            # Every label must be an opened one; a label nobody knows yet is not.
            opened = [self._blind.label_token(label) for label in sorted(clause.labels)]
            compiled["labels"] = {"$not": {"$elemMatch": {"$nin": opened}}} if opened else []
        if clause.author is not None:
            compiled["organisation_id"] = clause.author
        if clause.record_ids is not None:
            compiled["_id"] = {"$in": sorted(clause.record_ids)}
        return compiled


def _hidden(predicate: Predicate) -> Document:
    audiences = sorted(predicate.audiences)
    return {"hidden_from": {"$nin": audiences}} if audiences else {}


def _plainly(categories: frozenset[str], last: date | None) -> Regex[str]:
    """`plain_words` of one of these categories, until a day. The embedded database compares the words of an
    `$in` one by one, and a pattern in one go."""
    until = "" if last is None else _until(last.isoformat())
    return Regex(f"^(?:{'|'.join(map(re.escape, sorted(categories)))}) {until}")


def _until(last: str) -> str:
    """A pattern for the days, ten characters each, that are no later than this one.

    Each alternative shares its beginning with the last day, and is lower in the digit that follows.
    """
    lower = [f"{last[:at]}[0-{int(digit) - 1}]" for at, digit in enumerate(last) if digit in "123456789"]
    return f"(?:{'|'.join([*lower, last])})"


def _asks_category_alone(clause: Clause, bounds: Period) -> bool:
    """Whether a plain record between the bounds is admitted for its category."""
    return clause.period == bounds and clause.author is None and clause.record_ids is None
