"""Firebase Cloud Messaging on the wire: the body of a push, and what each answer means.

A push names nobody and nothing: the builder gets an address, an opaque id, a language and a time, no more.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from notifications.model import Locale
from notifications.outgoing import Address, Answer, Envelope

PUSH_CHANNEL = "fcm"
PUSH_TEMPLATE = "push.v1"
_TITLE: Mapping[Locale, str] = {"vi": "Sổ sức khỏe điện tử", "en": "Health book"}
_BODY: Mapping[Locale, str] = {"vi": "Bạn có một thông báo mới", "en": "You have a new notification"}
FCM_ERROR_DETAIL = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_NAMED = re.compile(rb'"name"\s*:\s*"projects/')
_CODES: Mapping[str, Answer] = {
    "UNREGISTERED": Answer.UNREGISTERED,
    "SENDER_ID_MISMATCH": Answer.SENDER_MISMATCH,
    "QUOTA_EXCEEDED": Answer.THROTTLED,
    "UNAVAILABLE": Answer.UNAVAILABLE,
    "INTERNAL": Answer.UNAVAILABLE,
    "THIRD_PARTY_AUTH_ERROR": Answer.UNAUTHORISED,
    "INVALID_ARGUMENT": Answer.BAD_ADDRESS,
}


def push_body(address: Address, nid: str, locale: Locale, until: datetime, now: datetime) -> bytes:
    """The JSON of one push, encoded and validated by the SDK. Platforms drop it unseen after `until`.

    The same nid shows once: it is the tag on Android and the collapse id on iOS.
    """
    from firebase_admin import messaging

    ttl = max(until - now, timedelta(seconds=0))
    note = messaging.AndroidNotification(tag=nid, visibility="private")
    apns = {"apns-collapse-id": nid, "apns-expiration": str(int((now + ttl).timestamp()))}
    parts = {
        "notification": messaging.Notification(title=_TITLE[locale], body=_BODY[locale]),
        "data": {"nid": nid, "kind": "generic"},
        "android": messaging.AndroidConfig(collapse_key="generic", ttl=ttl, notification=note),
        "apns": messaging.APNSConfig(
            headers=apns, payload=messaging.APNSPayload(messaging.Aps(mutable_content=True))
        ),
    }
    return f'{{"message": {_addressed(address, parts)}}}'.encode()


def _addressed(address: Address, parts: Mapping[str, Any]) -> str:
    from firebase_admin import messaging

    if address.kind == "fid":
        return str(messaging.Message(fid=address.value, **parts))
    with warnings.catch_warnings():
        # firebase-admin 7 deprecates tokens in favour of installation ids; older apps only have a token
        warnings.filterwarnings("ignore", "Message.token is deprecated", DeprecationWarning)
        return str(messaging.Message(token=address.value, **parts))


class PushBodies:
    """The bodies of one round, all made at the same instant.

    The SDK encodes and validates one body for each language, kind of address and end; into its bytes the
    addresses and ids of the others are put. That holds for values that JSON writes as they are; any other
    is encoded by the SDK whole.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._moulds: dict[tuple[str, str, datetime], tuple[bytes, ...]] = {}

    def of(self, envelope: Envelope) -> bytes:
        """The JSON of one push. Raises ValueError for what the SDK refuses."""
        address, nid = envelope.address, envelope.nid
        if _PLAIN.fullmatch(address.value) is None or _PLAIN.fullmatch(nid) is None:
            return push_body(address, nid, envelope.locale, envelope.until, self._now)
        key = (envelope.locale, address.kind, envelope.until)
        mould = self._moulds.get(key)
        if mould is None:
            mould = self._moulds[key] = self._mould(envelope)
        values = {_ADDRESS: address.value.encode(), _NID: nid.encode()}
        return b"".join([values.get(part, part) for part in mould])

    def _mould(self, envelope: Envelope) -> tuple[bytes, ...]:
        stand_in = replace(envelope.address, value=_ADDRESS.decode())
        whole = push_body(stand_in, _NID.decode(), envelope.locale, envelope.until, self._now)
        return tuple(_STAND_INS.split(whole))


_PLAIN = re.compile(r"[A-Za-z0-9_:-]+")
_ADDRESS, _NID = b"put-the-address-here", b"put-the-id-here"
_STAND_INS = re.compile(b"(%s|%s)" % (_ADDRESS, _NID))


def answer_of(status: int, body: bytes) -> Answer:
    """What an HTTP answer of FCM v1 means for us.

    200 counts only with the name of a message in it: what stands between us and FCM may say 200 too.

    Two kinds of 400: an FcmError speaks of the address; anything else (google.rpc.BadRequest) says that our
    payload is wrong, and no address must suffer for that. An unknown 4xx is taken the same way.
    """
    if status == 200:
        return Answer.ACCEPTED if _NAMED.search(body) else Answer.UNAVAILABLE
    code = next(_fcm_codes(body), None)
    if code is not None and code in _CODES:
        return _CODES[code]
    if status == 429:
        return Answer.THROTTLED
    if status in (401, 403):
        return Answer.UNAUTHORISED
    return Answer.UNAVAILABLE if status >= 500 or status < 400 else Answer.BAD_PAYLOAD


def _fcm_codes(body: bytes) -> Iterator[str]:
    error = _object(body).get("error")
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and detail.get("@type") == FCM_ERROR_DETAIL:
            yield str(detail.get("errorCode"))


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
