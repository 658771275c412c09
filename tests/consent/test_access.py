"""Reading under consent: sessions, the fence, uses, the deny list, visit codes."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from consent.access import ReadRefused
from consent.errors import (
    AccessRefused,
    ConsentEnded,
    NotCovered,
    RequestNotFound,
    VisitCodeInvalid,
)
from consent.memory import MemoryVisitCodes
from consent.visit_codes import VisitCodeService
from tests.consent.builders import NOW
from tests.consent.world import ACTOR, World


@pytest.fixture
def world() -> World:
    return World()


def test_withdrawal_ends_reading_at_once_and_twice_is_once(world: World) -> None:
    grant = world.grant()
    session = world.access.open_session("citizen", "org", "dr", "TREAT")
    assert world.access.authorise(session).decision.permit
    ended = world.consent.withdraw("citizen", grant.id, "not_now", ACTOR)
    assert (ended.state, ended.end_reason) == ("withdrawn", "not_now")
    with pytest.raises(ReadRefused) as refused:
        world.access.authorise(session)
    assert isinstance(refused.value.told, ConsentEnded)
    assert world.consent.withdraw("citizen", grant.id, None, ACTOR) == ended


def test_a_read_under_way_does_not_hold_after_withdrawal(world: World) -> None:
    grant = world.grant()
    permission = world.access.authorise(world.access.open_session("citizen", "org", "dr", "TREAT"))
    assert world.access.still_holds(permission.fence)
    world.consent.withdraw("citizen", grant.id, None, ACTOR)
    assert not world.access.still_holds(permission.fence)


def test_another_grant_given_meanwhile_stops_no_read(world: World) -> None:
    world.grant()
    permission = world.access.authorise(world.access.open_session("citizen", "org", "dr", "TREAT"))
    world.grant(purpose="HPAYMT")
    assert world.access.still_holds(permission.fence)


def test_blocking_stops_reads_and_hides_requests_until_unblocked(world: World) -> None:
    world.grant()
    waiting = world.ask()
    session = world.access.open_session("citizen", "org", "dr", "TREAT")
    fence = world.access.authorise(session).fence
    world.consent.block("citizen", "org", blocked=True)
    assert not world.access.still_holds(fence)
    assert world.consent.requests("citizen") == []
    with pytest.raises(RequestNotFound):
        world.consent.request("citizen", waiting.id)
    with pytest.raises(ReadRefused) as refused:
        world.access.authorise(session)
    assert isinstance(refused.value.told, ConsentEnded)
    world.consent.block("citizen", "org", blocked=False)
    assert world.access.authorise(session).decision.permit


def test_a_hundred_sessions_at_once_on_one_use_open_exactly_one(world: World) -> None:
    world.grant(uses=1)
    opened: list[object] = []
    gate = threading.Barrier(100)

    def open_one() -> None:
        gate.wait()
        with contextlib.suppress(ReadRefused):
            opened.append(world.access.open_session("citizen", "org", "dr", "TREAT"))

    threads = [threading.Thread(target=open_one) for _ in range(100)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(opened) == 1


def test_a_session_ends_after_half_an_hour_or_with_its_grant(world: World) -> None:
    world.grant(expires_at=NOW + timedelta(minutes=10))
    session = world.access.open_session("citizen", "org", "dr", "TREAT")
    assert session.expires_at == NOW + timedelta(minutes=10)
    longer = replace(session, expires_at=NOW + timedelta(hours=1))
    world.time = NOW + timedelta(minutes=10)
    with pytest.raises(ReadRefused):
        world.access.authorise(longer)


def test_a_session_is_over_although_its_grant_lives_on(world: World) -> None:
    world.grant()
    session = world.access.open_session("citizen", "org", "dr", "TREAT")
    world.time = session.expires_at - timedelta(milliseconds=1)
    assert world.access.authorise(session).decision.permit
    world.time = session.expires_at
    with pytest.raises(ReadRefused):
        world.access.authorise(session)


def test_a_session_paid_under_one_grant_reads_nothing_of_another(world: World) -> None:
    first = world.grant(categories=frozenset({"visit"}))
    session = world.access.open_session("citizen", "org", "dr", "TREAT")
    world.grant(categories=frozenset({"immunization"}))
    assert world.access.authorise(session).decision.grant_ids == (first.id,)


def test_nobody_who_was_never_granted_anything_learns_that_something_is_there(world: World) -> None:
    with pytest.raises(ReadRefused) as refused:
        world.access.open_session("citizen", "org", "dr", "TREAT")
    assert isinstance(refused.value.told, AccessRefused)


def test_visit_codes_work_once_and_for_five_minutes() -> None:
    time = [NOW]
    codes = VisitCodeService(MemoryVisitCodes(), lambda text: f"digest of {text}", lambda: time[0])
    code, ends = codes.issue("citizen")
    assert ends - NOW == timedelta(minutes=5)
    shown = codes.shown(f" {code[:5].lower()}-{code[5:]} ")
    assert shown.citizen_id == codes.shown(code).citizen_id == "citizen"
    codes.use(shown)
    with pytest.raises(VisitCodeInvalid):
        codes.use(shown)
    late, _ = codes.issue("citizen")
    time[0] += timedelta(minutes=5)
    for wrong in (code, late, "", "A" * 10, "x" * 10_000, "ABCDEFGHJ0"):
        with pytest.raises(VisitCodeInvalid):
            codes.shown(wrong)


def test_a_live_grant_that_does_not_cover_is_told_from_one_that_ended(world: World) -> None:
    grant = world.grant(practitioner_id="dr", uses=1)
    for organisation, practitioner, purpose in (("org", "dr-b", "TREAT"), ("org", "dr", "HPAYMT")):
        with pytest.raises(ReadRefused) as refused:
            world.access.open_session("citizen", organisation, practitioner, purpose)
        assert isinstance(refused.value.told, NotCovered)
    world.access.open_session("citizen", "org", "dr", "TREAT")
    with pytest.raises(ReadRefused) as refused:
        world.access.open_session("citizen", "org", "dr", "TREAT")
    assert isinstance(refused.value.told, NotCovered)
    world.consent.withdraw("citizen", grant.id, None, ACTOR)
    with pytest.raises(ReadRefused) as refused:
        world.access.open_session("citizen", "org", "dr", "TREAT")
    assert isinstance(refused.value.told, ConsentEnded)


def test_a_session_given_back_leaves_its_use(world: World) -> None:
    world.grant(uses=1)
    session = world.access.open_session("citizen", "org", "dr", "TREAT")
    world.access.give_back(session)
    assert world.access.open_session("citizen", "org", "dr", "TREAT").grant_ids == session.grant_ids
