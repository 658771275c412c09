"""The second half: a mother is reminded of her child's late dose, the dose is given, ops see the figures."""

from __future__ import annotations

import json
import re
from datetime import datetime, time, timedelta
from typing import Any

from wallet_api.cli.audit import checked
from wallet_api.cli.story.cast import NURSE, Act, Cast
from wallet_api.infra.clock import VIETNAM, vn_day
from wallet_api.infra.ids import new_id
from wallet_api.wiring.demo_books import checkup, dose

EVENING = time(20, 50)
_LIVE = frozenset({"planned", "queued", "leased", "deferred"})


def citizen_registers_phone(cast: Cast) -> None:
    """A push address, and the child's forecast: one dose is late."""
    cast.journal.step("An registers her phone, asks for evenings, and looks at what her child is due")
    cast.handed["installation"] = new_id()
    _register_phone(cast, f"ok-{new_id()}")
    told = cast.journal.answered(cast.citizen.call("GET", "/api/v1/citizens/me/inbox?limit=100"), 200)[
        "items"
    ]
    cast.handed["told"] = str(len(told))
    cast.journal.note(told_this_morning=[each["title"] for each in told])
    wanted = {"from_hour": 19, "to_hour": 21}
    answer = cast.citizen.call("PUT", "/api/v1/citizens/me/notification-preferences", json=wanted)
    chosen = cast.journal.answered(answer, 200)
    cast.journal.note(reminded_between=f"{chosen['from_hour']}:00 and {chosen['to_hour']}:00")
    family = cast.journal.answered(cast.citizen.call("GET", "/api/v1/citizens/me/family"), 200)["items"]
    child = next(each for each in family if each["role"] == "dependent")
    cast.handed["child"], cast.handed["child_name"] = child["dependent_id"], child["name"]
    late = _measles_rubella(cast)
    cast.journal.note(
        child=child["name"],
        dose=late["title"],
        status=late["status"],
        recommended=late["recommended"],
        rule=late["rule"],
    )
    cast.journal.must(late["status"] in ("due", "overdue"), "the second measles-rubella dose must be due.")


def ops_start_the_run(cast: Cast) -> None:
    """The operator signs in and starts today's reminders; the worker plans them."""
    cast.journal.step("The operator signs in and starts today's reminders; the worker plans them")
    cast.ops.sign_in("ops-operator")
    started = cast.journal.answered(cast.ops.call("POST", "/api/v1/ops/reminder-runs", json={}), 202)
    cast.journal.note(day=started["day"], state=started["state"])
    refused = cast.ops.call("GET", f"/api/v1/citizens/{cast.handed['an']}/records")
    cast.journal.answered(refused, 403, "forbidden")
    message = cast.journal.soon("a message to the mother", lambda: _message(cast), patience=40)
    cast.journal.answered(cast.citizen.call("GET", "/api/v1/citizens/me/inbox"), 200)
    cast.journal.note(inbox=message["title"], says=message["body"])
    cast.journal.must(message["about"] == cast.handed["child"], "the message must be about the child.")


def checkup_cancels(cast: Cast) -> None:
    """What is done meanwhile is not reminded of: the reminder is cancelled in the same breath."""
    cast.journal.step("The hospital files An's check-up of this morning: her own reminder of it is cancelled")
    path = "/api/v1/citizens/me/reminders"
    before = cast.journal.answered(cast.citizen.call("GET", path), 200)["items"]
    waiting = [each for each in before if each["state"] in _LIVE]
    cast.journal.note(waiting=[f"{each['title']} ({each['state']})" for each in waiting])
    cast.journal.must(len(waiting) == 1, "her own check-up must be waiting to be sent.")
    done = cast.patients["an"].bundle(checkup("story-checkup", vn_day(cast.clock())))
    cast.journal.answered(cast.hospital.file_bundle(done), 202)
    after = cast.journal.answered(cast.citizen.call("GET", path), 200)["items"]
    now = next(each for each in after if each["id"] == waiting[0]["id"])
    cast.journal.note(now=f"{now['title']} ({now['state']}: {now['reason']})")
    cast.journal.must(now["state"] == "cancelled", "the reminder must be cancelled.")


def push_arrives(cast: Cast) -> None:
    """At its time of the day the one push goes out, is tried again where it failed, and says nothing."""
    today = vn_day(cast.clock())
    before = int(cast.handed["told"])
    cast.journal.step(
        f"The clock moves to {EVENING:%H:%M}: the push goes out over FCM HTTP v1, fails, is tried again, "
        "and says nothing"
    )
    cast.journal.soon("a push for each alert of the morning", lambda: _received(cast) == before, patience=30)
    _register_phone(cast, f"broken1-{new_id()}")
    evening = datetime.combine(today, EVENING, VIETNAM)
    cast.clock.set_to(evening)
    cast.journal.soon("the push of the evening", lambda: _received(cast) > before, patience=30)
    cast.clock.set_to(evening + timedelta(minutes=2))
    cast.journal.soon("its second try", lambda: _received(cast) > before + 1, patience=30)
    got = cast.journal.answered(cast.receiver.send("GET", "/received"), 200)
    cast.journal.note(pushes=f"{before} alerts of the morning, {len(got) - before} tries of one reminder")
    cast.journal.must(len(got) == before + 2, "one push must have been tried twice in the evening.")
    failed, push = got[-2:]
    cast.journal.note(first_try=f"{failed['verdict']} ({failed['status']})")
    same = failed["body"]["message"]["data"]["nid"] == push["body"]["message"]["data"]["nid"]
    cast.journal.must(same, "both tries must carry one id, so that the phone shows one.")
    message = push["body"]["message"]
    cast.journal.note(verdict=f"{push['verdict']} ({push['status']})", lock_screen=_lock_screen(message))
    cast.journal.must(push["address"] == cast.handed["address"], "it must have gone to her phone.")
    told = _personal_words(cast, json.dumps(got, ensure_ascii=False))
    cast.journal.must(not told, "the push must carry no name, no vaccine and no id of a person.")
    reminder = cast.journal.soon(
        "the reminder's settling", lambda: _reminder_in(cast, {"accepted", "opened"})
    )
    cast.journal.note(reminder=f"{reminder['title']}: {reminder['state']}")
    digests = cast.journal.answered(cast.citizen.call("GET", "/api/v1/citizens/me/digests"), 200)["items"]
    mine = next(each for each in digests if each["id"] == push["body"]["message"]["data"]["nid"])
    cast.journal.note(behind_the_lock=f"{mine['heading']}, about {len(mine['people'])} of the family")


