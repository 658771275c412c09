"""What was seen of two books while they were one, so that whoever was shown a stranger's records is found.

It is read from the access logs of both books: nothing is noted beforehand, and nothing can be missed that was
shown at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from wallet_api.audit.log import AccessLog
from wallet_api.audit.model import Action, AuditEvent
from wallet_api.identity.merging import Merge

Side = Literal["surviving", "absorbed"]
MOST: Final = 500
_PAGE: Final = 100
_WRITTEN: Final = frozenset({Action.RECORD_WRITTEN, Action.RECORD_CORRECTED})


@dataclass(frozen=True)
class Seen:
    """A look at records of one of the books, or what the person wrote into it, while the two were one."""

    side: Side
    event: AuditEvent


@dataclass(frozen=True)
class Traces:
    """The newest `MOST` of each book. `looks`: to be judged for a breach notice. `writings`: whose they are
    is to be asked. `whole`: whether this is all there is."""

    looks: tuple[Seen, ...]
    writings: tuple[Seen, ...]
    whole: bool


def traces(log: AccessLog, merge: Merge, now: datetime) -> Traces:
    """Every look at either book that was permitted while the merge was in force, the newest first."""
    since, until = merge.joined_at, merge.parted_at or now
    if since is None:
        return Traces((), (), whole=True)
    sides: tuple[tuple[Side, str], ...] = (
        ("surviving", merge.surviving_id),
        ("absorbed", merge.absorbed_id),
    )
    looks, writings, whole = list[Seen](), list[Seen](), True
    for side, book in sides:
        found = [Seen(side, each) for each in _between(log, book, since, until)]
        whole = whole and len(found) <= MOST
        kept = found[:MOST]
        looks += [each for each in kept if each.event.record_count and each.event.action not in _WRITTEN]
        by_person = [each for each in kept if each.event.action in _WRITTEN and _by_citizen(each.event)]
        writings += by_person
    return Traces(_newest(looks), _newest(writings), whole)


def _between(log: AccessLog, book: str, since: datetime, until: datetime) -> Iterator[AuditEvent]:
    """The rows that count, one more than `MOST` at the most."""
    before: str | None = None
    found = 0
    while found <= MOST:
        batch = log.entries(book, before, _PAGE)
        for each in batch:
            counts = since <= each.event.at <= until and each.event.decision == "permit"
            if counts and (each.event.record_count or each.event.action in _WRITTEN):
                found += 1
                yield each.event
        if len(batch) < _PAGE or batch[-1].event.at < since:
            return
        before = batch[-1].entry_id


def _by_citizen(event: AuditEvent) -> bool:
    return event.actor_kind == "citizen"


def _newest(found: list[Seen]) -> tuple[Seen, ...]:
    return tuple(sorted(found, key=lambda each: each.event.at, reverse=True))
