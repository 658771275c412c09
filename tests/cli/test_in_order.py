"""What is done at once is told in order, and what touches the same is done in order."""

from __future__ import annotations

import json
import pickle
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.fhir import observation
from tests.world import bundle, condition, immunization
from wallet_api.cli import import_reading
from wallet_api.cli.import_reading import reading
from wallet_api.cli.in_order import AHEAD, HEAVIEST, Steps, in_order
from wallet_api.infra.clock import system_now, vn_day
from wallet_api.infra.strict_json import strict_json
from wallet_api.records.files import Unreadable, read_file

Item = tuple[int, frozenset[str]]
NAMES = st.frozensets(st.sampled_from("abc"), max_size=2)


class Work:
    """Notes what is begun and done; breaks at one item, in finding or in doing it."""

    def __init__(self, breaks_at: int | None = None, in_finding: bool = False) -> None:
        self.lock = threading.Lock()
        self.done: list[Item] = []
        self.under_way: set[str] = set()
        self.breaks_at, self.in_finding = breaks_at, in_finding

    def find(self, item: Item) -> Item:
        time.sleep(0.0005 * (item[0] % 3))
        if self.in_finding:
            self._break(item)
        return item

    def do(self, item: Item) -> int:
        with self.lock:
            assert not item[1] & self.under_way, "two at once on the same"
            self.under_way |= item[1]
        time.sleep(0.0005 * (item[0] % 4))
        with self.lock:
            self.under_way -= item[1]
        if not self.in_finding:
            self._break(item)
        with self.lock:
            self.done.append(item)
        return item[0]

    def _break(self, item: Item) -> None:
        if item[0] == self.breaks_at:
            raise ValueError(item[0])

    def run(self, items: list[Item], weight: int = 1) -> Iterator[int]:
        return in_order(items, Steps(self.find, lambda item: item[1], self.do, lambda _: weight))


@settings(max_examples=examples(30, 500), deadline=None)
@given(st.lists(NAMES, max_size=40))
def test_results_come_in_order_and_what_touches_the_same_is_done_in_order(
    names: list[frozenset[str]],
) -> None:
    items, work = list(enumerate(names)), Work()
    assert list(work.run(items)) == [number for number, _ in items]
    assert sorted(work.done) == sorted(items)
    for name in "abc":
        touched = [number for number, touches in work.done if name in touches]
        assert touched == sorted(touched)


@settings(max_examples=examples(30, 500), deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=40), st.data(), st.booleans())
def test_what_fails_is_told_after_all_before_it_and_stops_what_follows(
    names: list[frozenset[str]], data: Any, in_finding: bool
) -> None:
    items = list(enumerate(names))
    breaks_at = data.draw(st.integers(0, len(items) - 1))
    work, told = Work(breaks_at, in_finding), list[int]()
    with pytest.raises(ValueError, match=str(breaks_at)):
        told.extend(work.run(items))
    assert told == list(range(breaks_at))
    if not in_finding:
        later = [item for item in work.done if item[0] > breaks_at]
        assert not any(touches & names[breaks_at] for _, touches in later)


def test_no_more_is_held_at_a_time_than_was_said() -> None:
    begun: list[int] = []

    def items() -> Iterator[Item]:
        for number in range(50):
            begun.append(number)
            yield number, frozenset("a")

    for weight, most in ((1, AHEAD + 1), (HEAVIEST, 2)):
        begun.clear()
        for told in Work().run(items(), weight):  # type: ignore[arg-type]  # any iterable
            assert len(begun) - told <= most


def test_a_second_process_reads_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Somebody:
        number, born = "001190999001", vn_day(system_now())

    sent = bundle(Somebody(), condition(), immunization(), observation())  # type: ignore[arg-type]  # what it uses
    (tmp_path / "good.json").write_text(json.dumps(sent), encoding="utf-8")
    (tmp_path / "bad.json").write_bytes(b"{")
    today = vn_day(system_now())
    here = read_file(tmp_path / "good.json", today)
    assert not isinstance(here, Unreadable) and strict_json((tmp_path / "good.json").read_bytes()) == sent
    assert pickle.loads(pickle.dumps(here)) == here
    monkeypatch.setattr(import_reading, "MANY", 1)
    with reading(1) as reads:
        files = [tmp_path / "good.json", tmp_path / "bad.json"]
        assert reads(files, today) == [here, Unreadable("not_json", "")]
