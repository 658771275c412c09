"""Workers of one server see what each other holds."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from wallet_api.infra.evenness import Evenness


@given(st.lists(st.none() | st.integers(0, 2000), min_size=1, max_size=6))
def test_ahead_is_what_lies_over_the_fewest_of_those_who_take_connections(held: list[int | None]) -> None:
    evenness = Evenness()
    places = [evenness.place() for _ in held]
    for place, count in zip(places, held, strict=True):
        place.tell(count)
    taking = [count for count in held if count is not None]
    for place, count in zip(places, held, strict=True):
        assert place.ahead() == (0 if count is None else count - min(taking))


def test_who_takes_no_more_counts_no_more() -> None:
    evenness = Evenness()
    busy, stopping = evenness.place(), evenness.place()
    busy.tell(7)
    stopping.tell(1)
    assert busy.ahead() == 6
    stopping.tell(None)
    assert busy.ahead() == 0, "or it would send its callers to a worker that is ending"


def test_a_dead_workers_place_is_another_ones_and_holds_nothing() -> None:
    evenness = Evenness(places=2)
    survivor, dead = evenness.place(), evenness.place()
    survivor.tell(5)
    dead.tell(3)
    dead.free()
    assert survivor.ahead() == 0
    successor = evenness.place()
    dead.tell(9)
    dead.free()  # a second word about the dead harms nobody
    successor.tell(0)
    assert survivor.ahead() == 5
    assert evenness.place().ahead() == 0, "a worker beyond the last place takes connections as they come"


def test_what_a_forked_worker_tells_the_others_see() -> None:
    evenness = Evenness()
    mine, theirs = evenness.place(), evenness.place()
    mine.tell(4)
    child = os.fork()
    if not child:
        theirs.tell(1)
        os._exit(0)
    os.waitpid(child, 0)
    assert mine.ahead() == 3
