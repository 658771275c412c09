"""What planning by the rules keeps: stamped plans, cursors of walks, rebuilds; in memory and in MongoDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import bson
import pytest
from pymongo.database import Database

from notifications.effects import Effect, Range
from notifications.errors import StaleRebuild
from notifications.memory import MemoryDueItems
from notifications.memory_walks import MemoryRebuilds, MemoryWalks
from notifications.ports import DueItems, DueRow
from notifications.rebuilds import Preview, Rebuild, Rebuilds
from notifications.reminders import shard_of
from notifications.rules import Hold, Stamp
from notifications.walks import Walks
from tests.contracts.ground import NOW, Ground
from tests.contracts.notifications_builders import make_item
from tests.contracts.test_notification_queries import ASKED, explained
from wallet_api.stores import due_items, rebuilds, walks

DAY = date(2026, 11, 3)
LEASE = timedelta(seconds=60)
STAMP = Stamp("rules-1", DAY, {"epi_routine": {"before_7": -7, "on_day": 0}})


@dataclass(frozen=True)
class Kept:
    due: DueItems
    walks: Walks
    rebuilds: Rebuilds
    db: Database[dict[str, Any]] | None


@pytest.fixture
def kept(ground: Ground | None) -> Iterator[Kept]:
    if ground is None:
        yield Kept(MemoryDueItems(), MemoryWalks(), MemoryRebuilds(), None)
        return
    ground.indexed([*due_items.INDEXES, *walks.INDEXES, *rebuilds.INDEXES])
    db = ground.db
    stores = due_items.MongoDueItems(db, ground.cipher), walks.MongoWalks(db), rebuilds.MongoRebuilds(db)
    yield Kept(*stores, db)
    ASKED.commands = None


def neighbours(count: int) -> list[str]:
    """People of one shard, in the order of their ids."""
    shard = shard_of("c0")
    return sorted([c for c in (f"c{n}" for n in range(3000)) if shard_of(c) == shard][:count])


def make_rebuild(name: str = "r1", **over: object) -> Rebuild:
    base = Rebuild(name, "rules-2", False, (0, 1, 2), (0, 2), "an", NOW)
    return replace(base, **over)  # type: ignore[arg-type]  # builder: names are checked by replace itself


PREVIEW = Preview(
    200,
    1,
    {("epi_routine", "measles"): Effect(12, 3, 1), ("annual_checkup", "annual_checkup"): Effect(vanish=2)},
    Range(12, 18, 40),
    Range(5, 8, 12),
    Range(1, 2, 3),
)


def test_a_plan_is_kept_with_its_stamp(kept: Kept) -> None:
    items = (make_item(), make_item(dose=2))
    kept.due.replace("child", items, DAY, stamp=STAMP)
    assert kept.due.row("child") == DueRow("child", items, DAY, STAMP)
    held = replace(STAMP, hold=Hold(DAY + timedelta(days=5), frozenset({items[0].identity})))
    kept.due.replace("child", items, DAY, stamp=held)
    assert kept.due.row("child") == DueRow("child", items, DAY, held)
    kept.due.replace("child", (), None)
    assert kept.due.row("child") == DueRow("child", (), None, None)
    assert kept.due.row("nobody") is None


def test_plans_of_a_shard_come_page_by_page_and_each_once(kept: Kept) -> None:
    people = neighbours(7)
    for place, citizen in enumerate(people):
        kept.due.replace(citizen, (make_item(),), DAY - timedelta(days=place), stamp=STAMP)
    kept.due.replace("elsewhere", (), None)
    seen, after = [], ""
    while page := kept.due.rows(shard_of("c0"), after, 3):
        assert len(page) <= 3 and all(row.stamp == STAMP and row.items == (make_item(),) for row in page)
        seen += [row.citizen_id for row in page]
        after = seen[-1]
        kept.due.replace(after, (make_item(),), DAY + timedelta(days=30), stamp=STAMP)  # moves nobody
    assert seen == people


def test_a_damaged_plan_is_found_as_one(kept: Kept) -> None:
    if kept.db is None:
        pytest.skip("nothing is sealed in memory")
    kept.due.replace("child", (make_item(),), DAY, stamp=STAMP)
    kept.db["due_items"].update_one({"_id": "child"}, {"$inc": {"revision": 1}})
    assert kept.due.row("child") == DueRow("child", None, DAY, None)


def test_a_dump_of_plans_names_no_dose_and_no_offset(kept: Kept) -> None:
    if kept.db is None:
        pytest.skip("nothing is sealed in memory")
    kept.due.replace("child", (make_item(),), DAY, stamp=STAMP)
    dump = bson.encode(kept.db["due_items"].find_one() or {})
    assert b"rules-1" in dump and not [
        word for word in (b"measles", b"epi_routine", b"on_day") if word in dump
    ]


def test_a_shard_is_held_by_one_walker_and_lapses_with_its_lease(kept: Kept) -> None:
    kept.walks.open("w", [3, 4])
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: kept.walks.claim("w", 3, NOW, LEASE), range(8)))
    [mine] = [each for each in claims if each is not None]
    assert (mine.after, mine.done, dict(mine.counts)) == ("", False, {})
    assert kept.walks.claim("w", 3, NOW + LEASE - timedelta(seconds=1), LEASE) is None
    later = kept.walks.claim("w", 3, NOW + LEASE, LEASE)
    assert later is not None, "a walker that was killed does not hold its shard for ever"
    assert not kept.walks.advance(mine, "zz", {"rows": 9}, done=True), "the old one changes nothing"
    assert kept.walks.advance(later, "c7", {"rows": 2, "appear/p.x/s": 1}, done=False)
    assert not kept.walks.advance(later, "c9", {"rows": 2}, done=False), "nor does anybody twice"
    again = kept.walks.claim("w", 3, NOW, LEASE)
    assert again is not None and (again.after, dict(again.counts)) == ("c7", {"rows": 2, "appear/p.x/s": 1})
    assert kept.walks.advance(again, "c9", {"rows": 1}, done=True)
    assert kept.walks.claim("w", 3, NOW + 2 * LEASE, LEASE) is None, "what is done is not begun anew"
    assert kept.walks.claim("w", 9, NOW, LEASE) is None and kept.walks.claim("other", 3, NOW, LEASE) is None


def test_opening_a_walk_again_moves_no_cursor_back(kept: Kept) -> None:
    kept.walks.open("w", [1, 0])
    cursor = kept.walks.claim("w", 1, NOW, LEASE)
    assert cursor is not None and kept.walks.advance(cursor, "c5", {"rows": 5}, done=False)
    kept.walks.open("w", [0, 1, 2])
    assert [(c.shard, c.after, dict(c.counts)) for c in kept.walks.of("w")] == [
        (0, "", {}),
        (1, "c5", {"rows": 5}),
        (2, "", {}),
    ]


def test_rebuilds_move_by_compare_and_set(kept: Kept) -> None:
    first = make_rebuild()
    kept.rebuilds.add(first)
    kept.rebuilds.add(make_rebuild(asked_by="somebody else"))
    assert kept.rebuilds.get("r1") == first and kept.rebuilds.get("absent") is None
    moved = replace(
        first, state="running", version=2, preview=PREVIEW, from_day=DAY, over_days=3, decided_by="binh"
    )
    kept.rebuilds.save(moved, expected=1)
    assert kept.rebuilds.get("r1") == moved
    with pytest.raises(StaleRebuild):
        kept.rebuilds.save(replace(first, version=2), expected=1)
    with pytest.raises(StaleRebuild):
        kept.rebuilds.save(make_rebuild("absent", version=2), expected=1)
    done = replace(moved, state="done", version=3, ended_at=NOW + LEASE)
    kept.rebuilds.save(done, expected=2)
    assert kept.rebuilds.get("r1") == done


def test_rebuilds_are_listed_newest_first_and_the_unfinished_oldest_first(kept: Kept) -> None:
    for minutes, state in enumerate(("done", "running", "waiting", "cancelled", "previewing")):
        made = make_rebuild(f"r{minutes}", asked_at=NOW + timedelta(minutes=minutes), state=state)
        kept.rebuilds.add(made)
    assert [each.id for each in kept.rebuilds.newest(3)] == ["r4", "r3", "r2"]
    assert [each.id for each in kept.rebuilds.unfinished()] == ["r1", "r2", "r4"]


HOT: dict[str, Callable[[Kept], object]] = {
    "row": lambda k: k.due.row("child"),
    "rows": lambda k: k.due.rows(shard_of("child"), "a", 10),
    "walk open": lambda k: k.walks.open("w", [1, 2]),
    "walk claim": lambda k: k.walks.claim("w", 1, NOW, LEASE),
    "walk of": lambda k: k.walks.of("w"),
    "rebuild": lambda k: k.rebuilds.get("r1"),
    "unfinished rebuilds": lambda k: k.rebuilds.unfinished(),
    "newest rebuilds": lambda k: k.rebuilds.newest(5),
}


@pytest.mark.parametrize("name", HOT)
def test_a_hot_query_uses_an_index(name: str, kept: Kept) -> None:
    if kept.db is None:
        pytest.skip("there is nothing to explain in memory")
    kept.due.replace("child", (make_item(),), DAY, stamp=STAMP)
    kept.walks.open("w", [1])
    kept.rebuilds.add(make_rebuild())
    ASKED.commands = []
    HOT[name](kept)
    asked, ASKED.commands = ASKED.commands, None
    reads = [command for command in asked if {"find", "aggregate"} & command.keys()]
    assert reads
    for command in reads:
        plan = explained(kept.db, command)
        scanned = "COLLSCAN" in plan and name != "newest rebuilds"  # a few documents, sorted by an index
        assert not scanned, f"{name} reads a whole collection: {command}"
