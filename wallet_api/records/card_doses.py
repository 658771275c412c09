"""The doses of one book that may stand on a card for anybody's eyes, as they are now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from consent.decision import decide_shared
from consent.model import Period, Relation
from consent.predicate import Clause, Predicate
from wallet_api.audit.log import AccessLog
from wallet_api.audit.model import Action
from wallet_api.records.errors import CardRefused, NoDoses, RecordNotFound
from wallet_api.records.health_card import MOST_DOSES, is_told
from wallet_api.records.joined import joined
from wallet_api.records.model import Filter, Record
from wallet_api.records.ports import Records
from wallet_api.records.windows import Viewer, log_look, window_of_person


@dataclass(frozen=True)
class Wanted:
    """Whose doses, in which relation whoever asks stands to them, and which; None: all that can be told."""

    citizen_id: str
    relation: Relation
    record_ids: tuple[str, ...] | None
    others: tuple[str, ...] = ()
    """Books that continue in the citizen's and are one with it for whoever asks."""

    @property
    def predicate(self) -> Predicate:
        """What may be seen by whoever is shown a card: nothing restricted by a label, hidden or disputed."""
        named = None if self.record_ids is None else frozenset(self.record_ids)
        clause = Clause(frozenset({"immunization"}), Period(), frozenset(), None, named)
        return decide_shared(clause, by_guardian=self.relation == "guardian").predicate


@dataclass(frozen=True)
class Doses:
    """The doses that stand on cards, and what was left out because a card cannot tell it."""

    told: tuple[Record, ...]
    left_out: tuple[str, ...]


class CardDoses:
    """Reads doses for cards. Whatever it returns is already in the access log."""

    def __init__(self, records: Records, log: AccessLog, now: Callable[[], datetime]) -> None:
        self._records = records
        self._log = log
        self._now = now

    def look(self, viewer: Viewer, wanted: Wanted) -> Doses:
        """The doses, which leave the book now.

        Raises:
            RecordNotFound: one that was named is absent, another's, or not for a card's reader.
            CardRefused: one that was named cannot be told, or there are too many. NoDoses: there is none.
            LogUnavailable: the look could not be logged; nothing is shown.
        """
        found = self._found(wanted)
        _check(found, wanted)
        told = [each for each in found if is_told(each)]
        if not told:
            raise NoDoses(wanted.citizen_id)
        window = window_of_person(viewer, wanted.citizen_id, wanted.relation, wanted.others)
        log_look(self._log, window, Action.RECORD_EXPORTED, self._now(), told, {"card": "health_card"})
        return Doses(tuple(told), tuple(each.id for each in found if not is_told(each)))

    def unchanged(self, wanted: Wanted, shown: Sequence[Record]) -> bool:
        """Whether the same would be told once more: nothing was hidden, corrected or erased meanwhile."""
        now = {(each.id, each.version) for each in self._found(wanted)}
        return {(each.id, each.version) for each in shown} <= now

    def _found(self, wanted: Wanted) -> list[Record]:
        records, whose = joined(self._records, wanted.others), wanted.citizen_id
        return records.page(whose, wanted.predicate, Filter(), None, MOST_DOSES + 1)


def _check(found: Sequence[Record], wanted: Wanted) -> None:
    if len(found) > MOST_DOSES:
        raise CardRefused("/record_ids", "dose_count")
    by_id = {each.id: each for each in found}
    for index, record_id in enumerate(wanted.record_ids or ()):
        if record_id not in by_id:
            raise RecordNotFound(record_id)
        if not is_told(by_id[record_id]):
            raise CardRefused(f"/record_ids/{index}", "dose_untold")
