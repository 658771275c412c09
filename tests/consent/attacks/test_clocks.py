"""C07: no instant without its offset, no boundary twice, no way back in time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.access import ReadRefused
from consent.decision import Ask, decide
from consent.errors import UnknownCode
from consent.fhir.exporting import Surroundings, consent_of
from consent.receipt import signed
from tests.consent.builders import LICENCE, NOW, make_live, make_standing
from tests.consent.keys import ReceiptKey, make_grant, make_receipt
from tests.consent.world import World as InMemory
from tests.examples import examples
from tests.world import World, found_in
from wallet_api.infra.clock import SteadyClock

END = NOW + timedelta(days=30)
TICK = timedelta(microseconds=1)
ZONES = [UTC, timezone(timedelta(hours=7)), timezone(timedelta(hours=-11)), ZoneInfo("America/New_York")]


def permits(at: datetime, **over: Any) -> bool:
    live = make_live(expires_at=END, **over)
    return decide(Ask("org", "dr", "TREAT", at), make_standing(live), LICENCE).permit


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_c07_the_end_is_half_open_and_the_same_instant_in_every_zone(zone: Any) -> None:
    assert permits((END - TICK).astimezone(zone))
    assert not permits(END.astimezone(zone))
    held = replace(make_live(expires_at=END), holds_until=NOW)
    before, at = (NOW - TICK).astimezone(zone), NOW.astimezone(zone)
    assert decide(Ask("org", "dr", "TREAT", before), make_standing(held), LICENCE).permit
    assert decide(Ask("org", "dr", "TREAT", at), make_standing(held), LICENCE).reason == "suspended"


def test_c07_a_summer_time_hour_that_comes_twice_is_two_instants() -> None:
    zone = ZoneInfo("America/New_York")
    first = datetime(2026, 11, 1, 1, 30, tzinfo=zone, fold=0)
    second = first.replace(fold=1)
    ends = make_standing(make_live(expires_at=first.astimezone(UTC) + timedelta(minutes=30)))
    assert decide(Ask("org", "dr", "TREAT", first.astimezone(UTC)), ends, LICENCE).permit
    assert not decide(Ask("org", "dr", "TREAT", second.astimezone(UTC)), ends, LICENCE).permit


@given(st.integers(-(10**9), 10**9), st.sampled_from(ZONES))
@settings(max_examples=examples(100, 2000))
def test_c07_whoever_was_refused_for_the_time_is_refused_ever_after(ticks: int, zone: Any) -> None:
    at = (END + timedelta(microseconds=ticks)).astimezone(zone)
    assert permits(at) == (ticks < 0)


def test_c07_the_last_instant_there_is_is_no_way_around_the_end() -> None:
    assert not permits(datetime.max.replace(tzinfo=UTC))
    assert not permits(datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))))


def test_c07_an_instant_without_an_offset_decides_nothing() -> None:
    naive = NOW.replace(tzinfo=None)
    with pytest.raises(TypeError):
        permits(naive)
    with pytest.raises(ValueError, match="offset"):
        signed(make_receipt(granted_at=naive), ReceiptKey.made().signing)
    with pytest.raises(ValueError, match="offset"):
        consent_of(make_grant(granted_at=naive), "granted", Surroundings("https://x", "x"))


@pytest.mark.parametrize(
    "told",
    [
        "2026-11-23T09:00:00",
        "2026-11-23",
        "2026-11-23 09:00:00+07:00",
        "2026-11-23T09:00:00+0700",
        "2026-12-31T23:59:60Z",
        "2026-02-30T09:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T09:00:00+24:00",
        "20261123T090000Z",
        "2026-W48-1T09:00:00Z",
        "10000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
        "1795395600",
        1795395600,
        None,
    ],
)
def test_c07_no_request_and_no_grant_ends_at_what_is_no_instant_of_the_near_future(
    world: World, told: Any
) -> None:
    an, doctor = world.person(), world.doctor()
    asked = world.proposal(an, expires_at=told)
    answer = world.post("/provider/consent-requests", doctor, asked)
    assert answer.status_code == 422, answer.get_data(as_text=True)
    world.ask(doctor, an)
    request = world.newest_request(an)
    said = world.answer_to(request, expires_at=told if told is not None else "")
    path = f"/citizens/me/consent-requests/{request['id']}/approval"
    assert world.post(path, an, said).status_code == 422
    assert found_in(world.get("/citizens/me/grants", an))["items"] == []


def test_c07_an_offset_is_heeded_not_dropped(world: World) -> None:
    """09:00 in Viet Nam is 02:00 UTC: a reader that drops the offset would give seven hours more."""
    an, doctor = world.person(), world.doctor()
    end = (world.now() + timedelta(hours=2)).astimezone(ZoneInfo("Asia/Ho_Chi_Minh"))
    granted = world.grant(doctor, an, expires_at=end.isoformat(timespec="milliseconds"))
    assert granted.open().status_code == 201
    world.forward(hours=2)
    assert found_in(granted.open())["code"] == "consent_ended"


def test_c07_a_wish_beyond_the_longest_grant_is_no_wish() -> None:
    world = InMemory()
    for ends in (NOW, NOW - TICK, NOW + timedelta(days=367), datetime.max.replace(tzinfo=UTC)):
        with pytest.raises(UnknownCode):
            world.ask(expires_at=ends)


def test_c07_a_clock_set_back_revives_nothing(tmp_path: Path) -> None:
    """The wallet's clock never goes back, in this process or the next; so what has ended stays ended."""
    wall, monotonic = [NOW], [0.0]
    clock = SteadyClock(tmp_path / "seen", lambda: wall[0], lambda: monotonic[0])
    world = InMemory()
    world.time = clock()
    grant = world.grant(expires_at=NOW + timedelta(hours=1))
    wall[0], monotonic[0] = NOW + timedelta(hours=1), 3600.0
    world.time = clock()
    with pytest.raises(ReadRefused) as ended:
        world.access.open_session("citizen", "org", "dr", "TREAT")
    assert ended.value.decision.reason == "expired"
    wall[0], monotonic[0] = NOW - timedelta(minutes=10), 3601.0
    later = SteadyClock(tmp_path / "seen", lambda: wall[0], lambda: monotonic[0])
    for each in (clock, later):
        world.time = each()
        assert world.time >= grant.scope.expires_at
        with pytest.raises(ReadRefused):
            world.access.open_session("citizen", "org", "dr", "TREAT")
