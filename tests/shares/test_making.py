"""Making, listing and ending share links over HTTP: who may, within which bounds, and who sees them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from tests.rights.steps import asked, completed
from tests.shares.links import (
    DOSE,
    PASSCODE,
    PLAIN,
    as_kept,
    ask,
    codes_of,
    fill,
    filled,
    lines,
    made,
    make,
    payload,
    record_of,
    revoke,
    shown,
    wish,
)
from tests.world import World, found_in, without_request_id
from wallet_api.infra.ids import new_id
from wallet_api.shares.rules import RULES

BABY, GIRL = date(2024, 2, 1), date(2017, 2, 1)


def hide_from_guardians(world: World, whose: Any, code: str) -> None:
    path = f"/citizens/me/records/{record_of(world, whose, code)}/visibility"
    assert world.call("PUT", path, whose, {"audience": "guardians", "hidden": True}).status_code == 204


def test_the_maker_sees_what_was_made_and_the_log_tells_of_it(world: World) -> None:
    an = filled(world)
    share = made(world, an, label="Cho phòng khám", passcode=PASSCODE, use_limit=2)
    kept = as_kept(world, share, an)
    assert kept == {name: value for name, value in share.items() if name != "link"}
    told = {name: kept[name] for name in ("label", "state", "uses", "use_limit", "passcode", "attempts_left")}
    assert told == {
        "label": "Cho phòng khám",
        "state": "active",
        "uses": 0,
        "use_limit": 2,
        "passcode": True,
        "attempts_left": 5,
    }
    assert [each["text"] for each in lines(world, an)] == ["Bạn tạo một liên kết chia sẻ hồ sơ"]
    assert "Cho phòng khám" not in str(payload(share)), "the name is for the person alone"


def test_a_copy_at_hand_stays_good_until_something_happens(world: World) -> None:
    an = filled(world)
    share = made(world, an)
    path = f"/citizens/me/shares/{share['id']}"
    tag = world.get(path, an).headers["ETag"]
    assert world.get(path, an, headers={"If-None-Match": tag}).status_code == 304
    shown(world, share)
    tag = world.get(path, an, headers={"If-None-Match": tag}).headers["ETag"]
    world.forward(days=1)
    assert world.get(path, an, headers={"If-None-Match": tag}).status_code == 200, "it has expired"


def test_a_link_needs_a_fresh_sign_in(world: World) -> None:
    an = filled(world)
    old = world.signed_in(an, ago=timedelta(minutes=6))
    answer = world.post("/citizens/me/shares", old, wish(world))
    assert (answer.status_code, found_in(answer)["code"]) == (401, "insufficient_user_authentication")
    assert world.db["shares"].count_documents({"citizen_id": an.id}) == 0


@pytest.mark.parametrize(
    ("over", "pointer"),
    [
        ({"expires_at": "2026-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_days": 31}, "/expires_at"),
        ({"expires_days": 366, "passcode": PASSCODE}, "/expires_at"),
        ({"use_limit": 0}, "/use_limit"),
        ({"use_limit": 101}, "/use_limit"),
        ({"passcode": "12345"}, "/passcode"),
        ({"passcode": "x" * 65}, "/passcode"),
        ({"kind": "everything"}, "/kind"),
        ({"kind": "summary"}, "/categories"),
        ({"kind": "records"}, "/categories"),
        ({"kind": "records", "categories": None}, "/record_ids"),
        ({"categories": []}, "/categories"),
        ({"categories": None}, "/categories"),
        ({"record_ids": ["a" * 26]}, "/record_ids"),
        ({"record_period": {"from": "2026-02-01", "to": "2026-01-01"}}, "/record_period"),
        ({"made_by": "somebody"}, "/made_by"),
    ],
)
def test_what_lies_outside_of_the_bounds_is_named(world: World, over: Any, pointer: str) -> None:
    an = filled(world)
    if days := over.pop("expires_days", 0):
        over["expires_at"] = (world.now() + timedelta(days=days)).isoformat()
    answer = make(world, an, **over)
    assert answer.status_code == 422, answer.get_data(as_text=True)
    assert any(each["pointer"].startswith(pointer) for each in found_in(answer)["errors"])
    assert world.db["shares"].count_documents({"citizen_id": an.id}) == 0


def test_with_a_passcode_a_link_may_serve_a_year(world: World) -> None:
    an, until = filled(world), world.now() + timedelta(days=365)
    made(world, an, passcode=PASSCODE, expires_at=until.isoformat())


def test_only_so_many_links_are_open_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(RULES.bounds), "most_open", 2)
    an = filled(world)
    first = made(world, an)
    made(world, an, use_limit=1)
    answer = make(world, an)
    assert (answer.status_code, found_in(answer)["code"]) == (409, "too_many_shares")
    revoke(world, first, an)
    made(world, an)


def test_a_record_that_is_not_there_anothers_or_hidden_cannot_be_shared(world: World) -> None:
    an, binh = filled(world), filled(world)
    theirs = record_of(world, binh, PLAIN)
    own = record_of(world, an, PLAIN)
    seen = [
        make(world, an, kind="records", categories=None, record_ids=[own, strange])
        for strange in (theirs, new_id())
    ]
    assert without_request_id(seen[0]) == without_request_id(seen[1])
    assert seen[0].status_code == 404
    path = f"/citizens/me/records/{own}/visibility"
    world.call("PUT", path, an, {"audience": "providers", "hidden": True})
    assert make(world, an, kind="records", categories=None, record_ids=[own]).status_code == 404


def test_another_persons_share_is_like_one_that_is_not_there(world: World) -> None:
    an, binh = filled(world), world.person()
    share = made(world, an)
    for method in ("GET", "DELETE"):
        seen = {
            without_request_id(world.call(method, path, binh))
            for path in (
                f"/citizens/me/shares/{share['id']}",
                f"/citizens/me/shares/{new_id()}",
                f"/citizens/{an.id}/shares/{share['id']}",
                f"/citizens/{new_id()}/shares/{share['id']}",
            )
        }
        assert len(seen) == 1 and next(iter(seen))[0] == 404
    assert as_kept(world, share, an)["state"] == "active"


def test_the_same_key_gives_the_same_link_and_one_share(world: World) -> None:
    an = filled(world)
    me, key = world.signed_in(an), {"Idempotency-Key": new_id()}
    body = wish(world, passcode=PASSCODE)
    first, again = (world.post("/citizens/me/shares", me, body, headers=key) for _ in range(2))
    assert first.status_code == again.status_code == 201
    assert found_in(first) == found_in(again)
    assert first.headers["Cache-Control"] == "no-store"
    assert world.db["shares"].count_documents({"citizen_id": an.id}) == 1
    assert codes_of(shown(world, found_in(again), PASSCODE)) == {PLAIN, DOSE}
    other = world.post("/citizens/me/shares", me, body | {"use_limit": 1}, headers=key)
    assert other.status_code == 422


def test_lists_are_paged_newest_first(world: World) -> None:
    an = filled(world)
    ids = []
    for _ in range(3):
        ids.append(made(world, an)["id"])
        world.forward(seconds=1)
    first = found_in(world.get("/citizens/me/shares?limit=2", an))
    rest = found_in(world.get(f"/citizens/me/shares?limit=2&cursor={first['next_cursor']}", an))
    assert [each["id"] for each in (*first["items"], *rest["items"])] == ids[::-1]
    assert rest["next_cursor"] is None
    stranger = world.get(f"/citizens/me/shares?cursor={first['next_cursor']}", world.person())
    assert found_in(stranger)["code"] == "bad_cursor"


# --- guardians -------------------------------------------------------------------------------------------


def test_a_guardian_shares_for_a_small_child_what_the_guardian_may_see(world: World) -> None:
    mother = world.person()
    baby = fill(world, world.child_of(mother, BABY))
    share = made(world, mother, baby.id, kind="summary", categories=None)
    assert share["relation"] == "guardian"
    assert codes_of(shown(world, share)) == {PLAIN, DOSE}
    hide_from_guardians(world, baby, PLAIN)
    assert codes_of(shown(world, share)) == {DOSE}
    hidden = record_of(world, baby, PLAIN)
    answer = make(world, mother, baby.id, kind="records", categories=None, record_ids=[hidden])
    assert answer.status_code == 404
    assert [each["text"] for each in lines(world, mother, baby.id)][
        -1
    ] == "Bạn tạo một liên kết chia sẻ hồ sơ"


def test_a_guardians_named_record_leaves_the_link_when_it_is_hidden_from_guardians(world: World) -> None:
    mother = world.person()
    baby = fill(world, world.child_of(mother, BABY))
    plain = record_of(world, baby, PLAIN)
    share = made(world, mother, baby.id, kind="records", categories=None, record_ids=[plain])
    hide_from_guardians(world, baby, PLAIN)
    assert codes_of(shown(world, share)) == set()


def test_for_a_child_of_seven_a_guardian_cannot_share_alone(world: World) -> None:
    mother = world.person()
    girl = fill(world, world.child_of(mother, GIRL))
    answer = make(world, mother, girl.id)
    assert (answer.status_code, found_in(answer)["code"]) == (409, "co_consent_required")


def test_c26_a_guardians_link_ends_with_the_guardianship_and_with_the_seventh_birthday(world: World) -> None:
    mother = world.person()
    baby = fill(world, world.child_of(mother, BABY))
    share = made(world, mother, baby.id)
    shown(world, share)
    (relation,) = world.services.identity.family.guardians_of(baby.id, world.now())
    world.services.identity.family.end(relation.id)
    assert ask(world, share).status_code == 404
    soon_seven = fill(world, world.child_of(mother, date(2019, 11, 4)))
    share = made(world, mother, soon_seven.id, expires_at=(world.now() + timedelta(days=20)).isoformat())
    assert ask(world, share).status_code == 200
    world.forward(days=7)
    today = world.now().date()
    assert today >= date(2026, 11, 4) and ask(world, share).status_code == 404


def test_what_somebody_shares_themselves_is_nothing_a_companion_learns_of(world: World) -> None:
    mother = world.person()
    girl = fill(world, world.child_of(mother, date(2011, 2, 1)))
    share = made(world, girl)
    shown(world, share)
    revoke(world, share, girl)
    assert len(lines(world, girl)) == 3
    assert lines(world, mother, girl.id) == []
    assert found_in(world.get(f"/citizens/{girl.id}/shares", mother))["items"] == []
    assert world.get(f"/citizens/{girl.id}/shares/{share['id']}", mother).status_code == 404
    assert revoke(world, share, mother, girl.id).status_code == 404


def test_the_owner_of_a_book_sees_and_ends_what_a_guardian_shares(world: World) -> None:
    mother = world.person()
    baby = fill(world, world.child_of(mother, BABY))
    share = made(world, mother, baby.id)
    assert as_kept(world, share, baby)["relation"] == "guardian"
    assert revoke(world, share, baby).status_code == 204
    assert ask(world, share).status_code == 404


def test_the_copy_of_ones_data_has_the_links_without_their_secrets(world: World) -> None:
    an = filled(world)
    share = made(world, an, passcode=PASSCODE, label="Cho phòng khám")
    shown(world, share, PASSCODE)
    request = completed(world, asked(world, an, "copy"))
    path = f"/citizens/me/rights-requests/{request['id']}/copy"
    copy = found_in(world.get(path, world.signed_in(an)))
    (told,) = copy["shares"]
    assert (told["label"], told["uses"], told["views"][0]["recipient"]) == ("Cho phòng khám", 1, "BS. Lan")
    assert payload(share)["key"] not in str(copy) and "link" not in told