def station_records_dose(cast: Cast) -> None:
    """The dose is given: the forecast knows at once, and nothing more is sent."""
    cast.journal.step("The commune station records the dose; the forecast knows, nothing more will be sent")
    child = cast.patients["minh"]
    cast.station.sign_in(NURSE)
    given = dose("story-mr", vn_day(cast.clock()), "04", "Sởi - rubella (MR)", 2)
    made = cast.journal.answered(cast.station.file_bundle(child.bundle(given)), 202)
    cast.journal.must(made["accepted"] == 1, "the dose must be taken in.")
    now = _measles_rubella(cast)
    cast.journal.note(
        dose=now["title"], status=now["status"], evidence=[each["on"] for each in now["evidence"]]
    )
    cast.journal.must(now["status"] == "given", "the dose must count as given.")
    path = f"/api/v1/citizens/{cast.handed['child']}/reminders"
    rows = cast.journal.answered(cast.citizen.call("GET", path), 200)["items"]
    left = [each for each in rows if each["title"] == now["title"] and each["state"] in _LIVE]
    cast.journal.must(not left, "no reminder of this dose may be left.")
    cast.journal.note(reminders_left_for_this_dose=len(left))


def ops_see_figures(cast: Cast) -> None:
    """Counts, never people."""
    cast.journal.step("Ops see how sending went: counts, never people")
    cast.ops.sign_in("ops-operator")  # the morning's session has ended: the console was left alone
    found = cast.journal.answered(cast.ops.call("GET", "/api/v1/ops/delivery"), 200)
    cast.journal.note(**{name: _counts(value) for name, value in found.items() if isinstance(value, dict)})
    sent = int(cast.handed["told"]) + 1
    counted = {"accepted": sent, "unavailable": 1}
    cast.journal.must(found["pushes"] == counted, "exactly what was pushed must be counted.")


def log_is_whole(cast: Cast) -> None:
    """Every chain of the access log, recomputed."""
    cast.journal.step("`audit verify` recomputes the whole access log")
    report = checked(cast.wallet.settings)
    cast.journal.note(entries=report.rows, chains=report.logs, faults=len(report.faults))
    cast.journal.must(report.ok and report.rows > 0, "the access log must be as it was written.")


ACTS: tuple[Act, ...] = (
    ops_start_the_run,
    checkup_cancels,
    push_arrives,
    station_records_dose,
    ops_see_figures,
    log_is_whole,
)


def _register_phone(cast: Cast, address: str) -> None:
    """As the app does at each start; the first word of the address is how the receiver will answer."""
    device = {"platform": "android", "address_kind": "token", "address": address, "locale": "vi"}
    path = f"/api/v1/citizens/me/devices/{cast.handed['installation']}"
    cast.journal.answered(cast.citizen.call("PUT", path, json=device), 200)
    cast.handed["address"] = address


def _measles_rubella(cast: Cast) -> dict[str, Any]:
    path = f"/api/v1/citizens/{cast.handed['child']}/forecast"
    items = cast.journal.answered(cast.citizen.call("GET", path), 200)["items"]
    found: dict[str, Any] = next(each for each in items if each["series"] == "mr" and each["dose"] == 2)
    return found


def _quietly(cast: Cast, path: str) -> Any:
    return cast.journal.answered(cast.citizen.quietly("GET", path), 200)


def _message(cast: Cast) -> dict[str, Any] | None:
    items = _quietly(cast, "/api/v1/citizens/me/inbox")["items"]
    about = [
        each for each in items if each["about"] == cast.handed["child"] and "rubella" in each["title"].lower()
    ]
    return about[0] if about else None


def _reminder_in(cast: Cast, states: set[str]) -> dict[str, Any] | None:
    items = _quietly(cast, f"/api/v1/citizens/{cast.handed['child']}/reminders")["items"]
    found = [each for each in items if "rubella" in each["title"].lower() and each["state"] in states]
    return found[0] if found else None


def _received(cast: Cast) -> int:
    heard, cast.receiver.heard = cast.receiver.heard, lambda answer: None
    try:
        return len(cast.receiver.send("GET", "/received").body)
    finally:
        cast.receiver.heard = heard


def _personal_words(cast: Cast, text: str) -> list[str]:
    """Which names, vaccines and ids stand in the text as words (a random address may hold any letters)."""
    names = [*cast.handed["child_name"].split(), "Nguyễn Thị An"]
    facts = ["sởi", "rubella", "measles", "vắc xin", "vaccine", "tiêm"]
    looked_for = [*names, *facts, cast.handed["child"], cast.handed["an"]]
    return [word for word in looked_for if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE)]


def _lock_screen(message: dict[str, Any]) -> str:
    shown = message.get("notification") or {}
    return " | ".join(str(value) for value in shown.values()) or "nothing"


def _counts(figures: dict[str, Any]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(figures.items())) or "none"
