"""What a body of FCM HTTP v1 `messages:send` may hold (public reference of the v1 Message resource).

Proto JSON rules: names in snake_case or lowerCamelCase, unknown names refused with their place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

TARGETS = ("token", "fid", "topic", "condition")
DATA_LIMIT_BYTES = 4096
_RESERVED = re.compile(r"from|message_type|google\..*|gcm\..*")
_DURATION = re.compile(r"\d+(\.\d{1,9})?s")
_LABEL = re.compile(r"[a-zA-Z0-9\-_.~%]{1,50}")
_TOPIC = re.compile(r"[a-zA-Z0-9\-_.~%]{1,900}")


@dataclass(frozen=True)
class Violation:
    """One fault: the field's place and a sentence (google.rpc.BadRequest.FieldViolation)."""

    field: str
    description: str


class BadPayload(Exception):
    """The body is not a v1 message."""

    def __init__(self, field: str, description: str) -> None:
        super().__init__(description)
        self.violation = Violation(field, description)


@dataclass(frozen=True)
class Target:
    """Where a message is addressed: the kind of address and its value."""

    kind: str
    value: str


Check = Callable[[str, Any], None]


def check_send(body: object) -> Target:
    """Where a well-formed body is addressed.

    Raises:
        BadPayload: with the first fault found.
    """
    _SEND("", body)
    message = _snake(body).get("message") if isinstance(body, Mapping) else None
    if not isinstance(message, Mapping):
        raise BadPayload("message", "Message is not set.")
    targets = [(name, message[name]) for name in TARGETS if name in message]
    if not targets:
        raise BadPayload("message", "Recipient of the message is not set.")
    if len(targets) > 1:
        second = targets[1][0]
        raise BadPayload(
            "message",
            f"Invalid value at 'message' (oneof), oneof field 'target' is already set. Cannot set '{second}'",
        )
    kind, value = targets[0]
    if not value or (kind == "topic" and not _TOPIC.fullmatch(value)):
        raise BadPayload(f"message.{kind}", f"Invalid value at 'message.{kind}'")
    _check_data(message.get("data") or {})
    return Target(kind, value)


def _check_data(data: Mapping[str, str]) -> None:
    for key in data:
        if _RESERVED.fullmatch(key):
            raise BadPayload("message.data", f"Invalid data payload key: {key}")
    size = sum(len(key.encode()) + len(value.encode()) for key, value in data.items())
    if size > DATA_LIMIT_BYTES:
        raise BadPayload(
            "message.data", f"Message is too big: {size} bytes of data, at most {DATA_LIMIT_BYTES}"
        )


def _wrong(place: str, kind: str, value: object) -> BadPayload:
    return BadPayload(place, f"Invalid value at '{place}' ({kind}), {json.dumps(value)[:80]}")


def _text(place: str, value: object) -> None:
    if not isinstance(value, str):
        raise _wrong(place, "TYPE_STRING", value)


def _flag(place: str, value: object) -> None:
    if not isinstance(value, bool):
        raise _wrong(place, "TYPE_BOOL", value)


def _whole(place: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(place, "TYPE_INT32", value)


def _free(place: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise _wrong(place, "type.googleapis.com/google.protobuf.Struct", value)


def _texts(place: str, value: object) -> None:
    if not isinstance(value, list):
        raise _wrong(place, "repeated TYPE_STRING", value)
    for position, one in enumerate(value):
        _text(f"{place}[{position}]", one)


def _text_map(place: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise _wrong(place, "map<string, string>", value)
    for position, one in enumerate(value.values()):
        _text(f"{place}[{position}].value", one)


def _form(pattern: re.Pattern[str], kind: str) -> Check:
    def check(place: str, value: object) -> None:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise _wrong(place, kind, value)

    return check


def _one_of(*allowed: str) -> Check:
    def check(place: str, value: object) -> None:
        if not isinstance(value, str) or value.upper() not in allowed:
            raise _wrong(place, "TYPE_ENUM", value)

    return check


def _many(inner: Check) -> Check:
    def check(place: str, value: object) -> None:
        if not isinstance(value, list):
            raise _wrong(place, "repeated", value)
        for position, one in enumerate(value):
            inner(f"{place}[{position}]", one)

    return check


def _object(**fields: Check) -> Check:
    def check(place: str, value: object) -> None:
        if not isinstance(value, Mapping):
            raise _wrong(place or "body", "TYPE_MESSAGE", value)
        for name, inner in _snake(value).items():
            if name not in fields:
                where = f" at '{place}'" if place else ""
                said = f'Invalid JSON payload received. Unknown name "{name}"{where}: Cannot find field.'
                raise BadPayload(place or name, said)
            if inner is not None:
                fields[name](f"{place}.{name}" if place else name, inner)

    return check


def _snake(value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        re.sub(r"(?<=[a-z0-9])[A-Z]", lambda hit: "_" + hit[0].lower(), name): one
        for name, one in value.items()
    }


_LABELLED = _object(analytics_label=_form(_LABEL, "analytics_label"))
_ANDROID_NOTIFICATION = _object(
    **dict.fromkeys(("title", "body", "icon", "color", "sound", "tag", "click_action"), _text),
    **dict.fromkeys(("title_loc_key", "body_loc_key", "channel_id", "ticker", "image"), _text),
    body_loc_args=_texts,
    title_loc_args=_texts,
    sticky=_flag,
    event_time=_text,
    local_only=_flag,
    notification_priority=_one_of(
        "PRIORITY_UNSPECIFIED",
        "PRIORITY_MIN",
        "PRIORITY_LOW",
        "PRIORITY_DEFAULT",
        "PRIORITY_HIGH",
        "PRIORITY_MAX",
    ),
    vibrate_timings=_many(_form(_DURATION, "google.protobuf.Duration")),
    default_vibrate_timings=_flag,
    default_sound=_flag,
    default_light_settings=_flag,
    light_settings=_free,
    visibility=_one_of("VISIBILITY_UNSPECIFIED", "PRIVATE", "PUBLIC", "SECRET"),
    notification_count=_whole,
    proxy=_one_of("PROXY_UNSPECIFIED", "ALLOW", "DENY", "IF_PRIORITY_LOWERED"),
    bypass_proxy_notification=_flag,
)
_ANDROID = _object(
    collapse_key=_text,
    priority=_one_of("NORMAL", "HIGH"),
    ttl=_form(_DURATION, "google.protobuf.Duration"),
    restricted_package_name=_text,
    data=_text_map,
    notification=_ANDROID_NOTIFICATION,
    fcm_options=_LABELLED,
    direct_boot_ok=_flag,
    bandwidth_constrained_ok=_flag,
    restricted_satellite_ok=_flag,
)
_WEBPUSH = _object(
    headers=_text_map,
    data=_text_map,
    notification=_free,
    fcm_options=_object(link=_text, analytics_label=_form(_LABEL, "analytics_label")),
)
_APNS = _object(
    headers=_text_map,
    payload=_free,
    fcm_options=_object(analytics_label=_form(_LABEL, "analytics_label"), image=_text),
    live_activity_token=_text,
)
_SEND = _object(
    validate_only=_flag,
    message=_object(
        **dict.fromkeys(("name", *TARGETS), _text),
        data=_text_map,
        notification=_object(title=_text, body=_text, image=_text),
        android=_ANDROID,
        webpush=_WEBPUSH,
        apns=_APNS,
        fcm_options=_LABELLED,
    ),
)
