"""Telling of sessions: one began (log), was stolen (log, message), or made room for a newer one (log)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from notifications.outgoing import Message
from notifications.ports import Inbox, PreferenceStore
from wallet_api.audit.log import AccessLog
from wallet_api.audit.model import Action, ActorKind, AuditEvent, Decision
from wallet_api.identity.model import Session
from wallet_api.identity.ports import TellCrowded, TellStarted, TellTheft
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


def theft_teller(
    inbox: Inbox, preferences: PreferenceStore, now: Callable[[], datetime], log: AccessLog
) -> TellTheft:
    """What is called with a session that a stolen refresh token ended.

    Ops people have no inbox; the log has both.
    """

    def tell(session: Session) -> None:
        if session.kind == "citizen":
            inbox.add([_message(session, preferences.of(session.subject_id).locale, now())])
        log.append(_event(session, now(), Action.SESSION_THEFT_SUSPECTED, "refuse", "refresh_token_reused"))
        say("session_theft_told")

    return tell


def crowd_teller(now: Callable[[], datetime], log: AccessLog) -> TellCrowded:
    """What is called with a session that made room for a newer one: the citizen finds it in the log."""

    def tell(session: Session) -> None:
        log.append(_event(session, now(), Action.SESSION_ENDED, "permit", "too_many_sessions"))

    return tell


def start_teller(log: AccessLog) -> TellStarted:
    """What is called with a session that is about to open: no row in the log, no session (ASVS 16.3.1)."""

    def tell(session: Session) -> None:
        mine = session.kind == "citizen"
        event = AuditEvent(
            at=session.created_at,
            request_id=new_id(),
            action=Action.SESSION_STARTED,
            actor_kind=ActorKind.CITIZEN if mine else ActorKind.OPS,
            actor_id=session.subject_id,
            decision="permit",
            reason="signed_in",
            citizen_id=session.subject_id if mine else None,
            client_id=session.client_id,
        )
        log.append(event)

    return tell


def _message(session: Session, locale: str, at: datetime) -> Message:
    title, body = _TEXTS[locale]
    return Message(
        id=new_id(),
        recipient_id=session.subject_id,
        subject_id=session.subject_id,
        topic="security",
        nid=new_id(),
        title=title,
        body=body,
        template="security.v1",
        created_at=at,
        reminder_id=None,
    )


def _event(session: Session, at: datetime, action: Action, decision: Decision, reason: str) -> AuditEvent:
    return AuditEvent(
        at=at,
        request_id=new_id(),
        action=action,
        actor_kind=ActorKind.SYSTEM,
        actor_id="sessions",
        decision=decision,
        reason=reason,
        citizen_id=session.subject_id if session.kind == "citizen" else None,
        client_id=session.client_id,
        detail={"session": session.id, "subject": session.subject_id},
    )
