"""Both stores of campaigns keep the same promises."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, timedelta

import pytest

from notifications.campaigns import memory
from notifications.campaigns.audience import Audience
from notifications.campaigns.coverage import ELSEWHERE
from notifications.campaigns.model import Campaign, CampaignState, ListSummary
from notifications.campaigns.ports import (
    Campaigns,
    Funnel,
    Lists,
    People,
    Previews,
    Send,
    Sends,
    SeriesTotals,
    ShardRun,
)
from notifications.campaigns.standing import PersonRow, SeriesStanding
from notifications.errors import LeaseLost, StaleCampaign
from notifications.reminders import State
from tests.contracts.ground import NOW, Ground
from tests.plans import plan_stages
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.keystore import FileKeyStore
from wallet_api.infra.ids import new_id
from wallet_api.stores import audience, campaign_sends, campaigns, funnel

INDEXES = (*audience.INDEXES, *campaigns.INDEXES, *campaign_sends.INDEXES)


@dataclass(frozen=True)
class Stores:
    campaigns: Campaigns
    people: People
    sends: Sends
    lists: Lists
    previews: Previews


@pytest.fixture
def stores(ground: Ground | None, blind: BlindIndex) -> Stores:
    if ground is None:
        kept = memory.MemoryCampaigns()
        return Stores(
            kept,
            memory.MemoryPeople(),
            memory.MemorySends(kept),
            memory.MemoryLists(),
            memory.MemoryPreviews(),
        )
    db, cipher = ground.indexed(INDEXES).db, ground.cipher
    return Stores(
        campaigns.MongoCampaigns(db),
        audience.MongoPeople(db, cipher, blind),
        campaign_sends.MongoSends(db, cipher, lambda: NOW),
        campaign_sends.MongoLists(db, cipher, lambda: NOW),
        campaigns.MongoPreviews(db),
    )


@pytest.fixture
def blind(tmp_path_factory: pytest.TempPathFactory) -> BlindIndex:
    keys = FileKeyStore(tmp_path_factory.mktemp("blind"), create=True)
    keys.prepare(NOW)
    return BlindIndex(keys)


def made(**over: object) -> Campaign:
    base = Campaign(
        new_id(), "measles", "information", "catch_up.v1", Audience(province="01"), 60, "op-1", NOW
    )
    return replace(base, **over)  # type: ignore[arg-type]


def person(name: str, shard: int = 3, given: int = 0, **over: object) -> PersonRow:
    series = {"mr": SeriesStanding(given, given == 1, True, None if given else date(2026, 1, 2))}
    base = PersonRow(name, shard, date(2024, 2, 1), "female", "01", "00070", False, series)
    return replace(base, **over)  # type: ignore[arg-type]


def send(campaign: Campaign, who: str, **over: object) -> Send:
    name = f"c.{campaign.id}.{who}"
    base = Send(name, campaign.id, 3, who, f"child-of-{who}", "vaccination", State.QUEUED)
    return replace(base, **over)  # type: ignore[arg-type]


def test_a_campaign_comes_back_as_it_was_and_is_added_once(stores: Stores) -> None:
    summary = ListSummary(3, 2, 1, 0, "ab", True, 1)
    one = made(audience=Audience(listed=True), starts_at=NOW).with_list(summary, "op-1", NOW)
    one = one.approve("op-2", NOW).launch("op-1", NOW, 2)
    stores.campaigns.add(one)
    stores.campaigns.add(replace(one, name="other"))
    assert stores.campaigns.get(one.id) == one and stores.campaigns.get(new_id()) is None
    assert stores.campaigns.newest(CampaignState.RUNNING, 5) == [one]
    assert stores.campaigns.newest(CampaignState.DRAFT, 5) == [] and stores.campaigns.live() == [one.id]


def test_only_the_version_that_was_read_is_replaced(stores: Stores) -> None:
    one = made()
    stores.campaigns.add(one)
    stores.campaigns.save(one.step("cancelled", "op-1", NOW), expected=1)
    with pytest.raises(StaleCampaign):
        stores.campaigns.save(one.step("approved", "op-1", NOW), expected=1)


def test_a_shard_moves_on_once(stores: Stores) -> None:
    one, first, second = made(), ShardRun("a"), ShardRun("b", True)
    stores.campaigns.advance(one.id, 3, ShardRun(), first, {"examined": 2}, None)
    for stale in (ShardRun(), second):
        with pytest.raises(LeaseLost):
            stores.campaigns.advance(one.id, 3, stale, second, {"examined": 9}, None)
    stores.campaigns.advance(one.id, 3, first, second, {"examined": 3, "shards_done": 1}, None)
    stores.campaigns.count(one.id, 4, {"in_queued": 1})
    stores.campaigns.advance(one.id, 4, ShardRun(), first, {"examined": 1}, None)
    assert stores.campaigns.runs(one.id) == {3: second, 4: first}
    assert stores.campaigns.progress(one.id) == {"examined": 6, "shards_done": 1, "in_queued": 1}


def test_the_pace_of_a_minute_is_never_passed(stores: Stores) -> None:
    one, next_minute = new_id(), NOW + timedelta(minutes=1)
    assert [stores.campaigns.take(one, NOW, 40, 100) for _ in range(4)] == [40, 40, 20, 0]
    assert stores.campaigns.take(one, next_minute, 40, 100) == 40
    assert stores.campaigns.take(one, NOW, 100, 100) == 60, "a clock that went back opens no new minute"


def test_many_workers_together_keep_the_pace(stores: Stores) -> None:
    one = new_id()
    with ThreadPoolExecutor(6) as pool:
        granted = sum(pool.map(lambda _: stores.campaigns.take(one, NOW, 7, 50), range(24)))
    assert 0 < granted <= 50


def test_a_person_counts_where_they_live_and_once(stores: Stores) -> None:
    assert stores.people.put(person("a")) is None
    assert stores.people.put(person("a", given=1)) == person("a")
    stores.people.put(person("a", given=1))
    stores.people.put(person("b", shard=9))
    stores.people.put(person("c", province=None))
    stores.people.put(person("d", deceased=True))
    found = stores.people.totals("mr", ("01", ELSEWHERE, "08"), (2023, 2024))
    assert found == {("01", 2024): SeriesTotals(2, 1, 1), (ELSEWHERE, 2024): SeriesTotals(1, 0, 0)}
    stores.people.put(person("a", given=1, province="08"))
    stores.people.forget("b")
    stores.people.forget("b")
    moved = stores.people.totals("mr", ("01", "08"), (2024,))
    assert moved.get(("01", 2024), SeriesTotals()) == SeriesTotals()
    assert moved["08", 2024] == SeriesTotals(1, 1, 1)


def test_people_are_paged_by_place_in_order(stores: Stores) -> None:
    for name, over in (
        ("a", {}),
        ("c", {"commune": "00071"}),
        ("b", {}),
        ("d", {"province": "08", "commune": "09000"}),
    ):
        stores.people.put(person(name, **over))
    stores.people.put(person("z", shard=4))
    names = lambda *asked: [row.citizen_id for row in stores.people.page(3, *asked)]  # noqa: E731
    assert names(None, None, "", 9) == ["a", "b", "c", "d"] and names(None, None, "b", 1) == ["c"]
    assert names("01", None, "", 9) == ["a", "b", "c"] and names("01", "00070", "a", 9) == ["b"]
    assert stores.people.of({"a", "z", "nobody"}) == {"a": person("a"), "z": person("z", shard=4)}


def test_a_message_is_kept_once_and_counted_as_it_moves(stores: Stores) -> None:
    one = made()
    first, second = send(one, "x"), send(one, "y", state=State.FAILED, reason="no_device")
    assert stores.sends.add([first, second]) == {first.id, second.id}
    assert stores.sends.add([first, send(one, "z")]) == {send(one, "z").id}
    assert stores.sends.many([first.id, "c.nobody"]) == {first.id: first}
    moved = stores.sends.move([first.id, second.id], [State.QUEUED], State.LEASED)
    assert moved == {first.id}, "what failed is not sent"
    assert stores.sends.move([first.id], [State.QUEUED], State.LEASED) == frozenset()
    assert stores.sends.move([first.id], [State.LEASED], State.ACCEPTED) == {first.id}
    assert stores.sends.move([first.id, second.id], list(State), State.OPENED) == {first.id, second.id}
    assert stores.campaigns.progress(one.id) == {"in_opened": 2, "in_queued": 1}


def test_what_was_taken_back_is_found_again(stores: Stores) -> None:
    one, other = made(), made()
    held, gone = send(one, "x"), send(one, "y")
    stores.sends.add([held, gone, send(other, "x")])
    stores.sends.move([held.id], [State.QUEUED], State.PLANNED, "campaign_paused")
    assert [each.id for each in stores.sends.held(one.id, 9)] == [held.id]


def test_a_dose_is_counted_once_for_each_campaign_of_the_last_month(stores: Stores) -> None:
    one, other, old = made(), made(), made()
    for campaign, at in ((one, NOW), (other, NOW), (old, NOW - timedelta(days=40))):
        stores.sends.note_subjects(campaign.id, ["child/mr", "child2/mr"], 3, at, None)
    since = NOW - timedelta(days=30)
    assert stores.sends.dosed("child/mr", since, None) == 2
    assert stores.sends.dosed("child/mr", since, None) == 0 == stores.sends.dosed("nobody", since, None)
    counts = [stores.campaigns.progress(each.id).get("followed", 0) for each in (one, other, old)]
    assert counts == [1, 1, 0]


def test_a_list_is_read_back_in_parts_and_replaced_as_a_whole(stores: Stores) -> None:
    one = new_id()
    stores.lists.begin(one, 1, "national_id")
    stores.lists.put(one, 1, 0, ["001190999001", "001190999002"])
    stores.lists.put_faults(one, 1, 0, [(3, "letters")])
    kind, numbers = stores.lists.part(one, 1, 0) or ("", ())
    assert (kind, list(numbers)) == ("national_id", ["001190999001", "001190999002"])
    assert list(stores.lists.faults(one, 1, 0) or ()) == [(3, "letters")]
    assert stores.lists.part(one, 1, 1) is None and stores.lists.faults(one, 1, 1) is None
    stores.lists.put(one, 1, 1, ["001190999003"])
    for _ in range(2):
        stores.lists.drop(one, 1)
        assert stores.lists.part(one, 1, 0) is None is stores.lists.part(one, 1, 1)
    assert list(stores.lists.faults(one, 1, 0) or ()) == [(3, "letters")], "the report stays"
    stores.lists.begin(one, 2, "insurance_number")
    assert stores.lists.part(one, 1, 0) is None and stores.lists.faults(one, 1, 0) is None


def test_a_count_that_was_told_is_remembered(stores: Stores) -> None:
    stores.previews.note("p1", Audience(province="01"), 40, NOW)
    stores.previews.note("p1", Audience(province="01"), 41, NOW)
    stores.previews.note("p2", Audience(), 90, NOW - timedelta(days=2))
    assert stores.previews.since(NOW - timedelta(days=1), 9) == [(Audience(province="01"), 41)]
    assert len(stores.previews.since(NOW - timedelta(days=9), 9)) == 2


def test_a_funnel_adds_up_by_programme(ground: Ground | None) -> None:
    kept: Funnel = memory.MemoryFunnel()
    if ground is not None:
        kept = funnel.MongoFunnel(ground.indexed(funnel.INDEXES).db)
    kept.count({("epi", 1): 2, ("epi", 9): 3, ("hpv", 1): 1}, "planned")
    kept.count({("epi", 1): 1}, "sent")
    assert kept.figures() == {
        "epi": {"planned": 5, "sent": 1, "opened": 0, "followed": 0},
        "hpv": {"planned": 1, "sent": 0, "opened": 0, "followed": 0},
    }


HOT: dict[str, Callable[[str], dict[str, object]]] = {
    "audience": lambda token: {"shard": 3, "province": token, "citizen_id": {"$gt": "a"}},
    "campaign_sends": lambda token: {"campaign_id": token, "state": "planned"},
    "campaign_runs": lambda token: {"campaign_id": token},
    "campaign_previews": lambda token: {"told_at": {"$gt": NOW}},
    "campaigns": lambda token: {"state": {"$in": ["running", "scheduled"]}},
}


@pytest.mark.parametrize("name", HOT)
def test_a_hot_query_uses_an_index(name: str, ground: Ground | None) -> None:
    if ground is None:
        pytest.skip("a dict has no plan")
    db = ground.indexed(INDEXES).db
    assert "COLLSCAN" not in plan_stages(db[name], HOT[name]("x"))
