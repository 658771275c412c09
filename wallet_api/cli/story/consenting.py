"""The first half: a book is filled, asked for, opened in part, read, and closed again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from consent.receipt import ReceiptInvalid, verified
from wallet_api.cli.story.cast import ASSESSOR, DOCTOR, OTHER_DOCTOR, Act, Cast
from wallet_api.infra.clock import vn_day
from wallet_api.wiring.demo_books import condition, medication, visit

ASKED, GIVEN = ["condition", "medication", "visit"], ["condition", "medication"]
FROM_AGO = 365


def hospital_files(cast: Cast) -> None:
    """The hospital files a visit, one of its diagnoses restricted by default."""
    cast.journal.step("The hospital files today's visit of Nguyễn Thị An: a FHIR R4 bundle")
    today = vn_day(cast.clock())
    bundle = cast.patients["an"].bundle(
        visit("story-visit", today, "Đau họng"),
        condition("story-condition", today, "J02.9", "Viêm họng cấp"),
        condition("story-restricted", today, "F41.1", "Rối loạn lo âu lan tỏa"),
        medication("story-medication", today, "N02BE01", "Paracetamol 500 mg", "1 viên khi sốt"),
    )
    cast.hospital.sign_in(DOCTOR)
    made = cast.journal.answered(cast.hospital.file_bundle(bundle), 202)
    cast.journal.note(accepted=made["accepted"], rejected=made["rejected"])
    cast.journal.must(made["accepted"] == 4 and made["rejected"] == 0, "all four rows must be taken in.")


def citizen_signs_in(cast: Cast) -> None:
    """VNeID, code with PKCE, our token."""
    cast.journal.step("An signs in with VNeID: the app opens a browser and gets its one-time code back")
    answer = cast.citizen.sign_in("an")
    cast.journal.note(token_type=answer["token_type"], expires_in=f"{answer['expires_in']} s")
    found = cast.journal.answered(cast.citizen.call("GET", "/api/v1/citizens/me"), 200)
    cast.journal.note(name=found["name"], number=found["identifiers"][0]["masked"])
    cast.journal.must(found["name"] == "Nguyễn Thị An", "the profile must be An's.")
    cast.handed["an"] = found["id"]


def citizen_reads_book(cast: Cast) -> None:
    """The whole book, the restricted record too: it is hers."""
    cast.journal.step("An reads her book, newest first")
    answer = cast.citizen.call("GET", "/api/v1/citizens/me/records?limit=100")
    cast.book = found = cast.journal.answered(answer, 200)["items"]
    for each in found[:4]:
        cast.journal.note(
            **{each["category"]: f"{each['occurred_on']}  {_words(each['resource'])}{_label(each)}"}
        )
    cast.journal.note(records=len(found))
    categories = {each["category"] for each in found}
    cast.journal.must(
        {"visit", "condition", "medication", "lab_result"} <= categories, "her book must be there."
    )
    cast.journal.must(any("PSY" in each["labels"] for each in found), "her restricted record is hers to see.")


def citizen_shows_code(cast: Cast) -> None:
    """A one-time code for the surgery."""
    cast.journal.step("An makes a visit code and shows it to her doctor")
    answer = cast.citizen.call("POST", "/api/v1/citizens/me/visit-codes", json={})
    made = cast.journal.answered(answer, 201)
    cast.journal.note(visit_code=made["visit_code"][:2] + "•••-•••••", expires_at=made["expires_at"])
    cast.handed["visit_code"] = made["visit_code"]


def doctor_asks(cast: Cast) -> None:
    """A request bound to the visit code: treatment, three categories, thirty days, this doctor only."""
    cast.journal.step("The doctor asks: treatment, three categories, 30 days, bound to the visit code")
    asked = {
        "citizen": {"visit_code": cast.handed["visit_code"]},
        "purpose": "TREAT",
        "categories": ASKED,
        "expires_at": cast.instant(30),
        "only_me": True,
        "reason": "Khám bệnh hôm nay",
    }
    made = cast.journal.answered(
        cast.hospital.call("POST", "/api/v1/provider/consent-requests", json=asked), 202
    )
    cast.journal.note(request=made["id"], state=made["state"])
    cast.handed["request_ref"] = made["id"]
    again = cast.hospital.call("POST", "/api/v1/provider/consent-requests", json=asked)
    cast.journal.answered(again, 422, "visit_code_invalid")


def citizen_previews(cast: Cast) -> None:
    """Who asks, and what exactly they would see."""
    cast.journal.step("An sees who asks, and previews exactly what they would see")
    items = cast.journal.answered(cast.citizen.call("GET", "/api/v1/citizens/me/consent-requests"), 200)[
        "items"
    ]
    cast.journal.must(len(items) == 1, "exactly one request must be waiting.")
    request = items[0]
    asker = request["organisation"]["name_vi"]
    cast.journal.note(
        asks=asker, purpose=request["purpose"], categories=request["categories"], why=request["reason"]
    )
    cast.handed["request"] = request["id"]
    path = f"/api/v1/citizens/me/consent-requests/{request['id']}"
    seen = cast.journal.answered(cast.citizen.call("GET", f"{path}/preview"), 200)
    cast.journal.note(would_see=[f"{name} {count}" for name, count in sorted(seen["counts"].items())])
    cast.journal.must(set(seen["counts"]) == set(ASKED), "the preview must count the three categories.")
    cast.journal.must(
        seen["counts"]["condition"] == 3, "the preview must leave the restricted diagnoses out."
    )


def citizen_approves(cast: Cast) -> None:
    """Less than was asked: two categories, from a day on."""
    since = cast.day(FROM_AGO)
    cast.journal.step(f"An approves less than was asked: two of three categories, from {since} on")
    notice = cast.journal.answered(cast.citizen.call("GET", "/api/v1/notices/TREAT?locale=vi"), 200)
    cast.journal.note(text_shown=f"version {notice['version']}, sha256 {notice['sha256'][:12]}…")
    path = f"/api/v1/citizens/me/consent-requests/{cast.handed['request']}/approval"
    shown = {"version": notice["version"], "locale": "vi"}
    wider = {"categories": [*GIVEN, "lab_result"], "notice": shown}
    cast.journal.answered(cast.citizen.call("POST", path, json=wider), 422, "scope_widened")
    answer = {"categories": GIVEN, "record_period": {"from": since}, "notice": shown}
    grant = cast.journal.answered(cast.citizen.call("POST", path, json=answer), 201)
    cast.journal.note(
        asked=ASKED,
        granted=grant["categories"],
        records_from=grant["record_period"]["from"],
        held_back=grant["held_back"],
    )
    cast.journal.must(grant["categories"] == GIVEN, "exactly two categories must be granted.")
    cast.journal.must(
        set(grant["held_back"]) == {"categories", "record_period"}, "the difference must be told."
    )
    cast.handed["grant"] = grant["id"]


def citizen_keeps_receipt(cast: Cast) -> None:
    """The signed receipt, verified with nothing but the published keys."""
    cast.journal.step("An gets the signed receipt; it verifies offline with the published keys")
    path = f"/api/v1/citizens/me/grants/{cast.handed['grant']}/receipt"
    receipt = cast.journal.answered(cast.citizen.call("GET", path), 200)["receipt"]
    key_set = cast.journal.answered(cast.citizen.send("GET", "/.well-known/receipt-jwks.json"), 200)
    keys = key_set["keys"]
    found = verified(receipt, keys)
    kept = cast.leave_proof("receipt.json", {"receipt": receipt})
    with_keys = cast.leave_proof("jwks.json", key_set)
    verdict = verify_apart(kept, with_keys)
    cast.journal.note(verify=f"python -m consent verify {kept} --keys {with_keys}", says=verdict)
    cast.journal.must(verdict == "genuine", "the verifier must find the kept receipt genuine.")
    cast.journal.note(
        purpose=found["purpose"],
        categories=found["pii_information"],
        recipient=found["recipient_third_parties"][0]["party_name"],
        basis=found["legal_basis"],
    )
    cast.journal.must(found["pii_information"] == GIVEN, "the receipt must say what was granted.")
    head, body, signature = receipt.split(".")
    forged = f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
    try:
        verified(forged, keys)
    except ReceiptInvalid:
        cast.journal.note(with_one_character_changed="not genuine")
        return
    cast.journal.must(False, "a changed receipt must not verify.")


def doctor_reads(cast: Cast) -> None:
    """Granted: one access session, exactly the two categories, the restricted record absent."""
    cast.journal.step("The doctor's system polls: granted; it opens an access session and reads exactly that")
    path = f"/api/v1/provider/consent-requests/{cast.handed['request_ref']}"
    outcome = cast.journal.answered(cast.hospital.call("GET", path), 200)
    cast.journal.note(state=outcome["state"], citizen_ref=outcome.get("citizen_ref", ""))
    cast.journal.must(outcome["state"] == "granted", "the request must be granted.")
    cast.handed["citizen_ref"] = outcome["citizen_ref"]
    opened = {"citizen_ref": outcome["citizen_ref"], "purpose": "TREAT"}
    session = cast.journal.answered(
        cast.hospital.call("POST", "/api/v1/provider/access-sessions", json=opened), 201
    )
    cast.handed["session"] = session["id"]
    found = cast.journal.answered(_granted_read(cast), 200)["items"]
    for each in found:
        cast.journal.note(
            **{each["category"]: f"{each['occurred_on']}  {_words(each['resource'])}{_label(each)}"}
        )
    cast.journal.must(
        {each["category"] for each in found} == set(GIVEN), "exactly the two categories must be read."
    )
    cast.journal.must(
        all(each["occurred_on"] >= cast.day(FROM_AGO) for each in found), "nothing older may be read."
    )
    cast.journal.must(not any(each["labels"] for each in found), "no restricted record may be read.")
    wanted = [each for each in cast.book if _covered(cast, each)]
    cast.journal.must(len(found) == len(wanted) > 0, "all that was granted must be read.")
    cast.journal.note(restricted_record="absent")


def others_are_refused(cast: Cast) -> None:
    """Another doctor, and an insurer who got hold of the reference, get nothing."""
    cast.journal.step("Another doctor of the hospital, and an insurer with a borrowed reference, are refused")
    opened = {"citizen_ref": cast.handed["citizen_ref"], "purpose": "TREAT"}
    cast.other_doctor.sign_in(OTHER_DOCTOR)
    refused = cast.other_doctor.call("POST", "/api/v1/provider/access-sessions", json=opened)
    cast.journal.answered(refused, 403)
    borrowed = {"Access-Session": cast.handed["session"]}
    path = f"/api/v1/provider/citizens/{cast.handed['citizen_ref']}/records"
    cast.journal.answered(cast.other_doctor.call("GET", path, headers=borrowed), 403)
    cast.insurer.sign_in(ASSESSOR)
    asked = opened | {"purpose": "HPAYMT"}
    refused = cast.insurer.call("POST", "/api/v1/provider/access-sessions", json=asked)
    cast.journal.answered(refused, 404, "not_found")


def citizen_withdraws(cast: Cast) -> None:
    """It has stopped working when the answer is there."""
    cast.journal.step("An withdraws; the doctor's very next read is refused")
    path = f"/api/v1/citizens/me/grants/{cast.handed['grant']}/withdrawal"
    ended = cast.journal.answered(cast.citizen.call("POST", path, json={}), 200)
    cast.journal.note(state=ended["state"], ended_at=ended["ended_at"])
    cast.journal.must(ended["state"] == "withdrawn", "the grant must be withdrawn.")
    cast.journal.answered(_granted_read(cast), 403, "consent_ended")


def citizen_sees_who_looked(cast: Cast) -> None:
    """Request, grant, reads, refused attempt, withdrawal: all of it, in Vietnamese."""
    cast.journal.step("An reads who looked, in Vietnamese")
    found = cast.journal.answered(cast.citizen.call("GET", "/api/v1/citizens/me/access-log?limit=100"), 200)[
        "items"
    ]
    story = [each for each in found if each["action"] not in ("record:written", "visit_code:issued")]
    for each in reversed(story):
        cast.journal.note(**{each["at"][11:19]: f"{each['text']}{_reads(each)}"})
    wanted = {
        "the request": ("consent:requested", "permit"),
        "the grant": ("consent:granted", "permit"),
        "the opened session": ("access:started", "permit"),
        "the doctor's read": ("record:searched", "permit"),
        "the refused attempt": ("record:read", "refuse"),
        "the withdrawal": ("consent:withdrawn", "permit"),
    }
    there = {(each["action"], each["decision"]) for each in found}
    for what, pair in wanted.items():
        cast.journal.must(pair in there, f"{what} must be in her access log.")
    read = [each for each in found if each["action"] == "record:searched" and each["organisation"]]
    cast.journal.must(
        read[0]["actor"]["name"] == "BS. Hoàng Văn Khánh", "the log must name the doctor who read."
    )
    other = [
        each for each in found if each["decision"] == "refuse" and each["actor"]["name"] == "BS. Đỗ Thị Lan"
    ]
    cast.journal.must(bool(other), "the log must name the doctor who was refused.")


def verify_apart(receipt: Path, keys: Path) -> str:
    """What the verifier says of two files, in a process that has nothing else: its first line."""
    command = [
        sys.executable,
        "-m",
        "consent",
        "verify",
        str(receipt),
        "--keys",
        str(keys),
        "--language",
        "en",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - our own verifier on our own files
    return (done.stdout or done.stderr).partition("\n")[0]


ACTS: tuple[Act, ...] = (
    hospital_files,
    citizen_signs_in,
    citizen_reads_book,
    citizen_shows_code,
    doctor_asks,
    citizen_previews,
    citizen_approves,
    citizen_keeps_receipt,
    doctor_reads,
    others_are_refused,
    citizen_withdraws,
    citizen_sees_who_looked,
)


def _granted_read(cast: Cast) -> Any:
    path = f"/api/v1/provider/citizens/{cast.handed['citizen_ref']}/records"
    return cast.hospital.call("GET", path, headers={"Access-Session": cast.handed["session"]})


def _covered(cast: Cast, record: dict[str, Any]) -> bool:
    inside = record["category"] in GIVEN and record["occurred_on"] >= cast.day(FROM_AGO)
    return inside and not record["labels"]


def _words(resource: dict[str, Any]) -> str:
    for name in ("code", "medicationCodeableConcept", "vaccineCode"):
        if name in resource:
            return str(resource[name].get("text", ""))
    reasons = resource.get("reasonCode") or [{}]
    return str(reasons[0].get("text", ""))


def _label(record: dict[str, Any]) -> str:
    return f"  [{', '.join(record['labels'])}: restricted]" if record["labels"] else ""


def _reads(entry: dict[str, Any]) -> str:
    return f": {entry['record_count']} hồ sơ" if entry["record_count"] else ""
