"""Messages to the people concerned: of guardianships, births, numbers, and of a consent heard."""

from __future__ import annotations

from collections.abc import Iterable

from notifications.outgoing import Message
from wallet_api.context import services
from wallet_api.infra.ids import new_id

_TEXTS = {
    "guardianship_claimed": {
        "vi": (
            "Có người đề nghị làm người giám hộ",
            "Có một đề nghị giám hộ liên quan đến gia đình bạn. Đề nghị chưa có hiệu lực và đang chờ xác "
            "minh. Nếu bạn không đồng ý, hãy phản đối trong mục Gia đình.",
        ),
        "en": (
            "Somebody asks to be a guardian",
            "There is a request for a guardianship in your family. It is not in force and waits to be "
            "verified. If you do not agree, object under Family.",
        ),
    },
    "guardianship_started": {
        "vi": (
            "Một quan hệ giám hộ đã được xác minh",
            "Một đề nghị giám hộ trong gia đình bạn đã được xác minh và có hiệu lực từ ngày ghi trong mục "
            "Gia đình. Trước ngày đó bạn vẫn có thể phản đối tại đây.",
        ),
        "en": (
            "A guardianship was verified",
            "A request for a guardianship in your family was verified. It begins on the day shown under "
            "Family; until then you can object there.",
        ),
    },
    "guardianship_objected": {
        "vi": (
            "Có người phản đối một đề nghị giám hộ",
            "Đề nghị giám hộ này chưa có hiệu lực. Một cán bộ khác sẽ xem xét lại và bạn sẽ được báo kết "
            "quả.",
        ),
        "en": (
            "Somebody objected to a guardianship",
            "It is not in force. Another registrar will look at it again, and you will be told the outcome.",
        ),
    },
    "guardianship_refused": {
        "vi": ("Đề nghị giám hộ không được chấp nhận", "Xem lý do trong mục Gia đình."),
        "en": ("A guardianship was not accepted", "The reason is shown under Family."),
    },
    "guardianship_ended": {
        "vi": (
            "Một quan hệ giám hộ đã chấm dứt",
            "Các sự đồng ý do người giám hộ đó đã ký cho trẻ được tạm dừng đến khi được xác nhận lại.",
        ),
        "en": (
            "A guardianship has ended",
            "What that guardian had consented to for the child is suspended until it is confirmed again.",
        ),
    },
    "birth_registered": {
        "vi": (
            "Con của bạn đã có sổ sức khỏe",
            "Một cơ sở y tế đã đăng ký con bạn và ghi nhận bạn là người giám hộ. Nếu không đúng, hãy báo cho "
            "đường dây hỗ trợ.",
        ),
        "en": (
            "Your child has a health book",
            "A health facility registered your child and recorded you as its guardian. If that is not so, "
            "tell the help line.",
        ),
    },
    "number_linked": {
        "vi": (
            "Số định danh cá nhân đã được cập nhật",
            "Một số định danh cá nhân đã được gắn vào sổ sức khỏe trong gia đình bạn. Mọi hồ sơ vẫn được giữ "
            "nguyên. Nếu không đúng, hãy báo cho đường dây hỗ trợ.",
        ),
        "en": (
            "A personal number was updated",
            "A personal number was linked to a health book in your family. All records stay as they were. If "
            "that is not so, tell the help line.",
        ),
    },
    "merge_proposed": {
        "vi": (
            "Có đề nghị hợp nhất hai sổ sức khỏe",
            "Có đề nghị coi sổ này và một sổ khác là của cùng một người. Chưa có gì thay đổi. Nếu không "
            "đúng, hãy phản đối trong mục Gia đình trong vòng một tuần.",
        ),
        "en": (
            "Somebody proposes to merge two health books",
            "This book and another are said to be one person's. Nothing has changed yet. If that is not so, "
            "object under Family within a week.",
        ),
    },
    "merge_stopped": {
        "vi": (
            "Đề nghị hợp nhất sổ đã dừng lại",
            "Hai sổ vẫn là hai sổ riêng như trước.",
        ),
        "en": ("A merge of two health books was stopped", "The two books stay apart, as they were."),
    },
    "books_merged": {
        "vi": (
            "Hai sổ sức khỏe đã được hợp nhất",
            "Hai sổ nay được xem như một. Mọi hồ sơ và sự đồng ý vẫn giữ nguyên trong sổ của nó. Hãy đăng "
            "nhập lại. Nếu không đúng, hãy báo cho đường dây hỗ trợ.",
        ),
        "en": (
            "Two health books were merged",
            "They are read as one now. Every record and consent stays with its book. Sign in again. If this "
            "is not so, tell the help line.",
        ),
    },
    "books_parted": {
        "vi": (
            "Hai sổ sức khỏe đã được tách lại",
            "Việc hợp nhất là nhầm lẫn và đã được hủy. Mỗi sổ trở lại như trước. Hãy đăng nhập lại.",
        ),
        "en": (
            "Two health books were parted",
            "Merging them was a mistake and is undone. Each book is as it was. Sign in again.",
        ),
    },
    "death_reported": {
        "vi": (
            "Có người báo rằng bạn đã qua đời",
            "Một báo tử về bạn đang chờ xác nhận. Nếu không đúng, hãy báo ngay cho đường dây hỗ trợ; chưa có "
            "gì thay đổi.",
        ),
        "en": (
            "Somebody reported that you died",
            "A report of your death waits to be confirmed. If that is not so, tell the help line at once; "
            "nothing has changed yet.",
        ),
    },
    "death_reversed": {
        "vi": (
            "Ghi nhận tử vong đã được hủy",
            "Việc ghi nhận nhầm đã được hủy. Sổ sức khỏe, sự đồng ý, giám hộ và lời nhắc được khôi phục như "
            "trước. Hãy đăng nhập lại trên các thiết bị của bạn.",
        ),
        "en": (
            "The record of a death was taken back",
            "It was a mistake. The health book, consents, guardianships and reminders are as they were. "
            "Sign in again on your devices.",
        ),
    },
    "guardian_died": {
        "vi": (
            "Một người giám hộ đã qua đời",
            "Quan hệ giám hộ đó đã chấm dứt. Nếu trẻ không còn người giám hộ, hãy liên hệ trạm y tế hoặc "
            "đường dây hỗ trợ.",
        ),
        "en": (
            "A guardian has died",
            "That guardianship has ended. If a child is left without a guardian, tell your health station or "
            "the help line.",
        ),
    },
    "heir_given": {
        "vi": (
            "Bạn được xem bản tóm tắt của người thân đã mất",
            "Đề nghị của bạn đã được xác minh. Bản tóm tắt xem được trong thời hạn ghi ở mục Thừa kế.",
        ),
        "en": (
            "You may see the summary of a relative who died",
            "What you asked for was verified. The summary is under Bequests until the day shown there.",
        ),
    },
    "heir_refused": {
        "vi": ("Đề nghị xem bản tóm tắt không được chấp nhận", "Hãy liên hệ nơi đã nhận đề nghị của bạn."),
        "en": ("A summary was not given", "Ask where you handed in what you asked for."),
    },
    "heir_ended": {
        "vi": ("Quyền xem một bản tóm tắt đã chấm dứt", "Hãy liên hệ đường dây hỗ trợ nếu bạn có thắc mắc."),
        "en": ("A summary can no longer be seen", "Ask the help line if you have questions."),
    },
    "assisted_consent": {
        "vi": (
            "Nhân viên y tế đã ghi nhận sự đồng ý của bạn",
            "Một nhân viên y tế xác nhận bạn đã đồng ý trực tiếp cho cơ sở xem hồ sơ. Nếu không đúng, "
            "bạn có thể rút lại ngay trong mục Quyền truy cập.",
        ),
        "en": (
            "A health worker recorded your consent",
            "A health worker attests that you agreed in person to let them read your records. If that is not "
            "so, withdraw it under Access at once.",
        ),
    },
}
"""What is said of each, neutrally: no name, no place, nothing of anybody's health."""


def tell(news: str, recipients: Iterable[str], subject_id: str, message_id: str | None = None) -> None:
    """Put a message into the inboxes of some people. The same `message_id` tells one person once."""
    kit, now = services().reminding, services().now()
    found = []
    for recipient_id in dict.fromkeys(recipients):
        title, body = _TEXTS[news][kit.preferences.of(recipient_id).locale]
        found.append(
            Message(
                id=message_id or new_id(),
                recipient_id=recipient_id,
                subject_id=subject_id,
                topic="family",
                nid=new_id(),
                title=title,
                body=body,
                template=f"{news}.v1",
                created_at=now,
                reminder_id=None,
            )
        )
    kit.inbox.add(found)
