"""The book in An's hands: a wrong value is corrected, a link shows it to a stranger, cards and paper verify
offline."""

from __future__ import annotations

import json
import zlib
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wallet_api.cli.story.arriving import visit_file
from wallet_api.cli.story.cast import Act, Cast
from wallet_api.cli.story.clients import Answered, Http
from wallet_api.exports import verifier
from wallet_api.infra.clock import vn_day
from wallet_api.infra.crypto.framing import from_base64url

_MINE = "/api/v1/citizens/me"
_ASKED = "/api/v1/provider/correction-requests"
_PASSCODE = "hoa-sen-1954"


def a_wrong_value_is_corrected(cast: Cast) -> None:
    """An says what is wrong; the hospital sends the visit anew, and names the version that is right."""
    cast.journal.step("An says that the value is still wrong; the hospital corrects it and answers in time")
    record = _newest(cast)
    said = {"record_id": record["id"], "record_version": record["version"], "kind": "wrong_value"}
    wish = said | {"details": "Phiếu giấy ghi 8,1 %"}
    asked = cast.journal.answered(cast.citizen.call("POST", f"{_MINE}/correction-requests", json=wish), 201)
    cast.journal.note(answer_by=asked["answer_by"])
    found = cast.journal.answered(cast.hospital.call("GET", _ASKED), 200)["items"]
    cast.journal.must(len(found) == 1, "the hospital must see the one request about its record.")
    day = vn_day(cast.clock()) - timedelta(days=7)
    sent = cast.hospital.file_visits(visit_file(cast.patients["an"], day, "8,1"))
    cast.journal.answered(sent, 202)
    one = cast.hospital.call("GET", f"{_ASKED}/{found[0]['id']}")
    answer = {"outcome": "corrected", "corrected_version": record["version"] + 1}
    named = {"If-Match": one.headers["ETag"]}
    path = f"{_ASKED}/{found[0]['id']}/answer"
    cast.journal.answered(cast.hospital.call("POST", path, json=answer, headers=named), 200)
    told = cast.journal.answered(cast.citizen.call("GET", f"{_MINE}/correction-requests/{asked['id']}"), 200)
    now = _newest(cast)["resource"]["valueQuantity"]["value"]
    cast.journal.note(state=told["state"], HbA1c=f"{now} %")
    cast.journal.must((told["state"], now) == ("corrected", 8.1), "the value must be as the paper has it.")


def _newest(cast: Cast) -> Any:
    path = f"{_MINE}/records?category=lab_result"
    found = cast.journal.answered(cast.citizen.call("GET", path), 200)["items"]
    return next(each for each in found if "HBA1C" in str(each["resource"]))


def a_link_shows_what_may_be_seen(cast: Cast) -> None:
    """A SMART Health Link of the summary: refused without the passcode, opened with it, gone when revoked."""
    cast.journal.step("An hands a link to a pharmacist abroad; the passcode opens it until An takes it back")
    cast.citizen.sign_in("an")  # a link for strangers asks for a fresh sign-in
    wish = {"kind": "summary", "expires_at": cast.instant(1), "use_limit": 3, "passcode": _PASSCODE}
    share = cast.journal.answered(cast.citizen.call("POST", f"{_MINE}/shares", json=wish), 201)
    link = json.loads(from_base64url(share["link"].partition("/")[2]))
    viewer = Http(cast.wallet.url)
    viewer.heard = cast.journal.heard("any viewer")
    wrong = cast.journal.answered(_asked(viewer, link, "khong-biet"), 401)
    cast.journal.note(attempts_left=wrong["remainingAttempts"])
    (file,) = cast.journal.answered(_asked(viewer, link, _PASSCODE), 200)["files"]
    shown = _opened(file["embedded"], link["key"])
    cast.journal.note(records_shown=len(shown["entry"]) - 1)
    cast.journal.must(shown["resourceType"] == "Bundle", "the link must open a bundle.")
    cast.journal.answered(cast.citizen.call("DELETE", f"{_MINE}/shares/{share['id']}"), 204)
    cast.journal.answered(_asked(viewer, link, _PASSCODE), 404)


def _asked(viewer: Http, link: dict[str, Any], passcode: str) -> Answered:
    said = {"recipient": "Dược sĩ Lee", "passcode": passcode}
    return viewer.send("POST", urlsplit(link["url"]).path, json=said)


def _opened(jwe: str, key: str) -> Any:
    """A compact JWE with the key of the link (RFC 7516: dir, A256GCM)."""
    head, _, nonce, body, tag = jwe.split(".")
    sealed = from_base64url(body) + from_base64url(tag)
    plain = AESGCM(from_base64url(key)).decrypt(from_base64url(nonce), sealed, head.encode())
    told = json.loads(from_base64url(head))
    return json.loads(zlib.decompress(plain, -zlib.MAX_WBITS) if told.get("zip") == "DEF" else plain)


