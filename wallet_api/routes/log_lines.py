"""The access log in the citizen's words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from wallet_api.audit.log import LogEntry
from wallet_api.audit.model import ActorKind, AuditEvent
from wallet_api.context import services, viewer
from wallet_api.errors import language
from wallet_api.identity.errors import IdentityError

_YOU = {"vi": "Bạn", "en": "You"}
_GUARDIAN = {"vi": "Người giám hộ", "en": "A guardian"}
_OWNER = {"vi": "Chủ sổ", "en": "The owner of the book"}
_SYSTEM = {"vi": "Hệ thống", "en": "The system"}
_VERBS = {
    "record:read": {"vi": "xem một hồ sơ", "en": "read a record"},
    "record:searched": {"vi": "xem danh sách hồ sơ", "en": "read the list of records"},
    "record:written": {"vi": "gửi hồ sơ vào sổ", "en": "filed records in the book"},
    "record:hidden": {"vi": "ẩn một hồ sơ", "en": "hid a record"},
    "record:shown": {"vi": "hiện lại một hồ sơ", "en": "showed a record again"},
    "access:started": {"vi": "mở một lượt truy cập", "en": "opened an access session"},
    "access:ended": {"vi": "bị dừng khi đang đọc", "en": "was stopped while reading"},
    "consent:requested": {"vi": "xin phép xem hồ sơ", "en": "asked for access"},
    "consent:granted": {"vi": "đồng ý cho xem hồ sơ", "en": "granted access"},
    "consent:refused": {"vi": "từ chối yêu cầu", "en": "refused a request"},
    "consent:withdrawn": {"vi": "rút lại sự đồng ý", "en": "withdrew a consent"},
    "consent:seen": {"vi": "xem trước một yêu cầu", "en": "previewed a request"},
    "consent:receipt_read": {"vi": "lấy biên nhận đồng ý", "en": "fetched a consent receipt"},
    "visit_code:issued": {"vi": "tạo mã khám", "en": "made a visit code"},
    "session:ended": {"vi": "kết thúc phiên đăng nhập", "en": "ended a session"},
}
_OTHER = {"vi": "thực hiện một thao tác", "en": "did something else"}
_REFUSED = {"vi": " (bị từ chối)", "en": " (refused)"}


def log_line(entry: LogEntry, reference: str, *, companion: bool = False) -> dict[str, Any]:
    """One entry with names instead of ids, and a sentence in the reader's language.

    A companion reads no counts and categories of what others saw or wrote: they would tell of records that
    are hidden from companions.
    """
    event = entry.event
    if companion and event.actor_id != viewer().id and str(event.action).startswith("record:"):
        event = replace(event, categories=(), record_count=None)
    organisation = _organisation(event)
    return {
        "id": reference,
        "at": event.at,
        "action": str(event.action),
        "decision": event.decision,
        "reason": event.reason,
        "actor_kind": str(event.actor_kind),
        "actor": {"name": _name(event)},
        "organisation": organisation,
        "purpose": event.purpose,
        "grant_id": event.grant_id,
        "categories": list(event.categories),
        "record_count": event.record_count,
        "text": _sentence(event, organisation),
    }


def _sentence(event: AuditEvent, organisation: dict[str, str] | None) -> str:
    locale = language()
    who = _name(event)
    if organisation is not None and event.actor_kind is not ActorKind.CITIZEN:
        title = organisation[f"name_{locale}"]
        who = f"{who}, {title}" if event.actor_kind is ActorKind.PRACTITIONER else title
    verb = _VERBS.get(str(event.action), _OTHER)[locale]
    return f"{who} {verb}{_REFUSED[locale] if event.decision == 'refuse' else ''}"


def _name(event: AuditEvent) -> str:
    locale = language()
    if event.actor_kind is ActorKind.CITIZEN:
        if event.actor_id == viewer().id:
            return _YOU[locale]
        return (_OWNER if event.actor_id == event.citizen_id else _GUARDIAN)[locale]
    if event.actor_kind is ActorKind.PRACTITIONER and event.organisation_id:
        return _practitioner(event.organisation_id, event)
    return _SYSTEM[locale]


def _practitioner(organisation_id: str, event: AuditEvent) -> str:
    registry = services().identity.organisations
    try:
        return registry.practitioner(organisation_id, event.actor_id, event.at).name
    except IdentityError:
        # Dismissed since, perhaps as of that very day: the citizen is told a name, not a staff number.
        names = {each.id: each.name for each in registry.roster(organisation_id)}
        return names.get(event.actor_id, event.actor_id)


def _organisation(event: AuditEvent) -> dict[str, str] | None:
    if event.organisation_id is None:
        return None
    try:
        found = services().identity.organisations.get(event.organisation_id)
    except IdentityError:
        return None
    return {"id": found.id, "name_vi": found.name_vi, "name_en": found.name_en}
