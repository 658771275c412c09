"""Firebase Cloud Messaging on the wire: the body of a push, and what each answer means.

A push names nobody and nothing: the builder gets an address, an opaque id, a language and a time, no more.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from notifications.model import Locale
from notifications.outgoing import Address, Answer

PUSH_TEMPLATE = "push.v1"
_TITLE: Mapping[Locale, str] = {"vi": "Sổ sức khỏe điện tử", "en": "Health book"}
_BODY: Mapping[Locale, str] = {"vi": "Bạn có một thông báo mới", "en": "You have a new notification"}
_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
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


def answer_of(status: int, body: bytes) -> Answer:
    """What an HTTP answer of FCM v1 means for us.

    Two kinds of 400: an FcmError speaks of the address; anything else (google.rpc.BadRequest) says that our
    payload is wrong, and no address must suffer for that. An unknown 4xx is taken the same way.
    """
    if status == 200:
        return Answer.ACCEPTED
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
        if isinstance(detail, dict) and detail.get("@type") == _FCM_ERROR:
            yield str(detail.get("errorCode"))


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
