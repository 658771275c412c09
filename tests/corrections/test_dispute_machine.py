"""Whatever is done in whatever order: what can be seen of a record agrees with its dispute."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from consent.predicate import author_eyes, granted_eyes, guardian_eyes, own_eyes
from tests.examples import examples
from wallet_api.corrections.disputes import DisputeDesk, DisputeParts, NotMine
from wallet_api.corrections.errors import CorrectionError
from wallet_api.corrections.memory import MemoryDisputes
from wallet_api.corrections.model import Dispute
from wallet_api.records.memory import MemoryRecords
from wallet_api.records.model import PartialDate, Record, Source

NOW = datetime(2026, 11, 3, 3, tzinfo=UTC)
ACTS = ("say", "say as guardian", "take back", "keep", "remove", "late keep", "resend")


class Machine:
    """One record of one person, and everything that can be done about whose it is."""

    def __init__(self) -> None:
        self.records, self.told, self.logged = MemoryRecords(), list[Dispute](), list[Dispute]()
        self.ticks = 0
        self.records.save([self._version(1)], None)
        parts = DisputeParts(
            disputes=MemoryDisputes(),
            hide=self.records.set_hidden,
            in_unit=self.records.in_unit,
            tell=lambda dispute, unit: self.told.append(dispute),
            replan=lambda citizen_id, unit: None,
            note_hiding=lambda citizen_id: None,
            name=lambda *parts: ":".join(parts),
            now=self._now,
        )
        self.desk = DisputeDesk(parts)

    def act(self, what: str) -> None:
        with suppress(CorrectionError):
            if what.startswith("say"):
                self._say("guardian" if what.endswith("guardian") else "self")
            elif what == "take back":
                found = self.desk.about("an", "r1", "self")
                self.desk.take_back(found, "self", "an", self.logged.append)
            elif what == "resend":
                self._resend()
            else:
                self._decide(what)

    def seen(self, predicate: Any) -> bool:
        return self.records.get("an", "r1", predicate) is not None

    def state(self) -> str | None:
        try:
            return self.desk.about("an", "r1", "self").state
        except CorrectionError:
            return None

    def _say(self, relation: Any) -> None:
        if self.seen(own_eyes()) or self.state() == "open":
            self.desk.open(NotMine("an", "r1", "condition", "bv", relation, relation), self.logged.append)

    def _decide(self, what: str) -> None:
        found = self.desk.about("an", "r1", "self")
        tag = frozenset({str(found.version - (what == "late keep"))})
        decision: Any = what.split()[-1]
        self.desk.decide(found.id, tag, decision, "source_confirmed", "reviewer", self.logged.append)

    def _resend(self) -> None:
        before = self.records.newest("an", ["r1"], None)["r1"]
        self.records.save([self._version(before.version + 1, before.hidden_from)], None)

    def _version(self, number: int, hidden: frozenset[str] = frozenset()) -> Record:
        source = Source("bv", None, "fhir-bundle", NOW)
        return Record(
            "r1",
            "an",
            number,
            "condition",
            PartialDate("2026"),
            NOW,
            source,
            {},
            str(number),
            hidden_from=hidden,
        )

    def _now(self) -> datetime:
        self.ticks += 1
        return NOW + timedelta(seconds=self.ticks)


@settings(max_examples=examples(200, 3000), deadline=None)
@given(acts=st.lists(st.sampled_from(ACTS), max_size=14))
def test_the_record_is_seen_while_nothing_speaks_against_it(acts: list[str]) -> None:
    machine, removed = Machine(), False
    for act in acts:
        machine.act(act)
        state = machine.state()
        shown = state in (None, "kept", "taken_back")
        assert machine.seen(own_eyes()) is shown
        assert machine.seen(guardian_eyes()) is shown
        assert machine.seen(granted_eyes("bv", (), frozenset())) is False
        assert machine.seen(author_eyes("bv")), "its author always reads it back"
        assert not removed or state == "removed", "removed is for good"
        removed = state == "removed"
    versions = [each.version for each in machine.told]
    assert versions == list(range(1, len(versions) + 1)), "the author hears of each step once"
