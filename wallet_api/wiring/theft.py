"""Telling a person that somebody used a stolen sign-in: a message in the inbox, in their language."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from notifications.outgoing import Message
from notifications.ports import Inbox, PreferenceStore
from wallet_api.identity.ports import TellTheft
from wallet_api.infra.ids import new_id
from wallet_api.infra.logs import say

_TEXTS = {
    "vi": (
        "Một phiên đăng nhập đã bị chấm dứt",
        "Có dấu hiệu ai đó dùng lại mã đăng nhập cũ của bạn, nên chúng tôi đã chấm dứt phiên đó. "
        "Nếu không phải bạn, hãy xem mục Phiên đăng nhập và đổi mật khẩu VNeID.",
    ),
    "en": (
        "A session was ended",
        "Somebody seems to have used an old sign-in token of yours, so we ended that session. "
        "If it was not you, look at your sessions and change your VNeID password.",
    ),
}


def theft_teller(inbox: Inbox, preferences: PreferenceStore, now: Callable[[], datetime]) -> TellTheft:
    """What is called with (subject, session) after a stolen refresh token ended a session."""

    def tell(subject_id: str, session_id: str) -> None:
        title, body = _TEXTS[preferences.of(subject_id).locale]
        message = Message(
            id=new_id(),
            recipient_id=subject_id,
            subject_id=subject_id,
            topic="security",
            nid=new_id(),
            title=title,
            body=body,
            template="security.v1",
            created_at=now(),
            reminder_id="",
        )
        inbox.add([message])
        say("session_theft_told")

    return tell
