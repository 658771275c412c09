"""The withdrawal fence, step by step: a read is paused at each of its steps and the citizen withdraws there.

Each guard is then taken away to show that these tests see it: without it the data comes out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from consent.access import AccessService, AccessSession, Fence, Permission
from consent.decision import Ask, decide
from tests.world import Granted, World, bundle, condition, found_in

SECRET = "I10"


class Gate:
    """Stops the first call of a method until told to go on."""

    def __init__(self) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        self._used = threading.Lock()

    def pausing(self, call: Callable[..., Any], *, after: bool = False) -> Callable[..., Any]:
        """The call with a pause before it, or after it."""

        def paused(*args: Any, **more: Any) -> Any:
            if not self._used.acquire(blocking=False):
                return call(*args, **more)
            found = call(*args, **more) if after else None
            self.reached.set()
            assert self.go_on.wait(30)
            return found if after else call(*args, **more)

        return paused


@pytest.fixture
def granted(world: World) -> Granted:
    doctor, person = world.doctor(), world.person()
    world.send(doctor, bundle(person, condition(code=SECRET)))
    return world.grant(doctor, person)


STEPS = {
    "before the decision": ("services.access._consents", "standing", False),
    "after the decision, before the query": ("services.book.readers._parts.records", "page", False),
    "after the query": ("services.book.readers._parts.records", "page", True),
    "before the log is written": ("services.log", "append", False),
    "after the log is written": ("services.log", "append", True),
    "right before the last look": ("services.access._consents", "settled_standing", False),
}


# The same of reading one record: another query, the same looks before and after it.
STEPS_OF_ONE = {
    "after the decision, before the query": ("services.book.readers._parts.records", "get", False),
    "after the query": ("services.book.readers._parts.records", "get", True),
    "right before the last look": STEPS["right before the last look"],
}


def _target(world: World, path: str) -> Any:
    found: Any = world
    for name in path.split("."):
        found = getattr(found, name)
    return found


def read_while(
    granted: Granted,
    step: str,
    monkeypatch: pytest.MonkeyPatch,
    meanwhile: Callable[[], Any],
    *,
    one: bool = False,
) -> TestResponse:
    """The answer of a read, of the list or of one record, paused at a step while something else happens."""
    session, token = granted.session(), granted.doctor.token
    record = f"/{found_in(granted.read(session))['items'][0]['id']}" if one else ""
    path, method, after = (STEPS_OF_ONE if one else STEPS)[step]
    target, gate, answers = _target(granted.world, path), Gate(), []
    monkeypatch.setattr(target, method, gate.pausing(getattr(target, method), after=after))
    url = f"/provider/citizens/{granted.citizen_ref}/records{record}"

    def read() -> None:
        answers.append(granted.world.get(url, token, headers={"Access-Session": session}))

    reader = threading.Thread(target=read)
    reader.start()
    assert gate.reached.wait(30), f"the read never came to: {step}"
    monkeypatch.undo()
    meanwhile()
    gate.go_on.set()
    reader.join(30)
    return answers[0]


def test_an_undisturbed_read_gets_the_record(granted: Granted) -> None:
    assert SECRET in granted.read(granted.session()).get_data(as_text=True)


@pytest.mark.parametrize("step", STEPS)
def test_withdrawal_at_any_step_of_a_read_stops_it(
    granted: Granted, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = read_while(granted, step, monkeypatch, granted.withdraw)
    assert (answer.status_code, found_in(answer)["code"]) == (403, "consent_ended")
    assert SECRET not in answer.get_data(as_text=True)


@pytest.mark.parametrize("step", STEPS_OF_ONE)
def test_c01_withdrawal_at_any_step_of_reading_one_record_stops_it(
    granted: Granted, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = read_while(granted, step, monkeypatch, granted.withdraw, one=True)
    assert (answer.status_code, found_in(answer)["code"]) == (403, "consent_ended")
    assert SECRET not in answer.get_data(as_text=True)


def hide(granted: Granted) -> None:
    """The citizen hides the newest record from every provider."""
    newest = found_in(granted.world.get("/citizens/me/records?limit=1", granted.person))["items"][0]["id"]
    body = {"audience": "providers", "hidden": True}
    path = f"/citizens/me/records/{newest}/visibility"
    assert granted.world.call("PUT", path, granted.person, body).status_code == 204


@pytest.mark.parametrize(
    ("step", "one"), [*((step, False) for step in STEPS), *((step, True) for step in STEPS_OF_ONE)]
)
def test_what_is_hidden_while_it_is_read_does_not_leave(
    granted: Granted, step: str, one: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = read_while(granted, step, monkeypatch, lambda: hide(granted), one=one)
    assert SECRET not in answer.get_data(as_text=True)
    begun_after = step == "before the decision"
    assert answer.status_code == (200 if begun_after else 404 if _found_nothing(step, one) else 503)
    assert begun_after or answer.status_code == 404 or found_in(answer)["code"] == "unavailable"
    again = granted.read(granted.session())
    assert (again.status_code, found_in(again)["items"]) == (200, [])


def _found_nothing(step: str, one: bool) -> bool:
    return one and step == "after the decision, before the query"


def test_suspending_stops_a_read(granted: Granted, monkeypatch: pytest.MonkeyPatch) -> None:
    consent, grant_id = granted.world.services.consent, granted.grant["id"]

    def suspend() -> None:
        consent.suspend(granted.person.id, grant_id, "custody_ended", "registry")

    answer = read_while(granted, "after the query", monkeypatch, suspend)
    assert (answer.status_code, found_in(answer)["code"]) == (403, "consent_ended")


@pytest.mark.parametrize("step", ["after the query", "right before the last look"])
def test_blocking_and_narrowing_stop_a_read_as_well(
    granted: Granted, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def block() -> None:
        path = f"/citizens/me/blocked-organisations/{granted.doctor.organisation_id}"
        assert granted.world.call("PUT", path, granted.person).status_code == 204

    answer = read_while(granted, step, monkeypatch, block)
    assert answer.status_code == 403
    assert SECRET not in answer.get_data(as_text=True)


def test_another_grant_given_meanwhile_does_not_stop_a_read(
    granted: Granted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grant_more() -> None:
        granted.world.grant(granted.doctor, granted.person, categories=["visit"])

    answer = read_while(granted, "after the query", monkeypatch, grant_more)
    assert answer.status_code == 200
    assert SECRET in answer.get_data(as_text=True)


def test_the_citizen_sees_that_a_read_was_stopped(granted: Granted, monkeypatch: pytest.MonkeyPatch) -> None:
    read_while(granted, "right before the last look", monkeypatch, granted.withdraw)
    lines = found_in(granted.world.get("/citizens/me/access-log", granted.person))["items"]
    assert ("access:ended", "refuse") in {(line["action"], line["decision"]) for line in lines}


def test_if_the_last_look_cannot_be_taken_nothing_leaves(
    granted: Granted, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pymongo.errors import AutoReconnect

    def gone(*args: Any) -> Any:
        raise AutoReconnect("gone")

    session = granted.session()
    monkeypatch.setattr(granted.world.services.access._consents, "settled_standing", gone)
    answer = granted.read(session)
    assert (answer.status_code, found_in(answer)["code"]) == (503, "unavailable")
    assert SECRET not in answer.get_data(as_text=True)


# --- the same with a guard removed: the data must come out, or the tests above prove nothing -------------


def _no_last_look(self: AccessService, fence: Fence) -> bool:
    return True


def _remembered(standings: dict[str, Any]) -> Callable[[AccessService, AccessSession], Permission]:
    """`authorise` deciding on what it remembers, as a cache without an epoch would."""

    def authorise(self: AccessService, session: AccessSession) -> Permission:
        now = self._consents.standing(session.citizen_id, session.organisation_id)
        old = standings.setdefault(session.citizen_id, now)
        ask = Ask(
            session.organisation_id, session.practitioner_id, session.purpose, self._now(), session.grant_ids
        )
        decision = decide(ask, old, self._licence_of(session.organisation_id))
        return Permission(decision, Fence(session, now.epoch, decision.grant_ids))

    return authorise


def test_without_the_last_look_a_withdrawn_read_leaks(
    granted: Granted, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.MonkeyPatch.context() as removed:
        removed.setattr(AccessService, "still_holds", _no_last_look)
        answer = read_while(granted, "after the query", monkeypatch, granted.withdraw)
    assert SECRET in answer.get_data(as_text=True)


def test_if_hiding_is_not_noted_what_is_hidden_leaks(
    granted: Granted, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = granted.world.services.book.readers._parts
    object.__setattr__(parts, "note_hiding", lambda citizen_id: None)  # it is frozen
    answer = read_while(granted, "after the query", monkeypatch, lambda: hide(granted))
    assert SECRET in answer.get_data(as_text=True)


def test_without_the_first_decision_a_later_read_leaks(granted: Granted) -> None:
    session = granted.session()
    with pytest.MonkeyPatch.context() as removed:
        removed.setattr(AccessService, "authorise", _remembered({}))
        assert granted.read(session).status_code == 200
        granted.withdraw()
        assert SECRET in granted.read(session).get_data(as_text=True)
    assert granted.read(session).status_code == 403
