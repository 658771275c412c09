"""The last part: an outbreak message to the children of a small town, decided by two, watched as it goes."""

from __future__ import annotations

from typing import Any, Final

from notifications.outgoing import Device
from wallet_api.cli.opened import opened_services
from wallet_api.cli.story.cast import Act, Cast
from wallet_api.infra.ids import new_id
from wallet_api.wiring.population.run import populate

_NEIGHBOURS: Final = 250
_CAMPAIGNS: Final = "/api/v1/ops/campaigns"
_DRAFT: Final[dict[str, Any]] = {
    "name": "story-outbreak",
    "kind": "outbreak",
    "template": "outbreak_vaccination.v1",
    "audience": {"age_from": 0, "age_to": 13},
}
_SHOWN: Final = ("queued", "accepted", "opened", "failed", "cancelled")


def ops_draft_an_outbreak(cast: Cast) -> None:
    """Made-up neighbours move in; the operator drafts a message to all children and looks before it goes."""
    cast.journal.step(
        f"{_NEIGHBOURS} made-up neighbours; the operator drafts an outbreak message to children"
    )
    cast.journal.note(neighbours=_NEIGHBOURS, with_a_phone=_neighbours(cast))
    cast.ops.sign_in("ops-operator")
    draft = cast.journal.answered(cast.ops.call("POST", _CAMPAIGNS, json=_DRAFT), 201)
    cast.handed["campaign"] = draft["id"]
    path = f"{_CAMPAIGNS}/{draft['id']}"
    told = cast.journal.answered(cast.ops.call("POST", f"{path}/preview", json={}), 200)
    cast.journal.note(
        about_people=told["people"], says=told["sample"][0]["title"], push=told["push_template"]
    )
    cast.journal.must(told["people"] is not None and told["people"] % 10 == 0, "a count is told in tens.")
    _step(cast, "launch", draft["version"], 409, "campaign_needs_approval")
    _step(cast, "approve", draft["version"], 409, "second_person_needed")


def a_second_person_approves(cast: Cast) -> None:
    """Somebody else says yes to what they saw; the operator lets it go and watches until it is done."""
    cast.journal.step(
        "A second person approves; it is launched, and its progress is watched until it is done"
    )
    cast.ops.sign_in("ops-reviewer")
    approved = _step(cast, "approve", 1)
    cast.ops.sign_in("ops-operator")
    _step(cast, "launch", approved["version"])
    seen: list[str] = []
    done = cast.journal.soon("the campaign's end", lambda: _done(cast, seen), patience=180)
    for line in seen:
        cast.journal.note(progress=line)
    progress = done["progress"]
    parts = [progress[name] for name in _SHOWN]
    cast.journal.must(None not in parts and sum(parts) == progress["planned"], "the parts must add up.")
    cast.journal.must(progress["planned"] >= 10 and progress["queued"] == 0, "all must have been sent.")
    inbox = cast.journal.answered(cast.citizen.call("GET", "/api/v1/citizens/me/inbox"), 200)["items"]
    mine = [each for each in inbox if each["title"] == "Thông báo phòng dịch tại địa phương"]
    cast.journal.note(told_the_mother=len(mine))
    cast.journal.must(len(mine) == 1, "the mother must have been told, and once.")


ACTS: tuple[Act, ...] = (ops_draft_an_outbreak, a_second_person_approves)


def _neighbours(cast: Cast) -> int:
    """Fill in made-up people, and give a phone to everybody who is told of a child."""
    settings, phones = cast.wallet.settings, 0
    with opened_services(settings) as (services, database):
        populate(settings, services, database, _NEIGHBOURS, 1, lambda progress: None)
        told = {row["guardian_id"] for row in database["guardianships"].find({"state": "active"})}
        for guardian in sorted(told - {cast.handed["an"]}):
            name = new_id()
            services.reminding.devices.register(
                Device(name, guardian, "token", f"ok-{name}", "android", services.now())
            )
            phones += 1
    return phones


def _step(cast: Cast, act: str, version: int, status: int = 200, code: str = "") -> Any:
    path = f"{_CAMPAIGNS}/{cast.handed['campaign']}/{act}"
    answer = cast.ops.call("POST", path, json={}, headers={"If-Match": f'"{version}"'})
    return cast.journal.answered(answer, status, code) if code else cast.journal.answered(answer, status)


def _done(cast: Cast, seen: list[str]) -> dict[str, Any] | None:
    path = f"{_CAMPAIGNS}/{cast.handed['campaign']}"
    found: dict[str, Any] = cast.journal.answered(cast.ops.quietly("GET", path), 200)
    progress = found["progress"]
    line = ", ".join(f"{name} {progress[name]}" for name in ("planned", *_SHOWN) if progress[name] != 0)
    line = f"{found['state']}: {line.replace('None', 'fewer than 10')}"
    if not seen or seen[-1] != line:
        seen.append(line)
    return found if found["state"] == "done" else None
