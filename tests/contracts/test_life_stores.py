"""Both stores of births, deaths and heirs keep the same promises; steps that are none change nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo.database import Database

from tests.contracts.ground import NOW, Ground
from tests.plans import plan_stages
from wallet_api.identity.births import Birth, BirthStore, MemoryBirths
from wallet_api.identity.deaths import (
    RULES,
    Death,
    DeathDesk,
    DeathStore,
    Line,
    MemoryDeaths,
    Stopped,
    years_after,
)
from wallet_api.identity.errors import (
    DeathStepRefused,
    HeirStepRefused,
    SecondPersonNeeded,
    StaleVersion,
    Taken,
)
from wallet_api.identity.heirs import Heir, HeirStore, MemoryHeirs
from wallet_api.identity.merge_desk import MemoryMerges, MergeStore
from wallet_api.identity.merging import Closed, Grounds, Merge, MergeLine
from wallet_api.infra.ids import new_id
from wallet_api.stores import births, deaths, heirs, merges
from wallet_api.stores.births import MongoBirths
from wallet_api.stores.deaths import MongoDeaths
from wallet_api.stores.heirs import MongoHeirs
from wallet_api.stores.merges import MongoMerges

Stores = tuple[BirthStore, DeathStore, Database[dict[str, Any]] | None]
Merges = tuple[MergeStore, Database[dict[str, Any]] | None]
Heirs = tuple[HeirStore, Database[dict[str, Any]] | None]


@pytest.fixture
def stores(ground: Ground | None) -> Stores:
    if ground is None:
        return MemoryBirths(), MemoryDeaths(), None
    ground.indexed((*births.INDEXES, *deaths.INDEXES))
    return MongoBirths(ground.db, ground.cipher), MongoDeaths(ground.db, ground.cipher), ground.db


@pytest.fixture
def merges_kept(ground: Ground | None) -> Merges:
    if ground is None:
        return MemoryMerges(), None
    ground.indexed(merges.INDEXES)
    return MongoMerges(ground.db, ground.cipher), ground.db


@pytest.fixture
def heirs_kept(ground: Ground | None) -> Heirs:
    if ground is None:
        return MemoryHeirs(), None
    ground.indexed(heirs.INDEXES)
    return MongoHeirs(ground.db, ground.cipher), ground.db


def test_heirs_come_back_and_are_found_by_death_and_by_person(heirs_kept: Heirs) -> None:
    kept, db = heirs_kept
    death, who = new_id(), new_id()
    told = [
        Heir(
            id=new_id(),
            death_id=death,
            citizen_id="d",
            heir_id=who,
            relation="child",
            evidence_kind="will",
            history=(Line("propose", "registrar", NOW + timedelta(minutes=n)),),
        )
        for n in range(2)
    ]
    for each in reversed(told):
        kept.add(each)
    with pytest.raises(Taken):
        kept.add(told[0])
    assert kept.of_death(death) == told == kept.of_person(who)
    assert kept.of_death(new_id()) == [] and kept.get(new_id()) is None
    given = told[0].decided("give", "reviewer", NOW)
    kept.save(given, expected=1)
    assert kept.get(given.id) == given
    with pytest.raises(StaleVersion):
        kept.save(given, expected=1)
    if db is not None:
        assert "child" not in str(db["heirs"].find_one({"_id": given.id}))
        for question in ({"death_id": death}, {"heir_id": who}, {"citizen_id": "d"}):
            assert any(stage.startswith("IXSCAN") for stage in plan_stages(db["heirs"], question))


def test_an_heir_looks_until_the_very_instant() -> None:
    line = Line("propose", "registrar", NOW)
    heir = Heir(new_id(), new_id(), new_id(), new_id(), "child", "will", (line,))
    assert not heir.stands_at(NOW)
    given = heir.decided("give", "reviewer", NOW)
    last = NOW + timedelta(days=RULES.heir_days)
    assert given.stands_at(last - timedelta(microseconds=1)) and not given.stands_at(last)
    for decision, state in (("give", "given"), ("end", "proposed"), ("refuse", "given")):
        with pytest.raises(HeirStepRefused):
            replace(heir, state=state).decided(decision, "reviewer", NOW)  # type: ignore[arg-type]


def merge_of(surviving: str = "", absorbed: str = "", minutes: int = 0, **over: Any) -> Merge:
    line = MergeLine("propose", "registrar", NOW + timedelta(minutes=minutes), "number_reissued")
    grounds = Grounds("number_reissued", "reissue_decision", "QD-1", frozenset({"two_numbers"}))
    return replace(Merge(new_id(), surviving or new_id(), absorbed or new_id(), grounds, (line,)), **over)


def test_a_merge_comes_back_as_it_was_kept(merges_kept: Merges) -> None:
    kept, db = merges_kept
    whole = merge_of(closed=(Closed(new_id(), new_id()),), relations=(new_id(),), state="joined", done=False)
    kept.add(whole)
    assert kept.get(whole.id) == whole and kept.get(new_id()) is None
    assert kept.of(whole.surviving_id) == [whole] == kept.of(whole.absorbed_id) and kept.of(new_id()) == []
    with pytest.raises(StaleVersion):
        kept.save(whole, expected=7)
    if db is not None:
        row = db["merges"].find_one({"_id": whole.id})
        assert row is not None and "QD-1" not in repr(row)
        for question in (
            {"state": "proposed", "place": {"$gt": whole.place}},
            {"surviving_id": whole.surviving_id},
            {"absorbed_id": whole.absorbed_id},
        ):
            stages = plan_stages(db["merges"], question)
            assert any(stage.startswith("IXSCAN") for stage in stages), (question, stages)
        db["merges"].update_one({"_id": whole.id}, {"$unset": {"content": ""}})
        (link,) = kept.of(whole.absorbed_id)
        assert (link.surviving_id, link.grounds.paper_number) == (whole.surviving_id, ""), "the link stays"


def test_a_book_is_absorbed_once_at_a_time(merges_kept: Merges) -> None:
    kept, _ = merges_kept
    first = merge_of()
    kept.add(first)
    with pytest.raises(Taken):
        kept.add(merge_of(absorbed=first.absorbed_id))
    later = merge_of(surviving=first.surviving_id, minutes=1)
    kept.add(later)
    assert kept.of(first.surviving_id) == [first, later] == kept.listed("proposed", None, 2)
    assert kept.listed("proposed", first.place, 5) == [later]
    kept.save(replace(first, state="refused", version=2), expected=1)
    kept.add(merge_of(absorbed=first.absorbed_id))


def dead(whose: str = "", minutes: int = 0, **over: Any) -> Death:
    line = Line("report", "registrar", NOW + timedelta(minutes=minutes))
    base = Death(new_id(), whose or new_id(), date(2026, 11, 1), "death_certificate", "KT-1", (line,))
    return replace(base, **over)


def test_of_a_child_the_first_birth_stays(stores: Stores) -> None:
    kept, _, _ = stores
    child = new_id()
    first = Birth(child, date(2026, 11, 1), 1, "birth_record", "CS-1", "bs-1", "org", NOW)
    kept.add(first)
    kept.add(replace(first, paper_number="CS-2"))
    assert kept.of(child) == first and kept.of(new_id()) is None


def test_a_death_comes_back_as_it_was_kept(stores: Stores) -> None:
    _, kept, _ = stores
    whole = dead(
        grants=(Stopped(new_id(), new_id(), NOW), Stopped(new_id(), new_id(), None)),
        relations=(new_id(),),
        done=False,
    )
    kept.add(whole)
    assert kept.get(whole.id) == whole and kept.get(new_id()) is None


def test_a_person_has_one_that_stands(stores: Stores) -> None:
    _, kept, _ = stores
    first = dead()
    kept.add(first)
    with pytest.raises(Taken):
        kept.add(dead(first.citizen_id))
    kept.save(replace(first, state="refused", version=2), expected=1)
    kept.add(dead(first.citizen_id))
    with pytest.raises(StaleVersion):
        kept.save(replace(first, version=2), expected=1)


def test_of_all_who_report_at_once_one_does(stores: Stores) -> None:
    _, kept, _ = stores
    whose = new_id()

    def add(_: int) -> bool:
        try:
            kept.add(dead(whose))
        except Taken:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(add, range(4))).count(True) == 1


def test_lists_are_by_time_and_what_is_due_by_its_day(stores: Stores) -> None:
    _, kept, db = stores
    told = [dead(minutes=n, died_on=date(2016 - n, 1, 1), state="confirmed") for n in range(3)]
    for each in reversed(told):
        kept.add(each)
    assert kept.listed("confirmed", None, 2) == told[:2]
    assert kept.listed("confirmed", told[0].place, 5) == told[1:]
    assert kept.listed("reported", None, 5) == []
    assert kept.due(date(2026, 1, 1), 5) == [told[2], told[1]], "the last day itself is still kept"
    assert kept.due(date(2026, 1, 2), 5) == [told[2], told[1], told[0]]
    if db is not None:
        for question in (
            {"state": "confirmed", "place": {"$gt": told[0].place}},
            {"state": "confirmed", "keep_until": {"$lt": "2026-01-02"}},
            {"citizen_id": told[0].citizen_id},
        ):
            stages = plan_stages(db["deaths"], question)
            assert any(stage.startswith("IXSCAN") for stage in stages), (question, stages)


def test_years_end_on_the_same_day() -> None:
    assert years_after(date(2026, 11, 1), 10) == date(2036, 11, 1)
    assert years_after(date(2024, 2, 29), 10) == date(2034, 2, 28)


class Effects:
    """Counts what is shut and stopped; breaks off where it is told to."""

    def __init__(self) -> None:
        self.is_shut = self.is_stopped = False
        self.breaks: str | None = None

    def _at(self, step: str) -> None:
        if self.breaks == step:
            self.breaks = None
            raise RuntimeError("planted")

    def shut(self, death: Death) -> None:
        self.is_shut = True
        self._at("shut")

    def open(self, death: Death) -> None:
        self.is_shut = False
        self._at("open")

    def found(self, death: Death) -> Death:
        self._at("found")
        return replace(death, relations=("r",))

    def stop(self, death: Death) -> None:
        assert self.is_shut, "nothing is stopped before all is shut"
        self.is_stopped = True
        self._at("stop")

    def put_back(self, death: Death) -> None:
        self.is_stopped = False
        self._at("put_back")


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["confirm", "refuse", "reverse"]),
        st.sampled_from(["registrar", "reviewer"]),
        st.sampled_from([None, "shut", "found", "stop", "put_back", "open"]),
    ),
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_whatever_is_decided_in_whatever_order_the_wallet_is_as_the_state_says(steps: list[Any]) -> None:
    effects = Effects()
    desk = DeathDesk(MemoryDeaths(), effects, lambda: NOW)
    made = desk.report(new_id(), new_id(), date(2026, 11, 1), "death_certificate", "KT-1", "registrar")
    for decision, by, breaks in steps:
        before, effects.breaks = desk.get(made.id), breaks
        try:
            desk.decide(made.id, decision, by, None)
        except SecondPersonNeeded:
            assert by == "registrar" and desk.get(made.id) == before
        except DeathStepRefused:
            assert desk.get(made.id) == before
        except RuntimeError:
            assert not desk.get(made.id).done
        now = desk.get(made.id)
        assert (before.state, now.state) in {
            (before.state, before.state),
            ("reported", "confirmed"),
            ("reported", "refused"),
            ("confirmed", "reversed"),
        }
        if now.done:
            closed = now.state == "confirmed"
            assert (effects.is_shut, effects.is_stopped) == (closed, closed)
        elif now.state == "confirmed":
            assert effects.is_shut, "what closes comes first"
    assert {each.by for each in desk.get(made.id).history[1:]} <= {"reviewer"}
