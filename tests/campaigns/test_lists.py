"""A list of numbers over HTTP: reported row by row, sent once, and no way to ask who exists."""

from __future__ import annotations

import pytest

from tests.campaigns.steps import Ops, phone_of, send_everything
from tests.campaigns.test_rows import BAD
from tests.world import World, code_in, found_in, without_request_id

LISTED = {"listed": True}


@pytest.fixture
def ops(world: World) -> Ops:
    return Ops(world)


def csv_of(*rows: str) -> bytes:
    return "\n".join(["national_id", *rows]).encode()


def test_fifty_kinds_of_bad_rows_are_reported_and_the_good_are_sent_once(world: World, ops: Ops) -> None:
    people = [world.person() for _ in range(12)]
    for who in people:
        phone_of(world, who)
    good = [who.number.encode() for who in people]
    rows = [b"national_id", *[raw for raw, _ in BAD if b"\n" not in raw], *good, *good[:3], b"001199999777"]
    answer = ops.send_list(ops.draft("outbreak", LISTED), b"\r\n".join(rows))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    campaign = found_in(answer)
    bad = len(rows) - 1 - 16
    told = {name: campaign["list"][name] for name in ("rows", "good", "bad", "duplicates", "whole")}
    assert told == {"rows": len(rows) - 1, "good": 13, "bad": bad, "duplicates": 3, "whole": True}
    report = world.get(f"/ops/campaigns/{campaign['id']}/list/report", ops.maker)
    lines = report.get_data(as_text=True).splitlines()
    assert report.mimetype == "text/csv" and lines[0] == "row,code"
    assert [line.split(",")[1] for line in lines[1:]] == [code for _, code in BAD] + ["duplicate"] * 3
    assert [int(line.split(",")[0]) for line in lines[1:]][:2] == [2, 3]
    assert not any(who.number in report.get_data(as_text=True) for who in people), "nothing is echoed"
    running = ops.launched(campaign)
    ops.turn(running)
    mine = {who.id for who in people}
    pushed = [each.address.citizen_id for each in send_everything(world) if each.address.citizen_id in mine]
    assert sorted(pushed) == sorted(mine)
    ops.turn(running)
    assert ops.read(running)["state"] == "done"
    assert world.db["campaign_lists"].count_documents({"_id": f"{campaign['id']}.1.0"}) == 0, "used and gone"


def test_a_list_tells_nobody_who_exists(world: World, ops: Ops) -> None:
    known, unknown = world.person().number, "001199999666"
    seen = []
    for number in (known, unknown):
        campaign = found_in(ops.send_list(ops.draft("information", LISTED), csv_of(number)))
        preview = ops.preview(campaign)
        launched = ops.launched(campaign)
        ops.turn(launched)
        told = ops.read(launched)
        seen.append((campaign["list"]["good"], preview, told["progress"], told["state"]))
    assert seen[0][:2] == seen[1][:2]
    assert seen[0][2]["planned"] in (None, 0) and seen[0][2]["failed"] is None


def test_a_list_needs_a_second_person_and_what_was_approved_is_exactly_it(world: World, ops: Ops) -> None:
    draft = ops.draft("information", LISTED)
    assert ops.refused("approve", draft, ops.second) == (409, "campaign_step_refused"), "no list yet"
    first = found_in(ops.send_list(draft, csv_of(world.person().number)))
    assert ops.refused("launch", first) == (409, "campaign_needs_approval")
    approved = ops.act("approve", first, ops.second)
    swapped = found_in(ops.send_list(approved, csv_of(world.person().number)))
    assert (swapped["state"], swapped["approved_by"]) == ("draft", None)
    assert ops.refused("launch", swapped) == (409, "campaign_needs_approval")
    assert ops.refused("approve", first, ops.second) == (412, "stale_version"), "not the version they saw"


def test_whoever_sent_the_list_does_not_approve_it(world: World, ops: Ops) -> None:
    draft, helper = ops.draft("information", LISTED), world.ops("operator")
    headers = {"If-Match": '"1"'}
    path = f"/ops/campaigns/{draft['id']}/list"
    sent = world.call(
        "PUT", path, helper, headers=headers, raw=csv_of(world.person().number), kind="text/csv"
    )
    assert ops.refused("approve", found_in(sent), helper) == (409, "second_person_needed")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "bad_header"),
        (b"\n\n", "bad_header"),
        (b"name\nAn\n", "bad_header"),
        (b"national_id;x\n1\n", "bad_header"),
        (b"\xff\xfen\x00", "bad_header"),
        (b"PK\x03\x04 a spreadsheet", "bad_header"),
        (b'{"national_id": "1"}', "bad_header"),
    ],
)
def test_what_is_no_list_changes_nothing(world: World, ops: Ops, raw: bytes, code: str) -> None:
    draft = ops.draft("information", LISTED)
    answer = ops.send_list(draft, raw)
    assert (answer.status_code, code_in(answer)) == (422, code)
    assert ops.read(draft)["version"] == 1


def test_a_list_is_refused_where_none_belongs_or_the_version_is_old(world: World, ops: Ops) -> None:
    plain = ops.draft("information", {"province": "08"})
    answer = ops.send_list(plain, csv_of("001190999001"))
    assert (answer.status_code, code_in(answer)) == (409, "campaign_step_refused")
    listed = ops.draft("information", LISTED)
    ops.send_list(listed, csv_of("001190999001"))
    answer = ops.send_list(listed, csv_of("001190999001"))
    assert (answer.status_code, code_in(answer)) == (412, "stale_version")
    bare = world.call("PUT", f"/ops/campaigns/{listed['id']}/list", ops.maker, raw=b"x", kind="text/csv")
    assert (bare.status_code, code_in(bare)) == (428, "precondition_required")
    huge = ops.send_list(listed, b"national_id\n" + b"9" * (10 * 2**20))
    assert (huge.status_code, code_in(huge)) == (413, "body_too_large")


def test_a_list_that_broke_off_cannot_be_launched(
    world: World, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft, lists = ops.draft("information", LISTED), world.services.reminding.campaigns.lists

    def breaks(*_: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(type(lists), "put", breaks)
        patch.setitem(world.app.config, "PROPAGATE_EXCEPTIONS", False)
        assert ops.send_list(draft, csv_of(world.person().number)).status_code >= 500
    half = ops.read(draft)
    assert half["list"]["whole"] is False
    assert ops.refused("approve", half, ops.second) == (409, "campaign_step_refused")
    whole = found_in(ops.send_list(half, csv_of(world.person().number)))
    assert ops.act("approve", whole, ops.second)["state"] == "approved"


def test_an_unknown_campaign_is_absent_in_every_act(world: World, ops: Ops) -> None:
    nothing = {"id": "a" * 26, "version": 1}
    seen = {
        without_request_id(ops.post(act, nothing))[:1]
        for act in ("approve", "launch", "pause", "resume", "cancel", "preview")
    }
    assert seen == {(404,)}
