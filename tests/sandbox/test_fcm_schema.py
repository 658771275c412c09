from __future__ import annotations

import json
import warnings

import pytest
from firebase_admin import messaging

from wallet_api.sandbox.fcm_schema import BadPayload, Target, check_send


def message(**fields: object) -> dict[str, object]:
    return {"message": {"token": "ok-1"} | fields}


def fault(body: object) -> str:
    with pytest.raises(BadPayload) as refused:
        check_send(body)
    return f"{refused.value.violation.field}: {refused.value.violation.description}"


@pytest.mark.parametrize("kind", ["token", "fid", "topic", "condition"])
def test_each_kind_of_address_is_read(kind: str) -> None:
    assert check_send({"message": {kind: "ok-1"}}) == Target(kind, "ok-1")


def test_what_the_official_library_writes_is_accepted() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        full = messaging.Message(
            fid="ok-1",
            data={"reminder": "abc"},
            notification=messaging.Notification("t", "b", "https://x.example/i.png"),
            android=messaging.AndroidConfig(
                collapse_key="k",
                priority="high",
                ttl=3600.5,
                data={"a": "b"},
                notification=messaging.AndroidNotification(
                    title="t",
                    color="#112233",
                    title_loc_args=["x"],
                    title_loc_key="k",
                    visibility="private",
                    priority="high",
                    vibrate_timings_millis=[100, 200],
                    notification_count=2,
                    sticky=True,
                    proxy="allow",
                ),
                fcm_options=messaging.AndroidFCMOptions("label"),
            ),
            apns=messaging.APNSConfig(
                headers={"apns-priority": "10"},
                payload=messaging.APNSPayload(messaging.Aps(badge=1, sound="default")),
                fcm_options=messaging.APNSFCMOptions("label"),
            ),
            webpush=messaging.WebpushConfig(
                headers={"TTL": "60"},
                notification=messaging.WebpushNotification(title="t"),
                fcm_options=messaging.WebpushFCMOptions("https://x.example"),
            ),
            fcm_options=messaging.FCMOptions("label"),
        )
    assert check_send({"message": json.loads(str(full)), "validate_only": False}) == Target("fid", "ok-1")


def test_both_spellings_of_a_name_are_accepted() -> None:
    check_send(
        {"validateOnly": True, "message": {"token": "ok", "android": {"collapseKey": "a", "ttl": "5s"}}}
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "Message is not set"),
        ({"message": None}, "Message is not set"),
        ({"message": {}}, "Recipient of the message is not set"),
        ({"message": {"notification": {"title": "x"}}}, "Recipient"),
        ({"message": {"token": ""}}, "message.token"),
        ({"message": {"token": "a", "fid": "b"}}, "Cannot set 'fid'"),
        ({"message": {"topic": "a b"}}, "message.topic"),
        ({"messages": []}, 'Unknown name "messages"'),
        (message(to="x"), "Unknown name \"to\" at 'message'"),
        (
            message(notification={"title": "x", "subtitle": "y"}),
            "Unknown name \"subtitle\" at 'message.notification'",
        ),
        (message(android={"notification": {"vibrate": 1}}), "at 'message.android.notification'"),
        (message(data={"n": 1}), "Invalid value at 'message.data[0].value' (TYPE_STRING), 1"),
        (message(data=["a"]), "map<string, string>"),
        (message(data={"from": "x"}), "Invalid data payload key: from"),
        (message(data={"google.x": "x"}), "Invalid data payload key"),
        (message(data={"a": "ă" * 2048}), "too big"),
        (message(notification={"title": 5}), "TYPE_STRING"),
        (message(notification="x"), "TYPE_MESSAGE"),
        (message(android={"ttl": "1h"}), "Duration"),
        (message(android={"ttl": 60}), "Duration"),
        (message(android={"priority": "urgent"}), "TYPE_ENUM"),
        (message(android={"direct_boot_ok": "yes"}), "TYPE_BOOL"),
        (message(android={"notification": {"notification_count": True}}), "TYPE_INT32"),
        (message(android={"notification": {"title_loc_args": "x"}}), "repeated TYPE_STRING"),
        (message(android={"notification": {"vibrate_timings": "1s"}}), "repeated"),
        (message(apns={"payload": "x"}), "Struct"),
        (message(fcm_options={"analytics_label": "a b"}), "analytics_label"),
        ({"validate_only": "no", "message": {"token": "ok"}}, "TYPE_BOOL"),
        ([], "TYPE_MESSAGE"),
    ],
)
def test_a_body_that_is_not_v1_is_refused_with_its_place(body: object, said: str) -> None:
    assert said in fault(body)
