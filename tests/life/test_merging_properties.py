"""Whatever happens to two books: merging and parting them is nothing, nothing is lost, nobody sees more.

The real services over stores in memory, so that many made-up lives can be tried.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.access import AccessService, ReadRefused
from consent.co_consent import CoConsentService
from consent.errors import AccessRefused, ConsentEnded, RequestNotFound
from consent.memory import MemoryConsents
from consent.model import Answer, Licence, Period, Scope
from consent.notices import notice_for
from consent.predicate import GUARDIANS, PROVIDERS, SAFETY, Predicate, guardian_eyes, own_eyes
from consent.service import Proposal
from tests.consent.builders import NOW, make_actor
from tests.contracts.test_record_stores import a_record
from tests.examples import examples
from wallet_api.audit.log import AccessLog
from wallet_api.audit.memory import MemoryAuditStore
from wallet_api.audit.model import ActorKind
from wallet_api.identity.family import Family
from wallet_api.identity.memory import MemoryCitizens, MemoryGuardianships, MemoryReviews
from wallet_api.identity.merge_desk import MemoryMerges, MergeDesk
from wallet_api.identity.merging import Grounds
from wallet_api.identity.model import Identifier, Profile
from wallet_api.identity.people import People
from wallet_api.infra.crypto.cursors import CursorSealer
from wallet_api.infra.crypto.keystore import MemoryKeyStore
from wallet_api.infra.ids import new_id
from wallet_api.records.joined import JoinedRecords
from wallet_api.records.memory import MemoryRecords
from wallet_api.records.model import Filter, PartialDate, Position, Record, Source
from wallet_api.records.pages import PageCursors
from wallet_api.records.reader import ReaderParts, Readers
from wallet_api.records.safety import MemoryFlags, SafetyFlag
from wallet_api.records.windows import Viewer
from wallet_api.wiring.joined_safety import JoinedSafety
from wallet_api.wiring.merging import WalletMergeEffects

BOOKS = ("surviving", "absorbed")
LICENCE = Licence(frozenset({"TREAT"}), frozenset({"condition"}))
GROUNDS = Grounds("number_reissued", "reissue_decision", "QD-1", frozenset({"two_numbers"}))
ORG = "org"
Seen = dict[str, frozenset[str]]


class Lives:
    """Two books, a guardian of both, one of the surviving book alone, and an organisation asking for each."""

    def __init__(self) -> None:
        self.time = NOW
        self.numbers = count(1)
        self.people = People(MemoryCitizens(), MemoryReviews(), self.now, new_id, lambda _: 0)
        self.family = Family(MemoryGuardianships(), self.people, self.now, new_id)
        self.consents, self.records = MemoryConsents(), MemoryRecords()
        self.consent = CoConsentService(self.consents, lambda _: LICENCE, self.now, new_id)
        self.access = AccessService(self.consents, lambda _: LICENCE, self.now)
        self.log = AccessLog(MemoryAuditStore(), self.now)
        self.ids = {name: self._person(date(2015, 5, 4)) for name in BOOKS}
        self.guardians = {"of both": self._person(date(1990, 1, 1)), "of one": self._person(date(1991, 1, 1))}
        self.relations = {
            (who, name): self._guard(who, name)
            for who, name in (("of both", "surviving"), ("of both", "absorbed"), ("of one", "surviving"))
        }
        merges = MemoryMerges()
        kept_still = SimpleNamespace(follow=lambda *_: None, leave=lambda *_: None)
        identity = SimpleNamespace(people=self.people, family=self.family)
        self.safety = JoinedSafety(MemoryFlags(), self.records, merges)
        parts: Any = (identity, self.consent, kept_still, self.safety, merges, lambda _: None, self.now)
        self.desk = MergeDesk(merges, WalletMergeEffects(*parts), self.now)
        self.merge_id: str | None = None
        self.merged_at = NOW
        self.flags: dict[str, list[SafetyFlag]] = {name: [] for name in BOOKS}
        self.written: dict[str, set[str]] = {name: set() for name in BOOKS}

    def now(self) -> datetime:
        return self.time

    def close(self) -> None:
        self.log.close()

    # --- what happens ----------------------------------------------------------------------------------

    def write(self, name: str) -> None:
        self.time += timedelta(minutes=1)
        book, source = self.ids[name], Source(ORG, "dr", "fhir-bundle", self.time)
        made = a_record(
            id=new_id(),
            citizen_id=book,
            labels=frozenset(),
            recorded_at=self.time,
            source=source,
            hidden_from=self.safety.hidden_for(book, ORG, self.time),
        )
        self.records.save([made], None)
        self.written[name].add(made.id)

    def hide(self, name: str, audience: str) -> None:
        for each in sorted(self.written[name])[:1]:
            self.records.set_hidden(self.ids[name], each, audience, hidden=True)

    def flag(self, name: str) -> None:
        self.time += timedelta(minutes=1)
        since, by = self.time - timedelta(minutes=2), "ops"
        made = SafetyFlag(new_id(), self.ids[name], ORG, "child_abuse", since, by, self.time)
        self.flags[name].append(self.safety.set(made))

    def lift(self, name: str) -> None:
        if self.flags[name]:
            self.safety.lift(self.flags[name].pop(0).id, self.time)

    def covered(self) -> set[str]:
        """What flags cover, by what was promised of them."""
        found = set[str]()
        for name, other in (BOOKS, BOOKS[::-1]):
            since = [flag.since for flag in self.flags[name]]
            if self.merge_id is not None:
                since += [self._since(flag) for flag in self.flags[other]]
            written = self._records_of(name)
            found |= {each.id for each in written if any(each.source.received_at >= one for one in since)}
        return found

    def _since(self, flag: SafetyFlag) -> datetime:
        """From when on a flag covers the other book: all along if both were one when it was raised."""
        return flag.since if flag.set_at > self.merged_at else max(flag.since, self.merged_at)

    def hidden(self) -> set[str]:
        """What is hidden because of flags."""
        both = [each for name in BOOKS for each in self._records_of(name)]
        return {each.id for each in both if SAFETY in each.hidden_from}

    def _records_of(self, name: str) -> Collection[Record]:
        return self.records.newest(self.ids[name], sorted(self.written[name]), None).values()

    def grant(self, name: str) -> None:
        scope = Scope(ORG, None, "TREAT", frozenset({"condition"}), Period(), self.time + timedelta(days=300))
        asked = self.consent.propose(Proposal(self.ids[name], scope, "dr", "khám"))
        version = notice_for("TREAT", "vi").version
        try:
            self.consent.approve(self.ids[name], asked.id, Answer(version, "vi"), make_actor())
        except RequestNotFound:
            return  # blocked: nothing is asked of whom they block

    def withdraw(self, name: str) -> None:
        for each in self.consent.grants(self.ids[name], 50, None):
            if each.state == "granted":
                self.consent.withdraw(self.ids[name], each.id, None, make_actor())

    def block(self, name: str, *, blocked: bool) -> None:
        for book in self.desk.books_of(self.ids[name]):
            self.consent.block(book, ORG, blocked=blocked)

    def end_guardianship(self, name: str) -> None:
        self.family.end(self.relations["of both", name])

    def merge(self) -> None:
        if self.merge_id is None:
            made = self.desk.propose(new_id(), self.ids["surviving"], self.ids["absorbed"], GROUNDS, "one")
            self.time += timedelta(days=7)
            self.merged_at = self.time
            self.desk.decide(made.id, "confirm", "two", None)
            self.merge_id = made.id

    def part(self) -> None:
        if self.merge_id is not None:
            self.desk.decide(self.merge_id, "part", "one", "two_people")
            self.desk.decide(self.merge_id, "confirm_parting", "two", None)
            self.merge_id = None

    # --- what is seen ----------------------------------------------------------------------------------

    def seen(self) -> Seen:
        """What everybody sees of everything they may name."""
        found: Seen = {}
        for name, book in self.ids.items():
            citizen = self.people.citizen(book)
            if citizen.continues_in is None:
                found[f"own {name}"] = self._read(book, book, "self", citizen.joined)
            for who, guardian in self.guardians.items():
                others = self.family.books_of(guardian, book, self.time)
                told = frozenset[str]() if others is None else self._read(guardian, book, "guardian", others)
                found[f"guardian {who}: {name}"] = told
            found[f"granted {name}"] = self._granted(book)
        return found

    def allowed(self) -> Seen:
        """What each may see of each book by a right to that very book, as if there were no merge."""
        found: Seen = {}
        for name, book in self.ids.items():
            found[f"own {name}"] = self._ids(book, own_eyes())
            for who, guardian in self.guardians.items():
                stands = self.family.acts_for(guardian, book, self.time)
                eyes = self._ids(book, guardian_eyes()) if stands else frozenset[str]()
                found[f"guardian {who}: {name}"] = eyes
            found[f"granted {name}"] = self._granted(book)
        return found

    def _ids(self, book: str, eyes: Predicate) -> frozenset[str]:
        return self.records.admitted_ids(book, eyes)

    def _readers(self) -> Readers:
        cursors = PageCursors(CursorSealer(MemoryKeyStore()), self.now)
        nothing: Callable[..., Any] = lambda *_: None  # noqa: E731 - said where it is used
        plans: Any = None
        return Readers(
            ReaderParts(self.records, self.access, nothing, nothing, plans, self.log, cursors, self.now)
        )

    def _read(self, who: str, book: str, relation: Any, others: tuple[str, ...]) -> frozenset[str]:
        viewer = Viewer(ActorKind.CITIZEN, who, "request", "app")
        reader = self._readers().of_person(viewer, book, relation, others)
        page = reader.page(Filter(), None, 1000)
        assert page.next_cursor is None
        return frozenset(each.id for each in page.records)

    def _granted(self, book: str) -> frozenset[str]:
        viewer = Viewer(ActorKind.PRACTITIONER, "dr", "request", "app", ORG, "dr")
        try:
            session = self.access.open_session(book, ORG, "dr", "TREAT")
            reader = self._readers().granted(viewer, session, lambda _: None)
        except (ReadRefused, AccessRefused, ConsentEnded):
            return frozenset()
        return frozenset(each.id for each in reader.page(Filter(), None, 1000).records)

    def _person(self, born: date) -> str:
        number = Identifier("national_id", f"0012{next(self.numbers):08d}", date(2000, 1, 1))
        return self.people.register(Profile("Lê Thị Thử", born, "female"), [number])

    def _guard(self, who: str, name: str) -> str:
        made = self.family.establish(
            self.guardians[who],
            self.ids[name],
            relation="adult",
            evidence_kind="court_decision",
            valid_from=date(2020, 1, 1),
            verified_by="registrar",
        )
        return made.id


STEPS: dict[str, Callable[[Lives], None]] = {
    **{f"write {name}": lambda lives, name=name: lives.write(name) for name in BOOKS},
    **{f"hide {name} from providers": lambda lives, name=name: lives.hide(name, PROVIDERS) for name in BOOKS},
    **{f"hide {name} from guardians": lambda lives, name=name: lives.hide(name, GUARDIANS) for name in BOOKS},
    **{f"flag {name}": lambda lives, name=name: lives.flag(name) for name in BOOKS},
    **{f"lift a flag of {name}": lambda lives, name=name: lives.lift(name) for name in BOOKS},
    **{f"grant {name}": lambda lives, name=name: lives.grant(name) for name in BOOKS},
    **{f"withdraw {name}": lambda lives, name=name: lives.withdraw(name) for name in BOOKS},
    **{f"block {name}": lambda lives, name=name: lives.block(name, blocked=True) for name in BOOKS},
    **{f"unblock {name}": lambda lives, name=name: lives.block(name, blocked=False) for name in BOOKS},
    **{f"end guardian of {name}": lambda lives, name=name: lives.end_guardianship(name) for name in BOOKS},
    "merge": Lives.merge,
    "part": Lives.part,
}
BEFORE = sorted(set(STEPS) - {"merge", "part"})


@settings(max_examples=examples(40, 2000), deadline=None)
@given(st.lists(st.sampled_from(BEFORE), max_size=12))
def test_merging_and_parting_changes_nothing_that_anybody_sees(steps: list[str]) -> None:
    lives = Lives()
    try:
        for each in ("write surviving", "write absorbed", *steps):
            STEPS[each](lives)
        before = lives.seen()
        lives.merge()
        assert lives.seen()["own surviving"] == before["own surviving"] | before["own absorbed"]
        lives.part()
        assert lives.seen() == before
    finally:
        lives.close()


@settings(max_examples=examples(60, 3000), deadline=None)
@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=20))
def test_nothing_is_lost_and_nobody_sees_what_no_right_of_theirs_opens(steps: list[str]) -> None:
    lives = Lives()
    try:
        for each in steps:
            STEPS[each](lives)
            seen, allowed = lives.seen(), lives.allowed()
            merged = lives.merge_id is not None
            whole = allowed["own surviving"] | allowed["own absorbed"]
            assert seen["own surviving"] == (whole if merged else allowed["own surviving"])
            assert whole == lives.written["surviving"] | lives.written["absorbed"], "nothing is lost"
            assert lives.hidden() == lives.covered()
            for who in lives.guardians:
                one, other = (allowed[f"guardian {who}: {name}"] for name in BOOKS)
                stands = lives.family.acts_for(lives.guardians[who], lives.ids["surviving"], lives.time)
                both = one | other if merged and stands else one
                assert seen[f"guardian {who}: surviving"] == both
                assert seen[f"guardian {who}: absorbed"] == other
            blocked = {name for name in BOOKS if ORG in lives.consent.blocked(lives.ids[name])}
            for name in BOOKS:
                granted = seen[f"granted {name}"]
                assert granted <= lives.written[name], "a consent never reaches the other book"
                assert not granted or not (blocked if merged else blocked & {name})
            assert not merged or blocked in (set(), set(BOOKS))
    finally:
        lives.close()


days = st.dates(date(2020, 1, 1), date(2020, 1, 9))


@settings(max_examples=examples(60, 3000), deadline=None)
@given(st.lists(st.tuples(st.sampled_from(BOOKS), days), max_size=14), st.integers(1, 5), st.booleans())
def test_pages_of_two_books_are_the_pages_of_one(
    found: list[tuple[str, date]], limit: int, oldest_first: bool
) -> None:
    kept, whole = MemoryRecords(), MemoryRecords()
    for number, (book, day) in enumerate(found):
        made = a_record(id=f"r{number:02d}", citizen_id=book, occurred_on=PartialDate(day.isoformat()))
        kept.save([made], None)
        whole.save([replace(made, citizen_id="surviving")], None)
    both, asked = JoinedRecords(kept, lambda _: ("absorbed",)), Filter(oldest_first=oldest_first)
    after, ids = None, list[str]()
    while page := both.page("surviving", own_eyes(), asked, after, limit):
        ids += [each.id for each in page]
        after = Position(page[-1].occurred_on.first_day.isoformat(), page[-1].id)
    assert ids == [each.id for each in whole.page("surviving", own_eyes(), asked, None, 100)]
    following, at = list[str](), ""
    while listed := both.following("surviving", at, own_eyes(), limit):
        following += [each.id for each in listed]
        at = following[-1]
    assert following == sorted(ids)
    assert both.count("surviving", own_eyes()) == whole.count("surviving", own_eyes())
    assert both.admitted_ids("surviving", own_eyes()) == set(ids)
    named = both.admitted("surviving", ids, own_eyes())
    assert set(named) == set(ids)
    for each in ids:
        record = both.get("surviving", each, own_eyes())
        assert record is not None and both.versions("surviving", each, own_eyes()) == [record]


def test_one_book_alone_is_read_as_it_is() -> None:
    kept = MemoryRecords()
    made = a_record(id="r", citizen_id="surviving")
    kept.save([made], None)
    alone = JoinedRecords(kept, lambda _: ())
    today = date(2026, 11, 23)
    assert alone.front("surviving", own_eyes(), today) == kept.front("surviving", own_eyes(), today)
    assert alone.history("surviving") == kept.history("surviving")
    both = JoinedRecords(kept, lambda _: ("absorbed",))
    before = both.history("surviving")
    assert before.steps and before.since(before.base) == before.steps
    kept.save([a_record(id="s", citizen_id="absorbed")], None)
    assert [each.touched[0].record_id for each in both.history("surviving").since(before.mark)] == ["s"]
    with pytest.raises(Exception, match="mark"):
        both.history("surviving").since("unknown")
