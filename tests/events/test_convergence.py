"""C19: whatever is lost, doubled or comes in another order, a holder's copy becomes the truth."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo.database import Database

from consent.model import Evidence, Grant, NoticeShown, Period, Scope, Step
from tests.events.holding import Copy
from tests.examples import examples
from tests.world import Json
from wallet_api.events.model import Event, Holding, Terms, Told, by_itself, over, shown
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.crypto.keystore import MemoryKeyStore
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import ensure_indexes
from wallet_api.routes.schemas.events import event_view
from wallet_api.stores.citizen_keys import MongoCitizenKeys
from wallet_api.stores.consents import MongoConsents
from wallet_api.stores.erasure_duties import INDEXES as DUTY_INDEXES
from wallet_api.stores.events import INDEXES, MongoEvents
from wallet_api.stores.holdings import INDEXES as HOLDING_INDEXES

NOW = datetime(2026, 11, 3, tzinfo=UTC)
DAY = timedelta(days=1)
ACTS = ("show", "end", "narrow", "suspend", "resume", "wait")
Tell = Callable[[Told | None], None]


def told_by(acts: list[tuple[int, str]]) -> tuple[dict[str, Holding], list[Event]]:
    """Play acts on three grants; the truth in the end, and everything that was told."""
    holdings: dict[str, Holding] = {}
    events: list[Event] = []
    now = NOW

    def keep(told: Told | None) -> None:
        if told is not None:
            holdings[told.holding.terms.grant_id] = told.holding
            events.extend(told.events)

    for number, act in acts:
        grant_id, now = f"grant-{number}", now + DAY / 2
        for each in list(holdings.values()):
            keep(by_itself(each, now))
        known = holdings.get(grant_id)
        terms = Terms(grant_id, "org", "citizen", NOW + 5 * DAY, None, keeps=number == 0)
        if act in ("show", "resume"):
            keep(shown(known, terms, now))
        elif act == "suspend":
            keep(shown(known, replace(terms, holds_until=now), now))
        elif act in ("end", "narrow") and known is not None:
            keep(over(known, now, "grant-9" if act == "narrow" else None))
    return holdings, events


def wire(events: list[Event]) -> list[Json]:
    """What the holder is sent."""
    return [event_view(each, lambda kind, *ids: ids[-1]) for each in events]


@settings(max_examples=examples(150, 2000), deadline=None)
@given(
    acts=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(ACTS)), max_size=12),
    seed=st.integers(0, 2**32),
)
def test_c19_any_part_in_any_order_and_then_the_feed_is_the_truth(acts: list[Any], seed: int) -> None:
    holdings, events = told_by(acts)
    truth = {grant: (each.version, each.state) for grant, each in holdings.items()}
    dice = random.Random(seed)
    sent = wire(events)
    arrived = [each for each in sent for _ in range(dice.choice((0, 0, 1, 2)))]
    dice.shuffle(arrived)
    copy = Copy().take(arrived)
    # Before the feed is read the copy is old at worst: no word in it is newer than the truth.
    assert all(version <= truth[grant][0] for grant, (version, _) in copy.known.items())
    assert copy.take(sent).known == truth
    again = Copy().take(sorted(sent, key=lambda _: dice.random()))
    assert again.known == truth


@settings(max_examples=examples(100, 2000), deadline=None)
@given(acts=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(ACTS)), max_size=12))
def test_versions_of_a_grant_have_no_gaps_and_no_two_events_one_id(acts: list[Any]) -> None:
    holdings, events = told_by(acts)
    for grant in holdings:
        versions = sorted({each.version for each in events if each.about == grant})
        assert versions == list(range(1, len(versions) + 1)), "a gap would tell of what is not told"
    assert len({each.id for each in events}) == len(events)


# --- over the database: no event behind a reader, and none without its change ------------------------------


@pytest.fixture
def stores(any_db: Database[Json]) -> tuple[Database[Json], MongoConsents]:
    """The real stores, on the embedded server and, where one is named, on a MongoDB."""
    keys = MemoryKeyStore()
    ensure_indexes(any_db, (*INDEXES, *HOLDING_INDEXES, *DUTY_INDEXES))
    for name in ("grants", "standings"):
        any_db.create_collection(name)
    cipher = CitizenCipher(MongoCitizenKeys(any_db), keys, lambda: NOW)
    return any_db, MongoConsents(any_db, cipher, BlindIndex(keys))


def grant_of(organisation_id: str, expires_at: datetime = NOW + 30 * DAY) -> Grant:
    scope = Scope(organisation_id, None, "TREAT", frozenset({"condition"}), Period(), expires_at)
    evidence = Evidence("p", "self", "s", "c", NOW, "2")
    step = Step("consent:grant:created", "p", NOW)
    notice = NoticeShown("1", "vi", "0")
    return Grant(new_id(), new_id(), None, scope, "granted", 1, NOW, notice, evidence, history=(step,))


def ended(grant: Grant) -> Grant:
    return replace(grant, state="withdrawn", version=2, ended_at=NOW + DAY)


def read_all(events: MongoEvents, organisation_id: str, since: int = 0, page: int = 7) -> list[Event]:
    found: list[Event] = []
    while True:
        events.number(organisation_id)
        more = events.after(organisation_id, since, page)
        if not more:
            return found
        found += more
        since = more[-1].position


def test_no_event_appears_behind_a_reader_while_many_write(
    stores: tuple[Database[Json], MongoConsents],
) -> None:
    db, consents = stores
    organisation_id, writers, each_writes = new_id(), 4, 8
    done, seen = threading.Event(), list[list[Event]]()

    def write() -> None:
        for _ in range(each_writes):
            grant = grant_of(organisation_id)
            consents.give(grant)
            consents.end(ended(grant), expected=1)

    def follow() -> None:
        events, mine = MongoEvents(db), list[Event]()
        while True:
            last = done.is_set()
            mine += read_all(events, organisation_id, mine[-1].position if mine else 0)
            if last:
                seen.append(mine)
                return

    writing = [threading.Thread(target=write) for _ in range(writers)]
    reading = [threading.Thread(target=follow) for _ in range(2)]
    for each in (*writing, *reading):
        each.start()
    for each in writing:
        each.join()
    done.set()
    for each in reading:
        each.join()
    whole = read_all(MongoEvents(db), organisation_id)
    assert len(whole) == 2 * writers * each_writes
    assert [each.position for each in whole] == list(range(1, len(whole) + 1))
    assert seen == [whole] * 2, "whoever followed saw all, each once, in the order it has for ever"


def test_a_change_that_fails_tells_nothing_and_one_that_stands_is_told(
    stores: tuple[Database[Json], MongoConsents], monkeypatch: pytest.MonkeyPatch
) -> None:
    db, consents = stores
    events, grant = MongoEvents(db), grant_of(new_id())
    organisation_id = grant.scope.organisation_id
    consents.give(grant)

    class Broken(Exception):
        pass

    def break_off(*_: Any, **__: Any) -> None:
        raise Broken

    with monkeypatch.context() as patch:
        patch.setattr(consents, "_shift", break_off)
        with pytest.raises(Broken):
            consents.end(ended(grant), expected=1)
    assert [each.type for each in read_all(events, organisation_id)] == ["consent_granted"]
    with monkeypatch.context() as patch:
        tell = consents._holdings.ended
        patch.setattr(consents._holdings, "ended", lambda *a, **more: (tell(*a, **more), break_off()))
        with pytest.raises(Broken):
            consents.end(ended(grant), expected=1)
    assert consents.grant(grant.citizen_id, grant.id).state == "granted", "not ended without being told"
    assert consents.standing(grant.citizen_id, organisation_id).live
    assert [each.type for each in read_all(events, organisation_id)] == ["consent_granted"], "nor told alone"
    consents.end(ended(grant), expected=1)
    told = [each.type for each in read_all(events, organisation_id)]
    assert told == ["consent_granted", "consent_ended"]


def test_an_end_and_an_expiry_at_once_are_told_once(stores: tuple[Database[Json], MongoConsents]) -> None:
    db, consents = stores
    organisation_id = new_id()
    grants = [grant_of(organisation_id, NOW + DAY / 2) for _ in range(12)]
    for each in grants:
        consents.give(each)
    start = threading.Barrier(3)

    def expire() -> None:
        start.wait()
        MongoEvents(db).settle({"organisation_id": organisation_id}, NOW + DAY, lambda duty: None)

    def withdraw() -> None:
        start.wait()
        for each in grants:
            consents.end(ended(each), expected=1)

    racing = [threading.Thread(target=each) for each in (expire, expire, withdraw)]
    for one in racing:
        one.start()
    for one in racing:
        one.join()
    told = [each.type for each in read_all(MongoEvents(db), organisation_id)]
    assert told.count("consent_granted") == told.count("consent_ended") == 12 and len(told) == 24
