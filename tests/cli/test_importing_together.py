"""Files about different people are filed together: as they would be alone, in far fewer commands."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.model import DueItem
from tests.cli.test_importing import reported, taken
from tests.contracts.test_notification_queries import ASKED, explained
from tests.environment import world_here
from tests.world import READS, Doctor, Person, World, bundle, condition, immunization, observation
from wallet_api.cli import import_lots, importing
from wallet_api.cli.import_lots import LOT, LOT_BYTES, MOST_ROWS, apart, in_lots
from wallet_api.infra.clock import vn_day
from wallet_api.records.bundle import read_bundle
from wallet_api.records.errors import StaleRecord
from wallet_api.records.intake import Sender
from wallet_api.records.model import Record
from wallet_api.records.safety import SafetyDesk, SafetyFlag
from wallet_api.stores.book_visibility import BookVisibility
from wallet_api.stores.intakes import MongoIntakes
from wallet_api.stores.records import MongoRecords

CHILD = date(2026, 1, 2)
HPV = {"born": date(2014, 5, 4)}


@pytest.fixture(scope="module")
def here(embedded_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        yield from world_here(embedded_uri, tmp_path_factory.mktemp("together"), patch)


def people(world: World, doctor: Doctor) -> list[Person]:
    """One of each kind: somebody without a book, a child with reminders, with a book, and with a flag."""
    blank = world.person()
    child = world.child_of(blank, CHILD)
    booked, flagged = world.person(), world.person()
    world.send(doctor, bundle(booked, condition("c0", "E11"), immunization("i0")))
    world.services.reminding.planning.review(child.id, vn_day(world.now()))
    since = world.now() - timedelta(days=1)
    flag = SafetyFlag(
        f"f{flagged.id}", flagged.id, doctor.organisation_id, "domestic_violence", since, "dr", since
    )
    world.services.safety.set(flag)
    return [blank, child, booked, flagged]


def laid(folder: Path, who: list[Person], first: str = "") -> Path:
    """Files about them, one each, and two about nobody: another birth date, a number nobody has."""
    folder.mkdir()
    blank, child, booked, flagged = who
    given = immunization("i1", "20", on="2026-03-05")
    sent: dict[str, object] = {
        "1.json": bundle(blank, condition("c1"), condition("c2", "Z21", on="2025-02"), observation()),
        "2.json": bundle(child, given, condition("bad", on="x")),
        "3.json": bundle(booked, condition("c0", "E10"), condition("c3", "J45", on="2026-02-01")),
        "4.json": bundle(flagged, condition("c4", "S09")),
        "5.json": bundle(blank, condition("c5"), born="1961-01-01"),
        "6.json": bundle(blank, condition("c6"), number=f"079190{blank.number[-6:]}"),
        "7.json": bundle(blank, condition("c7"), number="1"),
        "8.json": [],
    }
    for name, each in sent.items():
        (folder / f"{first}{name}").write_text(json.dumps(each), encoding="utf-8")
    return folder


def state(world: World, doctor: Doctor, who: list[Person], folder: Path) -> dict[str, Any]:
    """All that is known of them afterwards, with ids by whose they are."""
    books, services = world.db["records"], world.services
    due, told = services.reminding.planning.ports.due, {}
    for place, each in enumerate(who):
        rows = list(books.find({"citizen_id": each.id}))
        front = world.db["book_fronts"].find_one({"_id": each.id}) or {}
        row = due.row(each.id)
        records = services.book.intake._parts.records.newest(each.id, [one["_id"] for one in rows], None)
        told[place] = {
            "records": sorted(
                (
                    one.category,
                    one.occurred_on.text,
                    one.version,
                    json.dumps(one.resource, sort_keys=True),
                    sorted(one.hidden_from),
                    sorted(one.labels),
                    one.reason,
                )
                for one in records.values()
            ),
            "months": front.get("months"),
            "shown": sorted(
                (one["resource"]["id"], one["category"])
                for one in world.get("/citizens/me/records?limit=50", each).get_json()["items"]
            ),
            "due": None if row is None else (unnamed(row.items or (), records), row.review_on, row.stamp),
            "reminders": Counter(
                (one.series_id, one.dose, one.offset, one.state)
                for one in services.reminding.reminders.of_citizen(each.id)
            ),
            "logged": sum(
                one.event.action == "record:written" for one in services.log.entries(each.id, limit=50)
            ),
        }
    mine = [each["intake"] for each in reported(folder) if each["intake"]]
    told["rows"] = [
        tuple(each[name] for name in ("file", "part", "row", "accepted", "code", "pointer"))
        for each in reported(folder)
    ]
    told["parked"] = world.db["parked_intakes"].count_documents({"_id": {"$in": mine}})
    told["reports"] = world.db["intakes"].count_documents({"_id": {"$in": mine}})
    return told


def unnamed(items: Sequence[DueItem], records: dict[str, Record]) -> list[str]:
    """A plan with each record it rests on by what its source calls it."""
    told = json.dumps([each.to_plain() for each in items], sort_keys=True)
    for record_id, each in records.items():
        told = told.replace(record_id, str(each.resource["id"]))
    return sorted(json.dumps(each) for each in json.loads(told))


@pytest.fixture(scope="module")
def doctors(here: World) -> tuple[Doctor, Doctor]:
    return here.doctor(reads=READS, writes=READS), here.doctor(reads=READS, writes=READS)


def test_together_something_else_comes_of_it_than_alone(
    here: World, doctors: tuple[Doctor, Doctor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for doctor, most in zip(doctors, (0, MOST_ROWS), strict=True):
        monkeypatch.setattr(import_lots, "MOST_ROWS", most)
        who = people(here, doctor)
        monkeypatch.setattr(importing, "_take", importing._take if most == 0 else _never_alone)
        folder = laid(tmp_path / str(most), who)
        assert taken(folder, doctor) == 0
        found.append(state(here, doctor, who, folder))
        assert taken(folder, doctor, "--report", str(folder / "again.csv")) == 0
        again = state(here, doctor, who, folder)
        for place in range(len(who)):  # what is known is written again by nobody
            assert again[place]["records"] == found[-1][place]["records"]
    alone, together = found
    for place in alone:
        assert together[place] == alone[place]
    assert alone["parked"] == 2 and alone["reports"] == 6
    assert alone[3]["records"][0][4] and [each[2] for each in alone[2]["records"]].count(2) == 1


def _never_alone(*given: Any) -> Any:
    raise AssertionError("taken alone")


def test_one_that_is_refused_takes_its_neighbours_with_it(
    here: World, doctors: tuple[Doctor, Doctor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor = doctors[0]
    who = [here.person() for _ in range(LOT)]
    for number, each in enumerate(who):
        sent = json.dumps(bundle(each, condition(), observation()))
        (tmp_path / f"{number}.json").write_text(sent, encoding="utf-8")

    def refused(*_: Any) -> None:
        raise StaleRecord("written meanwhile")

    with monkeypatch.context() as patch:
        patch.setattr(MongoIntakes, "add_many", refused)  # the last that is written
        assert taken(tmp_path, doctor) == 0
    codes = Counter(each["code"] for each in reported(tmp_path))
    assert codes == {"accepted": 2 * LOT, "mapped": LOT, "done": LOT} or codes == {
        "accepted": 2 * LOT,
        "not_used": LOT,
        "done": LOT,
    }
    for each in who:
        assert here.db["records"].count_documents({"citizen_id": each.id}) == 2
        assert here.db["intakes"].count_documents({"citizen_id": each.id}) == 1


@pytest.mark.parametrize("off", ["hidden_for_many", "settle_many"])
def test_what_a_flag_covers_is_seen_by_companions(
    here: World, doctors: tuple[Doctor, Doctor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, off: str
) -> None:
    """Whether the flag stood before or came in between: each of the two looks is enough for its case."""
    doctor, who = doctors[0], [here.person() for _ in range(2)]
    for each in who:
        since = here.now() - timedelta(days=1)
        flag = SafetyFlag(
            f"f{each.id}", each.id, doctor.organisation_id, "domestic_violence", since, "dr", since
        )
        here.services.safety.set(flag)
        sent = json.dumps(bundle(each, condition()))
        (tmp_path / f"{each.id}.json").write_text(sent, encoding="utf-8")
    none = (lambda *_: frozenset()) if off == "hidden_for_many" else None
    monkeypatch.setattr(SafetyDesk, off, lambda *_: none)
    assert taken(tmp_path, doctor) == 0
    for each in who:
        (row,) = here.db["records"].find({"citizen_id": each.id})
        assert row["hidden_from"]


def test_two_parts_of_one_book_share_a_transaction(
    here: World, doctors: tuple[Doctor, Doctor], tmp_path: Path
) -> None:
    doctor, an, binh = doctors[0], here.person(), here.person()
    for number, code in enumerate(("E10", "E11", "E12")):
        sent = json.dumps(bundle(an, condition("c", code)))
        (tmp_path / f"{number}-an.json").write_text(sent, encoding="utf-8")
        sent = json.dumps(bundle(binh, condition("c", code)))
        (tmp_path / f"{number}-binh.json").write_text(sent, encoding="utf-8")
    assert taken(tmp_path, doctor) == 0
    for each in (an, binh):
        (newest,) = here.get("/citizens/me/records", each).get_json()["items"]
        assert newest["resource"]["code"]["coding"][0]["code"] == "E12" and newest["version"] == 3


def test_two_transactions_of_a_folder_are_open_at_once(
    here: World, doctors: tuple[Doctor, Doctor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4 * LOT):
        sent = bundle(here.person(), condition())
        (tmp_path / f"{number:02d}.json").write_text(json.dumps(sent), encoding="utf-8")
    in_unit, now, most = BookVisibility.in_unit, [0], [0]

    def watched(self: BookVisibility, work: Callable[[Any], Any]) -> Any:
        now[0] += 1
        most[0] = max(most[0], now[0])
        time.sleep(0.05)  # others have time to come
        try:
            return in_unit(self, work)
        finally:
            now[0] -= 1

    monkeypatch.setattr(BookVisibility, "in_unit", watched)
    assert taken(tmp_path, doctors[0]) == 0
    assert most == [1]


def test_a_command_for_each_file_or_a_read_of_a_whole_collection(
    here: World, doctors: tuple[Doctor, Doctor], tmp_path: Path
) -> None:
    doctor = doctors[0]
    sent = [json.dumps(bundle(here.person(), condition(), immunization())) for _ in range(LOT)]
    for number, each in enumerate(sent):
        (tmp_path / f"{number}.json").write_text(each, encoding="utf-8")
    ASKED.commands = []
    try:
        assert taken(tmp_path, doctor) == 0
        verbs = {"find", "aggregate", "insert", "update"}
        asked = [each for each in ASKED.commands if next(iter(each), "") in verbs]
    finally:
        ASKED.commands = None
    counted = Counter((next(iter(each)), str(next(iter(each.values())))) for each in asked)
    for name in ("records", "intakes", "book_fronts", "due_items", "citizens", "identifiers", "audit_log"):
        of_it = {verb: count for (verb, where), count in counted.items() if where == name}
        assert of_it and max(of_it.values()) <= 2, (name, of_it)
    told = {"records", "book_fronts", "due_items", "citizens", "identifiers", "reminders", "safety_flags"}
    for each in asked:
        if "find" in each and each["find"] in told:
            assert "COLLSCAN" not in explained(here.db, each), each


def test_a_book_changed_meanwhile_is_written_over(here: World, doctors: tuple[Doctor, Doctor]) -> None:
    an, records = here.person(), here.services.book.intake._parts.records
    assert isinstance(records, MongoRecords)
    here.send(doctors[0], bundle(an, condition("c1")))
    (known,) = (each["_id"] for each in here.db["records"].find({"citizen_id": an.id}))
    record = records.newest(an.id, [known], None)[known]
    after = replace(record, id=f"x{known}", fingerprint="x")

    def work(unit: Any) -> None:
        looked = records.looked_into([an.id], unit)
        older = {whose: held._replace(version=held.version + 1) for whose, held in looked.held.items()}
        records.save_many([after], looked._replace(held=older), unit)

    with pytest.raises(StaleRecord):
        records.in_unit(work)
    assert here.db["records"].count_documents({"citizen_id": an.id}) == 1


def test_two_in_one_book_are_no_intake_of_many(here: World, doctors: tuple[Doctor, Doctor]) -> None:
    many, an = here.services.book.intake_of_many, here.person()
    sender = Sender(doctors[0].organisation_id, None, frozenset(READS))
    said = read_bundle(bundle(an, condition()))
    found = many.finder([said])(sender, said)
    with pytest.raises(ValueError, match="same book"):
        many.receive(sender, [(said, found), (said, found)])
    assert here.db["records"].count_documents({"citizen_id": an.id}) == 0


sizes = st.lists(
    st.tuples(st.lists(st.sampled_from("abcde"), max_size=3), st.integers(0, MOST_ROWS)), max_size=20
)


@given(sizes)
def test_a_group_names_a_book_twice(items: list[tuple[list[str], int]]) -> None:
    groups = list(apart(items, lambda each: each[0], lambda each: each[1]))
    assert [each for group in groups for each in group] == items
    for group in groups:
        named = [book for books, _ in group for book in books]
        assert len(group) == 1 or (
            len(set(named)) == len(named) and sum(rows for _, rows in group) <= MOST_ROWS
        )


@given(st.lists(st.integers(0, 2 * LOT_BYTES), max_size=30))
def test_a_lot_is_heavier_than_it_may_be(weights: list[int]) -> None:
    files: Any = [Weighed(each) for each in weights]
    lots = list(in_lots(files))
    assert [each for lot in lots for each in lot] == files
    for lot in lots:
        assert len(lot) == 1 or (len(lot) <= LOT and sum(each.size for each in lot) <= LOT_BYTES)


class Weighed:
    """A file of some size."""

    def __init__(self, size: int) -> None:
        self.size = self.st_size = size

    def stat(self) -> Weighed:
        return self
