"""The access log in the citizen's words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import g

from wallet_api.audit.log import LogEntry
from wallet_api.audit.model import Action, ActorKind, AuditEvent
from wallet_api.context import services, viewer
from wallet_api.errors import language
from wallet_api.identity.errors import IdentityError

_YOU = {"vi": "Bạn", "en": "You"}
_GUARDIAN = {"vi": "Người giám hộ", "en": "A guardian"}
_HEIR = {"vi": "Người thừa kế", "en": "An heir"}
_OWNER = {"vi": "Chủ sổ", "en": "The owner of the book"}
_SYSTEM = {"vi": "Hệ thống", "en": "The system"}
_HOLDER = {"vi": "Người giữ liên kết", "en": "Whoever holds the link"}
_SAYS = {"vi": "{who} (tự xưng “{name}”)", "en": "{who} (says: “{name}”)"}
_VERBS = {
    # the book
    "record:read": {"vi": "xem một hồ sơ", "en": "read a record"},
    "record:searched": {"vi": "xem danh sách hồ sơ", "en": "read the list of records"},
    "record:written": {"vi": "gửi hồ sơ vào sổ", "en": "filed records in the book"},
    "record:corrected": {"vi": "sửa một hồ sơ", "en": "corrected a record"},
    "record:exported": {"vi": "xuất hồ sơ ra khỏi sổ", "en": "exported records"},
    "record:hidden": {"vi": "ẩn một hồ sơ", "en": "hid a record"},
    "record:shown": {"vi": "hiện lại một hồ sơ", "en": "showed a record again"},
    "forecast:read": {"vi": "xem lịch tiêm chủng và khám sắp tới", "en": "looked at what is due"},
    "intake:received": {"vi": "nhận dữ liệu gửi về sổ", "en": "received data for the book"},
    "intake:matched": {"vi": "ghép dữ liệu nhận được vào sổ", "en": "matched received data to the book"},
    "intake:queued": {
        "vi": "chuyển dữ liệu nhận được sang chờ đối chiếu",
        "en": "put received data aside for review",
    },
    "intake:read": {
        "vi": "xem dữ liệu nhận được đang chờ đối chiếu",
        "en": "looked at received data that waits for review",
    },
    # consent
    "consent:requested": {"vi": "xin phép xem hồ sơ", "en": "asked for access"},
    "consent:seen": {
        "vi": "xem trước yêu cầu của {organisation}",
        "en": "previewed what {organisation} asks for",
    },
    "consent:granted": {"vi": "đồng ý cho {organisation} xem hồ sơ", "en": "let {organisation} read"},
    "consent:refused": {
        "vi": "từ chối yêu cầu của {organisation}",
        "en": "refused what {organisation} asked for",
    },
    "consent:cancelled": {"vi": "hủy một yêu cầu xin xem hồ sơ", "en": "cancelled a request for access"},
    "consent:expired": {"vi": "đóng một yêu cầu đã hết hạn", "en": "closed a request that had run out"},
    "consent:withdrawn": {
        "vi": "rút lại sự đồng ý đã cho {organisation}",
        "en": "withdrew the consent given to {organisation}",
    },
    "consent:signed": {
        "vi": "đồng ý với {organisation}, chờ người còn lại cùng đồng ý",
        "en": "agreed to let {organisation} read; the other yes is still needed",
    },
    "consent:attested": {
        "vi": "ghi nhận lời đồng ý trực tiếp của trẻ",
        "en": "recorded the child's own yes, given in person",
    },
    "consent:assisted": {
        "vi": "ghi nhận sự đồng ý trực tiếp của bạn tại cơ sở",
        "en": "recorded consent that was given in person",
    },
    "consent:suspended": {
        "vi": "tạm dừng sự đồng ý đã cho {organisation}",
        "en": "suspended the consent given to {organisation}",
    },
    "consent:resumed": {
        "vi": "xác nhận lại sự đồng ý đã cho {organisation}",
        "en": "confirmed the consent given to {organisation} again",
    },
    "consent:receipt_read": {"vi": "lấy biên nhận đồng ý", "en": "fetched a consent receipt"},
    "organisation:blocked": {"vi": "chặn {organisation}", "en": "blocked {organisation}"},
    "organisation:unblocked": {"vi": "bỏ chặn {organisation}", "en": "unblocked {organisation}"},
    "visit_code:issued": {"vi": "tạo mã khám", "en": "made a visit code"},
    "visit_code:used": {"vi": "dùng mã khám", "en": "used a visit code"},
    "access:started": {"vi": "mở một lượt truy cập", "en": "opened an access session"},
    "access:ended": {"vi": "bị dừng khi đang đọc", "en": "was stopped while reading"},
    "emergency:opened": {"vi": "mở hồ sơ trong tình huống cấp cứu", "en": "opened records in an emergency"},
    "emergency:reviewed": {"vi": "kiểm tra một lần mở hồ sơ cấp cứu", "en": "reviewed an emergency access"},
    "log:read": {"vi": "xem nhật ký truy cập", "en": "read the access log"},
    # the account
    "session:started": {"vi": "đăng nhập", "en": "signed in"},
    "session:refreshed": {"vi": "gia hạn phiên đăng nhập", "en": "renewed a session"},
    "session:stepped_up": {"vi": "xác thực lại", "en": "gave proof of identity once more"},
    "session:ended": {"vi": "kết thúc phiên đăng nhập", "en": "ended a session"},
    "session:theft_suspected": {
        "vi": "kết thúc phiên đăng nhập vì nghi bị đánh cắp",
        "en": "ended a session that may have been stolen",
    },
    "sign_in:refused": {"vi": "từ chối một lần đăng nhập", "en": "turned away a sign-in"},
    "token:issued": {"vi": "cấp quyền cho ứng dụng", "en": "gave an app its access"},
    "token:refused": {"vi": "từ chối cấp quyền cho ứng dụng", "en": "refused an app its access"},
    "token:revoked": {"vi": "thu hồi quyền của ứng dụng", "en": "took back an app's access"},
    "account:created": {"vi": "tạo tài khoản", "en": "created the account"},
    "account:changed": {"vi": "thay đổi thông tin tài khoản", "en": "changed the account"},
    "account:closed": {"vi": "đóng tài khoản", "en": "closed the account"},
    "birth:registered": {"vi": "đăng ký trẻ sơ sinh", "en": "registered a newborn"},
    "number:linked": {
        "vi": "gắn số định danh cá nhân vào sổ",
        "en": "linked a personal number to the book",
    },
    "death:reported": {"vi": "báo tử, chờ xác nhận", "en": "reported a death, to be confirmed"},
    "death:read": {"vi": "xem một hồ sơ báo tử", "en": "looked at a report of a death"},
    "death:refused": {"vi": "không chấp nhận một báo tử", "en": "did not accept a report of a death"},
    "death:reversed": {
        "vi": "hủy việc ghi nhận tử vong; mọi thứ được khôi phục",
        "en": "took back that the person died; everything is restored",
    },
    "merge:proposed": {
        "vi": "đề nghị hợp nhất hai sổ của một người",
        "en": "proposed to merge two books of one person",
    },
    "merge:read": {"vi": "xem một hồ sơ hợp nhất sổ", "en": "looked at a merge of two books"},
    "merge:stopped": {"vi": "dừng một đề nghị hợp nhất sổ", "en": "stopped a merge of two books"},
    "books:merged": {
        "vi": "hợp nhất hai sổ của một người",
        "en": "merged two books of one person",
    },
    "books:parted": {
        "vi": "tách lại hai sổ đã hợp nhất",
        "en": "parted two books that had been merged",
    },
    "heir:proposed": {"vi": "ghi nhận đề nghị của người thừa kế", "en": "put down what an heir asks for"},
    "heir:decided": {"vi": "quyết định về một người thừa kế", "en": "decided about an heir"},
    "guardianship:claimed": {"vi": "đề nghị làm người giám hộ", "en": "asked to be a guardian"},
    "guardianship:objected": {"vi": "phản đối một đề nghị giám hộ", "en": "objected to a guardianship"},
    "guardianship:started": {"vi": "xác nhận một quan hệ giám hộ", "en": "confirmed a guardianship"},
    "guardianship:ended": {"vi": "chấm dứt một quan hệ giám hộ", "en": "ended a guardianship"},
    "guardianship:refused": {"vi": "từ chối một đề nghị giám hộ", "en": "refused a guardianship"},
    "guardianship:evidence": {
        "vi": "xem hoặc gửi giấy tờ chứng minh giám hộ",
        "en": "sent or looked at proof of a guardianship",
    },
    "safety_flag:set": {"vi": "đặt một cờ bảo vệ", "en": "set a safety flag"},
    "safety_flag:lifted": {"vi": "gỡ một cờ bảo vệ", "en": "lifted a safety flag"},
    # reminders
    "push_address:added": {
        "vi": "đăng ký một thiết bị nhận thông báo",
        "en": "registered a device for notifications",
    },
    "push_address:removed": {
        "vi": "gỡ một thiết bị nhận thông báo",
        "en": "removed a device from notifications",
    },
    "reminder:read": {"vi": "xem các lời nhắc", "en": "looked at the reminders"},
    "reminder:planned": {"vi": "lên lịch một lời nhắc", "en": "planned a reminder"},
    "reminder:sent": {"vi": "gửi một lời nhắc", "en": "sent a reminder"},
    "reminder:settings_changed": {"vi": "thay đổi cài đặt nhắc lịch", "en": "changed the reminder settings"},
    # share links
    "share:made": {"vi": "tạo một liên kết chia sẻ hồ sơ", "en": "made a link that shares records"},
    "share:viewed": {"vi": "xem hồ sơ qua liên kết chia sẻ", "en": "saw records through a share link"},
    "share:revoked": {"vi": "thu hồi một liên kết chia sẻ hồ sơ", "en": "revoked a link that shares records"},
    # rights
    "rights:requested": {"vi": "gửi yêu cầu về dữ liệu cá nhân", "en": "made a request about personal data"},
    "rights:answered": {
        "vi": "trả lời yêu cầu về dữ liệu cá nhân",
        "en": "answered a request about personal data",
    },
    "rights:read": {"vi": "xem yêu cầu về dữ liệu cá nhân", "en": "read a request about personal data"},
    "rights:acknowledged": {
        "vi": "xác nhận đã nhận yêu cầu về dữ liệu cá nhân",
        "en": "acknowledged a request about personal data",
    },
    "rights:extended": {
        "vi": "gia hạn xử lý yêu cầu về dữ liệu cá nhân",
        "en": "took more time for a request about personal data",
    },
    "rights:completed": {
        "vi": "thực hiện xong yêu cầu về dữ liệu cá nhân",
        "en": "carried out a request about personal data",
    },
    "rights:refused": {
        "vi": "từ chối yêu cầu về dữ liệu cá nhân",
        "en": "refused a request about personal data",
    },
    "rights:taken_back": {
        "vi": "hủy yêu cầu hoặc gỡ hạn chế về dữ liệu cá nhân",
        "en": "took a request about personal data back",
    },
    "correction:requested": {
        "vi": "yêu cầu {organisation} sửa một hồ sơ",
        "en": "asked {organisation} to correct a record",
    },
    "correction:evidence": {
        "vi": "gửi giấy tờ cho một yêu cầu sửa hồ sơ",
        "en": "sent evidence for a request to correct a record",
    },
    "correction:read": {"vi": "xem yêu cầu sửa hồ sơ", "en": "read requests to correct records"},
    "correction:answered": {
        "vi": "trả lời một yêu cầu sửa hồ sơ",
        "en": "answered a request to correct a record",
    },
    "dispute:opened": {
        "vi": "báo một hồ sơ không phải của mình; hồ sơ được ẩn",
        "en": "said that a record is somebody else's; it is hidden",
    },
    "dispute:taken_back": {
        "vi": "rút lại lời báo một hồ sơ không phải của mình",
        "en": "took back that a record is somebody else's",
    },
    "dispute:read": {
        "vi": "xem trường hợp một hồ sơ bị báo là của người khác",
        "en": "looked at a record said to be somebody else's",
    },
    "dispute:decided": {
        "vi": "xem xét một hồ sơ bị báo là của người khác",
        "en": "decided about a record said to be somebody else's",
    },
    "review:decided": {"vi": "xử lý một trường hợp chờ đối chiếu", "en": "decided a case under review"},
    "key:created": {"vi": "tạo khóa bảo vệ dữ liệu", "en": "made a key that protects the data"},
    "key:destroyed": {"vi": "hủy khóa bảo vệ dữ liệu", "en": "destroyed a key that protects the data"},
    "data:erased": {"vi": "xóa dữ liệu", "en": "erased data"},
    "erasure:attested": {"vi": "xác nhận đã xóa bản sao hồ sơ", "en": "attested that copies were erased"},
    "erasure:overdue": {
        "vi": "nhận thấy {organisation} quá hạn xóa bản sao hồ sơ",
        "en": "found that {organisation} has not attested erasing its copies in time",
    },
}
_OUTCOMES = {
    "justified": {
        "vi": "kiểm tra lần mở hồ sơ cấp cứu của {organisation}: chính đáng",
        "en": "reviewed the emergency access of {organisation}: it was justified",
    },
    "not_justified": {
        "vi": "kiểm tra lần mở hồ sơ cấp cứu của {organisation}: không chính đáng",
        "en": "reviewed the emergency access of {organisation}: it was not justified",
    },
}
"""What a review found, in the log of whose records were opened."""
# For a tag that a newer process of the same wallet has written.
_OTHER = {"vi": "thực hiện một thao tác", "en": "did something else"}
_SOMEBODY = {"vi": "một tổ chức", "en": "an organisation"}
_REFUSED = {"vi": " (bị từ chối)", "en": " (refused)"}


_OWN_AFFAIRS = ("rights:", "correction:", "dispute:")
_HIDING = frozenset({Action.RECORD_HIDDEN, Action.RECORD_SHOWN, Action.INTAKE_MATCHED})


def not_for_companions(event: AuditEvent) -> bool:
    """Whether a line would tell a companion what is not theirs to know.

    That something was hidden; what was found to be the person's, for it may be hidden; what was asked of the
    rights desk, said to be wrong or disputed by somebody else; and links the person made.
    """
    if str(event.action).startswith("share:") and event.detail.get("made_by") == "self":
        return True
    others = str(event.action).startswith(_OWN_AFFAIRS) and event.actor_id != viewer().id
    return others or event.action in _HIDING


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
    if organisation is not None and event.actor_kind not in (ActorKind.CITIZEN, ActorKind.OPS):
        title = organisation[f"name_{locale}"]
        who = f"{who}, {title}" if event.actor_kind is ActorKind.PRACTITIONER else title
    # What citizens and reviewers do is done about an organisation; a deleted one has no name any more.
    whom = organisation[f"name_{locale}"] if organisation is not None else _SOMEBODY[locale]
    told = _OUTCOMES.get(event.reason) if event.action is Action.EMERGENCY_REVIEWED else None
    verb = (told or _VERBS.get(str(event.action), _OTHER))[locale].replace("{organisation}", whom)
    return f"{who} {verb}{_REFUSED[locale] if event.decision == 'refuse' else ''}"


def _name(event: AuditEvent) -> str:
    locale = language()
    if event.actor_kind is ActorKind.CITIZEN:
        if event.actor_id == viewer().id:
            return _YOU[locale]
        other = _HEIR if event.reason == "heir" else _GUARDIAN
        return (_OWNER if event.actor_id == event.citizen_id else other)[locale]
    if event.actor_kind is ActorKind.PRACTITIONER and event.organisation_id:
        return _practitioner(event.organisation_id, event)
    return _holder(event) if event.actor_kind is ActorKind.LINK else _SYSTEM[locale]


def _holder(event: AuditEvent) -> str:
    """Whoever came with a share link, as they called themselves; as long as the share remembers it."""
    locale, known = language(), g.setdefault("shares_seen", {})
    if event.actor_id not in known:
        known[event.actor_id] = services().sharing.desk.find(event.actor_id)
    share, number = known[event.actor_id], event.detail.get("knock")
    said = [] if share is None else [each.recipient for each in share.knocks if each.number == number]
    return _SAYS[locale].format(who=_HOLDER[locale], name=said[0]) if said else _HOLDER[locale]


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
