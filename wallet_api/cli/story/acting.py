"""In between: somebody acts for a child, a doctor breaks the glass, a citizen uses a right the law gives."""

from __future__ import annotations

from typing import Any

from wallet_api.cli.story.cast import NURSE, OTHER_DOCTOR, Act, Cast

REVIEWER = "ops-reviewer"


def guardian_approves(cast: Cast) -> None:
    """The station asks about the child; the mother signs in his stead, for vaccinations alone."""
    cast.journal.step("The station asks to see little Minh's vaccinations; his mother approves in his stead")
    cast.station.sign_in(NURSE)
    asked = {
        "citizen": {"national_id": cast.patients["minh"].number},
        "purpose": "TREAT",
        "categories": ["immunization"],
        "expires_at": cast.instant(30),
        "reason": "Kiểm tra lịch tiêm chủng",
    }
    answer = cast.station.call("POST", "/api/v1/provider/consent-requests", json=asked)
    reference = cast.journal.answered(answer, 202)["id"]
    family = cast.journal.answered(cast.citizen.call("GET", "/api/v1/citizens/me/family"), 200)["items"]
    child = next(each for each in family if each["role"] == "dependent")
    of_child = f"/api/v1/citizens/{child['dependent_id']}"
    waiting = cast.journal.answered(cast.citizen.call("GET", f"{of_child}/consent-requests"), 200)["items"]
    cast.journal.note(child=child["name"], asks=waiting[0]["organisation"]["name_vi"])
    path = f"{of_child}/consent-requests/{waiting[0]['id']}/approval"
    made = cast.journal.answered(
        cast.citizen.call("POST", path, json={"notice": _notice(cast, "TREAT")}), 201
    )
    cast.journal.note(granted=made["categories"], state=made["state"])
    path = f"/api/v1/provider/consent-requests/{reference}"
    citizen_ref = cast.journal.answered(cast.station.call("GET", path), 200)["citizen_ref"]
    opened = {"citizen_ref": citizen_ref, "purpose": "TREAT"}
    answer = cast.station.call("POST", "/api/v1/provider/access-sessions", json=opened)
    session = cast.journal.answered(answer, 201)["id"]
    path = f"/api/v1/provider/citizens/{citizen_ref}/records"
    answer = cast.station.call("GET", path, headers={"Access-Session": session})
    found = cast.journal.answered(answer, 200)["items"]
    cast.journal.note(doses_read=len(found))
    cast.journal.must(bool(found), "the child's vaccinations must be read.")
    cast.journal.must({each["category"] for each in found} == {"immunization"}, "nothing else may be read.")


def doctor_breaks_the_glass(cast: Cast) -> None:
    """An hour, the smallest set, the person told at once, a reviewer behind it."""
    cast.journal.step("An is brought in unconscious: a doctor breaks the glass; An is told, a reviewer looks")
    cast.other_doctor.sign_in(OTHER_DOCTOR)
    need = {
        "citizen": {"national_id": cast.patients["an"].number},
        "reason_code": "unconscious",
        "reason": "Nhập viện cấp cứu, bất tỉnh",
    }
    answer = cast.other_doctor.call("POST", "/api/v1/provider/emergency-access", json=need)
    opened = cast.journal.answered(answer, 201)
    cast.journal.note(opened=opened["categories"], until=opened["expires_at"])
    path = f"/api/v1/provider/citizens/{opened['citizen_ref']}/records?limit=100"
    session = {"Access-Session": opened["access_session"]["id"]}
    answer = cast.other_doctor.call("GET", path, headers=session)
    found = cast.journal.answered(answer, 200)["items"]
    cast.journal.note(records_read=len(found), restricted_records="absent")
    cast.journal.must(bool(found), "the emergency set must be read.")
    inside = {each["category"] for each in found} <= set(opened["categories"])
    cast.journal.must(
        inside and not any(each["labels"] for each in found), "no more than the set may be read."
    )
    told = cast.journal.soon("the message to An", lambda: _newest_message(cast))
    cast.journal.note(told_to_her=told["title"])
    cast.ops.sign_in(REVIEWER)
    waiting = cast.journal.answered(cast.ops.call("GET", "/api/v1/ops/emergency-reviews"), 200)["items"]
    cast.journal.must(len(waiting) == 1, "exactly one review must wait.")
    path = f"/api/v1/ops/emergency-reviews/{waiting[0]['id']}/decision"
    verdict = {"verdict": "justified", "reason": "Có hồ sơ cấp cứu kèm theo"}
    decided = cast.journal.answered(cast.ops.call("POST", path, json=verdict), 200)
    cast.journal.note(review=decided["state"], review_was_due=waiting[0]["review_by"])


def citizen_asks_for_a_copy(cast: Cast) -> None:
    """A right with a legal clock: asked, acknowledged, carried out, fetched."""
    cast.journal.step("An asks for a copy of everything held about her; the legal clocks run")
    mine = "/api/v1/citizens/me/rights-requests"
    asked = cast.journal.answered(cast.citizen.call("POST", mine, json={"kind": "copy"}), 201)
    cast.journal.note(acknowledge_by=asked["acknowledge_by"], carry_out_by=asked["carry_out_by"])
    desk = f"/api/v1/ops/rights-requests/{asked['id']}"
    for step, said in (("acknowledgement", {"with_others": False}), ("completion", {})):
        tag = _tag(cast, desk)
        answer = cast.ops.call("POST", f"{desk}/{step}", json=said, headers={"If-Match": tag})
        cast.journal.note(state=cast.journal.answered(answer, 200)["state"])
    cast.citizen.sign_in("an")  # a copy of everything asks for a fresh sign-in
    copy = cast.journal.answered(cast.citizen.call("GET", f"{mine}/{asked['id']}/copy"), 200)
    parts = {name: len(part) for name, part in copy.items() if isinstance(part, list)}
    cast.journal.note(copy_holds=[f"{name} {count}" for name, count in parts.items()])
    cast.journal.must(bool(copy), "the copy must hold her data.")


def _notice(cast: Cast, purpose: str) -> dict[str, Any]:
    answer = cast.citizen.call("GET", f"/api/v1/notices/{purpose}?locale=vi")
    return {"version": cast.journal.answered(answer, 200)["version"], "locale": "vi"}


def _newest_message(cast: Cast) -> dict[str, Any] | None:
    found = cast.citizen.call("GET", "/api/v1/citizens/me/inbox")
    items = cast.journal.answered(found, 200)["items"]
    return dict(items[0]) if items else None


def _tag(cast: Cast, path: str) -> str:
    answer = cast.ops.call("GET", path)
    cast.journal.answered(answer, 200)
    return str(answer.headers["ETag"])


ACTS: tuple[Act, ...] = (guardian_approves, doctor_breaks_the_glass, citizen_asks_for_a_copy)
