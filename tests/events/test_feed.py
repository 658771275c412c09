"""An organisation's feed over HTTP: every change of a consent is in it, once, for nobody else, never why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.events.holding import Copy, feed, types, whole_feed
from tests.world import Granted, World, found_in
from wallet_api.infra.ids import new_id


def narrow(made: Granted, **body: Any) -> str:
    """Narrow a grant; the id of the new one."""
    path = f"/citizens/me/grants/{made.grant['id']}"
    answer = made.world.call("PATCH", path, made.person, body, headers={"If-Match": '"1"'})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return str(found_in(answer)["id"])


def block(made: Granted, method: str = "PUT") -> None:
    path = f"/citizens/me/blocked-organisations/{made.doctor.organisation_id}"
    answer = made.world.call(method, path, made.world.signed_in(made.person))
    assert answer.status_code == 204, answer.get_data(as_text=True)


def test_a_grant_and_its_end_are_told(world: World) -> None:
    made = world.grant(world.doctor(), world.person())
    (granted,) = whole_feed(world, made.doctor)
    assert granted["type"] == "consent_granted" and granted["state"] == "granted"
    assert granted["grant_id"] == made.outcome["grant_id"]
    assert granted["citizen_ref"] == made.citizen_ref
    assert granted["request_id"] == made.request_ref
    assert granted["expires_at"] == made.grant["expires_at"]
    assert made.withdraw().status_code == 200
    (ended,) = whole_feed(world, made.doctor, granted["position"])
    assert (ended["type"], ended["state"], ended["version"]) == ("consent_ended", "ended", 2)
    assert {ended[each] for each in ("expires_at", "request_id", "superseded_by", "erase_by")} == {None}


def test_withdrawn_expired_and_blocked_are_one_word(world: World) -> None:
    """All of an event but its names and times: nobody can tell the three apart."""
    doctor, seen = world.doctor(), []
    for end in ("withdrawn", "expired", "blocked"):
        made = world.grant(doctor, world.person())
        since = whole_feed(world, doctor)[-1]["position"]
        if end == "withdrawn":
            made.withdraw()
        elif end == "blocked":
            block(made)
        else:
            world.forward(days=31)
        (ended,) = whole_feed(world, doctor, since)
        seen.append(
            {k: v for k, v in ended.items() if k not in ("id", "position", "at", "grant_id", "citizen_ref")}
        )
    assert seen[0] == seen[1] == seen[2]


def test_what_ran_out_is_told_without_a_sweeper_at_the_hour_it_ran_out(world: World) -> None:
    made = world.grant(world.doctor(), world.person())
    world.forward(days=40)
    ended = whole_feed(world, made.doctor)[-1]
    assert ended["type"] == "consent_ended" and ended["at"] == made.grant["expires_at"]
    path = f"/citizens/me/grants/{made.grant['id']}/withdrawal"
    assert world.post(path, world.signed_in(made.person)).status_code == 200
    assert types(whole_feed(world, made.doctor)) == ["consent_granted", "consent_ended"], "told once"


def test_a_narrowing_names_its_successor(world: World) -> None:
    made = world.grant(world.doctor(), world.person())
    new_grant = narrow(made, categories=["condition"])
    narrowed, granted = whole_feed(world, made.doctor)[1:]
    if narrowed["type"] == "consent_granted":
        narrowed, granted = granted, narrowed
    assert narrowed["type"] == "consent_narrowed" and narrowed["state"] == "ended"
    assert narrowed["superseded_by"] == granted["grant_id"] != made.outcome["grant_id"]
    seal = world.services.references.seal
    assert granted["grant_id"] == seal(made.doctor.organisation_id, "grant", made.person.id, new_grant)


def test_a_block_looks_like_withdrawals_and_its_end_like_new_consents(world: World) -> None:
    doctor, an = world.doctor(), world.person()
    first, second = world.grant(doctor, an), world.grant(doctor, an)
    block(second)
    blocked = whole_feed(world, doctor)[2:]
    assert [(each["type"], each["version"]) for each in blocked] == [("consent_ended", 2)] * 2
    assert Copy().take(whole_feed(world, doctor)).working == set()
    first.withdraw()  # while blocked: its end was told
    assert len(whole_feed(world, doctor)) == 4
    block(second, "DELETE")
    (again,) = whole_feed(world, doctor)[4:]
    assert (again["type"], again["grant_id"], again["version"]) == (
        "consent_granted",
        second.outcome["grant_id"],
        3,
    )
    assert Copy().take(whole_feed(world, doctor)).working == {second.outcome["grant_id"]}
    block(second)
    block(second)
    assert len(whole_feed(world, doctor)) == 6, "a block that stands is no news"


@pytest.mark.parametrize("kind", ["refused", "unanswered", "nobody"])
def test_a_closed_request_names_nobody_and_comes_when_its_time_is_over(world: World, kind: str) -> None:
    doctor, an = world.doctor(), world.person()
    asked = world.proposal(an)
    if kind == "nobody":
        asked["citizen"] = {"national_id": "001190888777"}
    reference = found_in(world.post("/provider/consent-requests", doctor, asked))["id"]
    if kind == "refused":
        path = f"/citizens/me/consent-requests/{world.newest_request(an)['id']}/refusal"
        assert world.post(path, an).status_code == 200
    world.forward(days=6)
    assert whole_feed(world, doctor) == []
    world.forward(days=2)
    (closed,) = whole_feed(world, doctor)
    assert closed["type"] == "request_closed" and closed["request_id"] == reference
    assert closed["citizen_ref"] is None and closed["grant_id"] is None and closed["state"] is None
    assert len(whole_feed(world, doctor)) == 1


def test_a_granted_request_is_not_closed_later(world: World) -> None:
    made = world.grant(world.doctor(), world.person())
    world.forward(days=8)
    assert types(whole_feed(world, made.doctor)) == ["consent_granted"]


def test_c19_no_organisation_sees_anothers_consents(world: World) -> None:
    an, doctors = world.person(), [world.doctor(), world.doctor()]
    made = [world.grant(doctor, an) for doctor in doctors]
    for each in made:
        each.withdraw()
    feeds = [whole_feed(world, doctor) for doctor in doctors]
    assert [types(each) for each in feeds] == [["consent_granted", "consent_ended"]] * 2
    for name in ("id", "grant_id", "citizen_ref"):
        assert not {each[name] for each in feeds[0]} & {each[name] for each in feeds[1]}, name
    ids = {made[0].grant["id"], made[1].grant["id"], an.id, new_id()}
    assert not ids & {value for events in feeds for each in events for value in each.values()}


def test_a_page_ends_where_it_says_and_the_next_goes_on(world: World) -> None:
    doctor, an = world.doctor(), world.person()
    for _ in range(3):
        world.grant(doctor, an).withdraw()
    whole = whole_feed(world, doctor)
    assert [each["position"] for each in whole] == [1, 2, 3, 4, 5, 6]
    page = feed(world, doctor, 0, 4)
    assert page["items"] == whole[:4] and page["has_more"] and page["next_since"] == 4
    page = feed(world, doctor, 4, 4)
    assert page["items"] == whole[4:] and not page["has_more"] and page["next_since"] == 6
    page = feed(world, doctor, 6, 4)
    assert page == {"items": [], "next_since": 6, "has_more": False}


def test_a_suspended_grant_is_told_and_told_again_when_it_goes_on(world: World) -> None:
    """A child's next age boundary: the grant is suspended by itself, without anybody having come by."""
    made = world.grant(world.doctor(), world.person())
    consents = world.services.consent._consents
    grant = world.services.consent.grant(made.person.id, made.grant["id"])
    held = type(grant)(**{**vars(grant), "version": 2, "holds_until": world.now() + timedelta(days=2)})
    consents.hold(held, expected=1)
    world.forward(days=3)
    consents.hold(type(held)(**{**vars(held), "version": 3, "holds_until": None}), expected=2)
    told = whole_feed(world, made.doctor)
    assert types(told) == ["consent_granted", "consent_granted", "consent_granted"]
    assert told[1]["holds_until"] is not None and told[2]["holds_until"] is None
    again = type(held)(**{**vars(held), "version": 4, "holds_until": world.now() + timedelta(days=2)})
    consents.hold(again, expected=3)
    world.forward(days=3)
    told = whole_feed(world, made.doctor)
    assert types(told)[-1] == "consent_suspended" and told[-1]["at"] == found_at(again.holds_until)
    assert Copy().take(told).working == set()


def found_at(at: Any) -> str:
    return str(at.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
