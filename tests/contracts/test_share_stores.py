"""Both stores of share links keep the same promises, and so does the desk over either."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contracts.ground import NOW, Ground
from tests.plans import plan_stages
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import ensure_indexes, open_database
from wallet_api.shares.desk import ShareDesk, Shares
from wallet_api.shares.errors import PasscodeRefused, ShareBusy, ShareNotFound, StaleShare
from wallet_api.shares.memory import MemoryShares
from wallet_api.shares.model import Relation, Share, Wanted, declared
from wallet_api.shares.rules import RULES, load_rules
from wallet_api.stores.shares import COLLECTION, INDEXES, MongoShares


@pytest.fixture
def store(ground: Ground | None) -> Shares:
    if ground is None:
        return MemoryShares()
    ground.indexed(INDEXES)
    return MongoShares(ground.db, ground.cipher)


def made(whose: str, minutes: int = 0, relation: Relation = "self", **over: Any) -> Share:
    at = NOW + timedelta(minutes=minutes)
    wanted = Wanted("categories", categories=frozenset({"condition"}), first=date(2026, 1, 1))
    values: dict[str, Any] = {"label": "cho bác sĩ", "key": "k" * 43, "use_limit": 5, "wanted": wanted}
    base = Share(new_id(), whose, whose, relation, 1, at, NOW + timedelta(days=1), **values)
    return replace(base, **over)


def test_a_share_comes_back_as_it_was_and_is_added_once(store: Shares) -> None:
    one = made(new_id(), passcode="hash", attempts_left=5).viewed(NOW, "BS. Lan")
    one = one.refused(NOW, "passcode_wrong", "Kẻ lạ").revoked("somebody", NOW)
    store.add(one)
    store.add(replace(one, label="other"))
    assert store.get(one.id) == one and store.get(new_id()) is None
    assert (one.uses, one.attempts_left, one.knocked, one.version) == (1, 4, 2, 4)


def test_only_the_version_that_was_read_is_replaced(store: Shares) -> None:
    one = made(new_id())
    store.add(one)
    store.save(one.viewed(NOW, "a"), expected=1)
    with pytest.raises(StaleShare):
        store.save(one.revoked("c", NOW), expected=1)
    with pytest.raises(StaleShare):
        store.save(made(new_id()), expected=1)


def test_lists_are_in_order_and_cut_where_asked(store: Shares) -> None:
    me = new_id()
    mine = [made(me, -n, "guardian" if n % 2 else "self") for n in range(5)]
    for each in (*mine, made(new_id())):
        store.add(each)
    assert store.of_citizen(me, None, None, 9) == mine
    assert store.of_citizen(me, "self", None, 2) == [mine[0], mine[2]]
    assert store.of_citizen(me, None, mine[1].place, 2) == mine[2:4]


def test_what_is_over_is_not_open(store: Shares) -> None:
    me = new_id()
    for each in (
        made(me),
        made(me, expires_at=NOW),
        made(me, revoked_at=NOW),
        made(me, uses=5),
        made(me, attempts_left=0),
    ):
        store.add(each)
    assert store.open_of(me, NOW) == 1


def test_every_query_has_its_index(embedded_uri: str) -> None:
    db = open_database(embedded_uri, f"test_{new_id()}")
    ensure_indexes(db, INDEXES)
    mine = {"citizen_id": "me"}
    queries: tuple[dict[str, Any], ...] = (
        mine,
        mine | {"place": {"$lt": "x"}},
        mine | {"relation": "guardian", "place": {"$lt": "x"}},
        mine | {"closed": False, "expires_at": {"$gt": NOW}},
    )
    for query in queries:
        stages = plan_stages(db[COLLECTION], query)
        assert any(each.startswith("IXSCAN") for each in stages), (query, stages)
    db.client.close()


class Free:
    """Everybody may share."""

    def may_share(self, citizen_id: str, by: str, relation: Relation) -> bool:
        return True

    def restricted(self, citizen_id: str) -> bool:
        return False


def test_uses_and_views_are_counted_one_by_one_however_many_come_at_once(store: Shares) -> None:
    desk, one = ShareDesk(store, Free(), lambda: NOW), made(new_id(), use_limit=4)
    store.add(one)

    def come(number: int) -> int:
        try:
            return desk.knock(one.id, None, f"v{number}", lambda *_: None).uses
        except ShareNotFound:
            return 0
        except ShareBusy:
            return -1

    with ThreadPoolExecutor(8) as crowd:
        seen = sorted(crowd.map(come, range(16)))
    after = store.get(one.id)
    assert after is not None and [each for each in seen if each > 0] == list(range(1, after.uses + 1))
    assert after.uses == 4 or -1 in seen
    assert sum(each.outcome == "shown" for each in after.knocks) == after.uses <= 4


STEPS = st.lists(st.sampled_from(["right", "wrong", "none", "revoke", "hour"]), min_size=1, max_size=14)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS, uses=st.integers(1, 3))
def test_a_share_shows_only_while_nothing_has_ended_it(steps: list[str], uses: int) -> None:
    """Against a plain account of what was done to it, whatever the order."""
    clock, told = [NOW], list[str]()
    store = MemoryShares()
    desk = ShareDesk(store, Free(), lambda: clock[0])
    one = made(
        new_id(), use_limit=uses, passcode="right", attempts_left=2, expires_at=NOW + timedelta(hours=3)
    )
    store.add(one)
    left, shown, revoked = 2, 0, False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wallet_api.shares.desk.fits", lambda said, kept: said == kept)
        for step in steps:
            if step == "hour":
                clock[0] += timedelta(hours=1)
                continue
            if step == "revoke":
                desk.revoke(desk.of_person(one.citizen_id, one.id, "self"), "me", lambda _: None)
                revoked = True
                continue
            alive = not revoked and left > 0 and shown < uses and clock[0] < NOW + timedelta(hours=3)
            said = {"right": "right", "wrong": "no", "none": None}[step]
            try:
                desk.knock(one.id, said, "x", lambda share, outcome: told.append(outcome))
                answer = "shown"
            except PasscodeRefused as why:
                answer = "refused"
                left -= step == "wrong"
                assert why.remaining == left
            except ShareNotFound:
                answer = "absent"
            shown += answer == "shown"
            assert answer == ({"right": "shown"}.get(step, "refused") if alive else "absent")
    after = store.get(one.id)
    assert after is not None and (after.uses, after.attempts_left) == (shown, left)
    assert len(told) == sum(each.outcome != "shown" for each in after.knocks)


def test_only_the_latest_of_the_refused_are_remembered_and_every_view() -> None:
    one = made(new_id(), use_limit=3)
    for number in range(70):
        one = one.viewed(NOW, "v") if number in (0, 30) else one.refused(NOW, "passcode_missing", "x")
    assert one.knocked == 70 and sum(each.outcome == "shown" for each in one.knocks) == 2
    assert len(one.knocks) == 2 + RULES.bounds.most_refused_kept and one.knocks[-1].number == 70


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ("BS. Lan", "BS. Lan"),
        ("  BS.\tLan \n", "BS. Lan"),
        ("\u202eLan\u2066\u200d", "Lan"),
        ("\u200b", "?"),
        ("x" * 200, "x" * 80),
    ],
)
def test_a_declared_name_is_one_short_plain_line(said: str, seen: str) -> None:
    assert declared(said) == seen


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ('"longest_days": 365', '"longest_days": 0'),
        ('"longest_days": 365', '"longest": 365'),
        ('"allergy"', '"alergy"'),
        ('"states"', '"stages"'),
    ],
)
def test_a_misspelt_rule_stops_the_start(was: str, becomes: str) -> None:
    raw = (Path(__file__).parents[2] / "wallet_api/shares/rules.json").read_text(encoding="utf-8")
    assert was in raw
    with pytest.raises((ValueError, TypeError, KeyError)):
        load_rules(raw.replace(was, becomes))
