"""A consent given by word of mouth as a sheet of paper, in Vietnamese: plain text, nothing to execute."""

from __future__ import annotations

from datetime import datetime

from consent.codes import CATEGORIES, PURPOSES
from consent.errors import UnknownCode
from consent.model import Grant, Period
from consent.notices import notice_for
from wallet_api.context import services
from wallet_api.identity.errors import IdentityError
from wallet_api.infra.clock import VIETNAM

_SHEET = """PHIẾU GHI NHẬN SỰ ĐỒNG Ý CHO XEM HỒ SƠ SỨC KHỎE

Cơ sở được xem: {organisation}
Người ghi nhận: {practitioner}
Mục đích: {purpose}
Loại hồ sơ: {categories}
Thời gian của hồ sơ: {period}
Ghi nhận lúc: {given}
Hết hiệu lực lúc: {ends}
Mã sự đồng ý: {grant}

NỘI DUNG ĐÃ ĐƯỢC ĐỌC (bản {version}, mã băm SHA-256 {digest})

{text}

CÁCH RÚT LẠI
Ông/bà có thể rút lại bất cứ lúc nào, không cần nêu lý do: trong ứng dụng, mục Quyền truy cập; hoặc đề nghị
tại bất kỳ trạm y tế nào. Sự đồng ý tự hết hiệu lực vào giờ ghi ở trên. Lần đăng nhập đầu tiên, ứng dụng sẽ
báo cho ông/bà biết về phiếu này.

Họ tên người đồng ý: ......................................    Ký tên hoặc điểm chỉ: ....................

Người ghi nhận ký tên: ....................................    Ngày: ....................................
"""


def assisted_sheet(grant: Grant) -> str:
    """The sheet for the person to keep. The name is written by hand: it must not tell whether we know it."""
    scope, shown = grant.scope, grant.notice
    purpose = PURPOSES.codes.get(scope.purpose)
    known = [CATEGORIES.codes[each].vi for each in sorted(scope.categories) if each in CATEGORIES.codes]
    return _SHEET.format(
        organisation=_organisation(scope.organisation_id),
        practitioner=_practitioner(grant),
        purpose=scope.purpose if purpose is None else purpose.vi,
        categories=", ".join(known),
        period=_days(scope.record_period),
        given=_clock(grant.granted_at),
        ends=_clock(scope.expires_at),
        grant=grant.id,
        version=shown.version,
        digest=shown.sha256,
        text=_text(grant),
    )


def _text(grant: Grant) -> str:
    try:
        return notice_for(grant.scope.purpose, "vi", grant.notice.version).text
    except UnknownCode:
        return "(xem mã băm ở trên)"


def _organisation(organisation_id: str) -> str:
    return services().identity.organisations.get(organisation_id).name_vi


def _practitioner(grant: Grant) -> str:
    who = grant.evidence.attested_by or ""
    try:
        registry = services().identity.organisations
        return registry.practitioner(grant.scope.organisation_id, who, grant.granted_at).name
    except IdentityError:
        return who


def _days(period: Period) -> str:
    if period.first is None and period.last is None:
        return "không giới hạn"
    ends = [each.strftime("%d/%m/%Y") if each else "..." for each in (period.first, period.last)]
    return f"{ends[0]} - {ends[1]}"


def _clock(moment: datetime) -> str:
    return moment.astimezone(VIETNAM).strftime("%H:%M ngày %d/%m/%Y")