def a_card_works_offline(cast: Cast) -> None:
    """The front page, and the card that whoever helps can check without a net."""
    cast.journal.step("The first page of the book, and a card for an emergency that is verified offline")
    page = cast.journal.answered(cast.citizen.call("GET", f"{_MINE}/summary"), 200)
    stands = {name: len(each["lines"]) for name, each in page["sections"].items() if each["lines"]}
    cast.journal.note(first_page=[f"{name} {count}" for name, count in stands.items()])
    card = cast.journal.answered(cast.citizen.call("GET", f"{_MINE}/emergency-card"), 200)["card"]
    keys = cast.journal.answered(cast.citizen.send("GET", "/.well-known/card-jwks.json"), 200)
    mine: Any = {"verify_exp": False, "verify_iat": False}  # the story's clock is not this machine's
    key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(card)["kid"]]
    told: dict[str, Any] = jwt.decode(card, key, algorithms=["ES256"], options=mine)
    cast.journal.note(card_tells=[name for name, value in sorted(told.items()) if isinstance(value, list)])
    body, _, signature = card.rpartition(".")
    flipped = f"{body}.{'B' if signature[0] != 'B' else 'C'}{signature[1:]}"
    try:
        jwt.decode(flipped, key, algorithms=["ES256"], options=mine)
    except jwt.InvalidSignatureError:
        cast.journal.note(a_changed_card="refused")
        return
    cast.journal.must(False, "a changed card must not verify.")


def a_vaccination_card_is_scanned(cast: Cast) -> None:
    """A SMART Health Card: read from the digits of its QR code, checked with the issuer's published keys."""
    cast.journal.step("A card of An's vaccinations, in one QR code, for any verifier of SMART Health Cards")
    cast.citizen.sign_in("an")  # what leaves the book asks for a fresh sign-in
    made = cast.journal.answered(
        cast.citizen.call("POST", f"{_MINE}/cards", json={"kind": "immunization"}), 201
    )
    digits = made["cards"][0]["qr"].removeprefix("shc:/")
    card = "".join(chr(int(digits[at : at + 2]) + 45) for at in range(0, len(digits), 2))
    issuer = json.loads(zlib.decompress(from_base64url(card.split(".")[1]), -zlib.MAX_WBITS))["iss"]
    cast.journal.must(issuer == made["issuer"], "the card must name its issuer.")
    scanner = Http(cast.wallet.url)
    scanner.heard = cast.journal.heard("any scanner")
    found = scanner.send("GET", f"{urlsplit(issuer).path}/.well-known/jwks.json")
    keys = jwt.PyJWKSet.from_dict(cast.journal.answered(found, 200))
    signed = jwt.PyJWS().decode(card, keys[jwt.get_unverified_header(card)["kid"]], algorithms=["ES256"])
    told = json.loads(zlib.decompress(signed, -zlib.MAX_WBITS))
    entries = told["vc"]["credentialSubject"]["fhirBundle"]["entry"]
    doses = [each["resource"]["occurrenceDateTime"] for each in entries[1:]]
    cast.journal.note(digits=len(digits), vaccinations=doses)
    cast.journal.must(bool(doses), "the card must tell a vaccination.")


def a_printed_book_verifies_offline(cast: Cast) -> None:
    """The book as PDF, made by the worker and checked with the verifier of one file."""
    cast.journal.step("The book on paper: the worker makes a PDF, its signature covers every byte")
    order = cast.journal.answered(cast.citizen.call("POST", f"{_MINE}/exports", json={"format": "pdf"}), 202)
    path = f"{_MINE}/exports/{order['id']}"

    def ready() -> bool:
        found: bool = cast.citizen.quietly("GET", path).body["state"] == "ready"
        return found

    cast.journal.soon("the PDF", ready)
    pdf = cast.journal.answered(cast.citizen.call("GET", f"{path}/file"), 200)
    keys = cast.journal.answered(cast.citizen.send("GET", "/.well-known/card-jwks.json"), 200)
    said = verifier.check(pdf, keys)
    cast.journal.note(kept_at=cast.leave_file("book.pdf", pdf), entries=said["count"])
    cast.leave_proof("card-keys.json", keys)
    changed = bytearray(pdf)
    changed[len(changed) // 2] ^= 1
    try:
        verifier.check(bytes(changed), keys)
    except verifier.NotProven:
        cast.journal.note(a_changed_byte="refused")
    else:
        cast.journal.must(False, "a changed file must not verify.")
    cast.journal.answered(cast.citizen.call("DELETE", path), 204)


ACTS: tuple[Act, ...] = (
    a_wrong_value_is_corrected,
    a_link_shows_what_may_be_seen,
    a_card_works_offline,
    a_vaccination_card_is_scanned,
    a_printed_book_verifies_offline,
)
