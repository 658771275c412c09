"""What closes is in force before it is logged; what opens is logged before it is in force."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from tests.world import Granted, World, bundle, condition, found_in
from wallet_api.audit.errors import LogUnavailable


@pytest.fixture
def made(world: World) -> Granted:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition()))
    return world.grant(doctor, an)


def without_a_log(world: World, monkeypatch: pytest.MonkeyPatch, call: Callable[[], Any]) -> tuple[int, str]:
    def unavailable(self: Any, event: Any) -> str:
        raise LogUnavailable("planted")

    with monkeypatch.context() as patch:
        patch.setattr(world.services.log.__class__, "append", unavailable)
        answer = call()
    return answer.status_code, str(found_in(answer)["code"])


def deny(made: Granted, method: str, who: Any = None) -> Any:
    path = f"/citizens/me/blocked-organisations/{made.doctor.organisation_id}"
    return made.world.call(method, path, who or made.person)


def test_a_block_waits_for_the_log(world: World, made: Granted, monkeypatch: pytest.MonkeyPatch) -> None:
    session = made.session()
    assert without_a_log(world, monkeypatch, lambda: deny(made, "PUT")) == (503, "log_unavailable")
    assert made.read(session).status_code == 403


def test_an_unblocking_is_in_force_unlogged(
    world: World, made: Granted, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = made.session()
    assert deny(made, "PUT").status_code == 204
    assert without_a_log(world, monkeypatch, lambda: deny(made, "DELETE")) == (503, "log_unavailable")
    assert made.read(session).status_code == 403, "still blocked"
    assert deny(made, "DELETE").status_code == 204
    assert made.read(session).status_code == 200


def test_an_old_sign_in_is_enough_to_unblock(world: World, made: Granted) -> None:
    old = world.signed_in(made.person, ago=timedelta(minutes=6))
    assert deny(made, "PUT", old).status_code == 204, "closing never needs a new sign-in"
    answer = deny(made, "DELETE", old)
    assert (answer.status_code, found_in(answer)["code"]) == (401, "insufficient_user_authentication")
    assert made.open().status_code == 403


def test_blocking_is_logged_as_a_withdrawal_or_without_the_organisation(world: World, made: Granted) -> None:
    deny(made, "PUT")
    deny(made, "DELETE")
    for language, texts in (
        ("vi", ["Bạn bỏ chặn Bệnh viện Thử", "Bạn chặn Bệnh viện Thử"]),
        ("en", ["You unblocked Test Hospital", "You blocked Test Hospital"]),
    ):
        headers = {"Accept-Language": language}
        lines = found_in(world.get("/citizens/me/access-log?limit=2", made.person, headers=headers))["items"]
        assert [each["text"] for each in lines] == texts
        assert [each["action"] for each in lines] == ["organisation:unblocked", "organisation:blocked"]
        assert {each["organisation"]["id"] for each in lines} == {made.doctor.organisation_id}


def visibility(made: Granted, *, hidden: bool, audience: str = "providers") -> Any:
    items = found_in(made.world.get("/citizens/me/records", made.person))["items"]
    path = f"/citizens/me/records/{items[0]['id']}/visibility"
    token = made.person.token
    return lambda: made.world.call("PUT", path, token, {"audience": audience, "hidden": hidden})


def test_hiding_waits_for_the_log(world: World, made: Granted, monkeypatch: pytest.MonkeyPatch) -> None:
    act = visibility(made, hidden=True)
    assert without_a_log(world, monkeypatch, act) == (503, "log_unavailable")
    assert made.seen() == []


def test_a_record_is_shown_again_unlogged(
    world: World, made: Granted, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert visibility(made, hidden=True)().status_code == 204
    act = visibility(made, hidden=False)
    assert without_a_log(world, monkeypatch, act) == (503, "log_unavailable")
    assert made.seen() == [], "still hidden"
    assert act().status_code == 204
    assert len(made.seen()) == 1


def test_an_opened_session_that_the_log_does_not_hold_costs_a_use(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    an, doctor = world.person(), world.doctor()
    made = world.grant(doctor, an, {"frequency": "once"})
    assert without_a_log(world, monkeypatch, made.open) == (503, "log_unavailable")
    assert made.open().status_code == 201


def test_a_guardian_alone_unblocks_for_a_child_of_seven(world: World) -> None:
    mother, doctor = world.person(), world.doctor()
    child = world.child_of(mother, born=date(2015, 1, 1))
    path = f"/citizens/{child.id}/blocked-organisations/{doctor.organisation_id}"
    assert world.call("PUT", path, mother).status_code == 204
    answer = world.call("DELETE", path, mother)
    assert (answer.status_code, found_in(answer)["code"]) == (409, "co_consent_required")
    assert world.services.consent.blocked(child.id) == [doctor.organisation_id]
