"""Letters by e-mail (RFC 5321), over one connection a round. They name nobody and nothing but the app."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from notifications.channels.fcm import is_loopback
from notifications.errors import BadChannel
from notifications.fallback import Letter
from notifications.model import Locale, is_email
from notifications.outgoing import Answer
from notifications.ports import Now

LETTER_TEMPLATE = "letter.v1"
_SUBJECT: Mapping[Locale, str] = {
    "vi": "Bạn có một thông báo chưa đọc",
    "en": "You have an unread notification",
}
_BODY: Mapping[Locale, str] = {
    "vi": "Một thông báo đang chờ bạn trong ứng dụng Sổ sức khỏe điện tử. Hãy mở ứng dụng để đọc.\n\n"
    "Thư này được gửi tự động; chúng tôi không bao giờ hỏi mật khẩu hay mã xác nhận qua thư.\n",
    "en": "A notification is waiting for you in the Health book app. Open the app to read it.\n\n"
    "This letter was sent automatically; we never ask for passwords or codes by mail.\n",
}
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,100}")


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """A mail server: TLS from the first byte, STARTTLS, or neither on loopback alone."""

    host: str
    port: int
    security: Literal["tls", "starttls", "none"]
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)
    timeout_s: float = 15.0
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        if not self.host or not is_email(self.sender):
            raise BadChannel("smtp: a server and a sender's address are needed")
        if self.security == "none" and not is_loopback(self.host):
            raise BadChannel("smtp: without TLS only on loopback")

    @classmethod
    def from_url(cls, url: str, sender: str) -> SmtpSettings:
        """`smtps://user:…@host:465`, or `smtp://host:587` for STARTTLS (none of it on loopback)."""
        parts = urlsplit(url)
        try:
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise BadChannel("smtp: the port is not a number") from None
        if parts.scheme not in ("smtp", "smtps"):
            raise BadChannel("smtp: the URL must be smtp:// or smtps://")
        plain = parts.scheme == "smtp" and is_loopback(host)
        security: Literal["tls", "starttls", "none"] = "none" if plain else "starttls"
        if parts.scheme == "smtps":
            security = "tls"
        usual = 465 if security == "tls" else 587
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(host, port or usual, security, sender, user, password)


class SmtpChannel:
    """LetterChannel over SMTP."""

    name = "email"
    template = LETTER_TEMPLATE

    def __init__(self, settings: SmtpSettings, now: Now) -> None:
        self._settings, self._now = settings, now

    def deliver(self, letters: Sequence[Letter]) -> Sequence[Answer]:
        """Hand over one by one. After a broken connection the rest is `not_tried`."""
        if not letters:
            return []
        try:
            server = self._connected()
        except smtplib.SMTPAuthenticationError:
            return _rest([], letters, Answer.UNAUTHORISED)
        except (smtplib.SMTPException, OSError):
            return _rest([], letters, Answer.UNAVAILABLE)
        answers: list[Answer] = []
        try:
            for letter in letters:
                answers.append(self._hand_over(server, letter))
        except (smtplib.SMTPServerDisconnected, OSError):
            return _rest(answers, letters, Answer.UNAVAILABLE)
        finally:
            _hang_up(server)
        return answers

    def _connected(self) -> smtplib.SMTP:
        s = self._settings
        context = ssl.create_default_context(cafile=s.ca_file)
        if s.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(s.host, s.port, timeout=s.timeout_s, context=context)
        else:
            server = smtplib.SMTP(s.host, s.port, timeout=s.timeout_s)
        try:
            if s.security == "starttls":
                server.starttls(context=context)
            if s.user:
                server.login(s.user, s.password)
        except BaseException:
            server.close()
            raise
        return server

    def _hand_over(self, server: smtplib.SMTP, letter: Letter) -> Answer:
        if not is_email(letter.email) or not _ID.fullmatch(letter.nid):
            return Answer.BAD_ADDRESS
        try:
            server.send_message(self._letter(letter))
        except smtplib.SMTPRecipientsRefused as refusal:
            [(code, _)] = refusal.recipients.values()
            return Answer.BAD_ADDRESS if code >= 500 else Answer.UNAVAILABLE
        except smtplib.SMTPResponseException as refusal:
            return Answer.BAD_PAYLOAD if refusal.smtp_code >= 500 else Answer.UNAVAILABLE
        return Answer.ACCEPTED

    def _letter(self, letter: Letter) -> EmailMessage:
        """The same id each time: a mailbox that gets it twice can tell."""
        made = EmailMessage()
        made["From"] = self._settings.sender
        made["To"] = letter.email
        made["Subject"] = _SUBJECT[letter.locale]
        made["Date"] = format_datetime(self._now())
        made["Message-ID"] = f"<{letter.nid}@{self._settings.sender.partition('@')[2]}>"
        made["Auto-Submitted"] = "auto-generated"
        made.set_content(_BODY[letter.locale])
        return made


def _rest(answers: Sequence[Answer], letters: Sequence[Letter], first: Answer) -> list[Answer]:
    """The next one tells why, what comes after was not tried."""
    missing = len(letters) - len(answers)
    return [*answers, *[first, *[Answer.NOT_TRIED] * (missing - 1)][:missing]]


def _hang_up(server: smtplib.SMTP) -> None:
    try:
        server.quit()
    except (smtplib.SMTPException, OSError):
        server.close()
