"""Letters for whom a push does not reach: who gets one, when, what it says, and what failures do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_string, policy

import pytest

from notifications.channels.smtp import SmtpChannel, SmtpSettings
from notifications.errors import BadChannel
from notifications.fallback import Fallback, Letter
from notifications.model import Preferences, is_email
from notifications.outgoing import Answer, BatchState
from notifications.reminders import SHARDS
from tests.notifications.mailing import MailServer, mail_server
from tests.notifications.stage import DAY, Stage, ready

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
AFTER = timedelta(hours=24)
NID = "0f" * 16


class Postbox:
    """Keeps letters; answers as told."""

    name = "email"
    template = "letter.v1"

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.answer = Answer.ACCEPTED

    def deliver(self, letters: Sequence[Letter]) -> Sequence[Answer]:
        self.letters += letters
        return [self.answer for _ in letters]


def mailed(email: str | None = "mother@example.vn") -> tuple[Stage, Postbox]:
    stage, box = ready(), Postbox()
    stage.preferences.save("mother", Preferences(email=email))
    parts = stage.dispatch
    stage.delivery._fallback = Fallback(
        stage.planning,
        parts._read,
        parts._write,
        channel=box,
        after=AFTER,
        alert=lambda *told: stage.alerts.append(told),
        now=stage.clock,
        random=lambda: 0.5,
    )
    stage.a_day(DAY, hour=15)
    return stage, box


def post(stage: Stage) -> None:
    """Two days later, whatever letters are due."""
    stage.clock.at += AFTER + timedelta(hours=14)
    while any(stage.delivery.deliver(SHARDS + shard) for shard in range(SHARDS)):
        pass


def test_a_push_that_stays_unread_is_followed_by_one_letter() -> None:
    stage, box = mailed()
    assert len(stage.channel.sent) == 1 and box.letters == []
    stage.clock.at += AFTER - timedelta(hours=1)
    assert not any(stage.delivery.deliver(SHARDS + shard) for shard in range(SHARDS))
    post(stage)
    post(stage)
    assert [(each.email, each.locale) for each in box.letters] == [("mother@example.vn", "vi")]
    assert box.letters[0].nid == stage.channel.sent[0].nid


def test_who_read_or_gave_no_address_gets_no_letter() -> None:
    stage, box = mailed()
    for message in stage.inbox.page("mother", 9):
        stage.reading.read("mother", message.id)
    post(stage)
    assert box.letters == []
    stage, box = mailed(email=None)
    post(stage)
    assert box.letters == [] and not any(b.shard >= SHARDS for b in stage.outbox._kept.values())


def test_who_takes_the_address_back_gets_no_letter() -> None:
    stage, box = mailed()
    stage.preferences.save("mother", Preferences())
    post(stage)
    assert box.letters == []


def test_the_stop_conditions_hold_for_letters_too() -> None:
    stage, box = mailed()
    stage.guardians.of["baby"] = ["father"]
    post(stage)
    assert box.letters == []


def test_a_push_whose_phone_is_gone_is_followed_by_a_letter() -> None:
    stage, box = mailed()
    stage.clock.at += timedelta(days=7)
    stage.channel.answers["phone-of-mother"] = Answer.UNREGISTERED
    box.letters.clear()
    stage.outbox._kept.clear()
    stage.a_day(DAY + timedelta(days=7), hour=15)
    post(stage)
    assert len(box.letters) == 1


def test_a_mail_server_that_fails_is_tried_again_and_given_up_in_the_end() -> None:
    stage, box = mailed()
    box.answer = Answer.UNAVAILABLE
    post(stage)
    [batch] = [b for b in stage.outbox._kept.values() if b.shard >= SHARDS]
    for _ in range(6):
        assert stage.batch(batch.id).state is BatchState.QUEUED
        stage.clock.at = stage.batch(batch.id).due_at
        stage.delivery.deliver(batch.shard)
    assert stage.batch(batch.id).state is BatchState.DEAD
    assert ("letter_dead", "letter.v1", {"count": 1}) in stage.alerts


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as made:
        yield made


def over(server: MailServer) -> SmtpChannel:
    return SmtpChannel(SmtpSettings.from_url(server.url, "so-suc-khoe@example.vn"), lambda: NOW)


def test_a_letter_names_nothing_but_the_app(server: MailServer) -> None:
    letters = [Letter("a@example.vn", NID, "vi"), Letter("b@example.vn", NID, "en")]
    assert over(server).deliver(letters) == [Answer.ACCEPTED] * 2 and server.sessions == 1
    for letter, (to, text) in zip(letters, server.letters, strict=True):
        found = message_from_string(text, policy=policy.default)
        assert to == letter.email == found["To"] and found["From"] == "so-suc-khoe@example.vn"
        assert found["Message-ID"] == f"<{NID}@example.vn>" and found["Auto-Submitted"] == "auto-generated"
        assert set(found.keys()) == {
            "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version",
            "Content-Type", "Content-Transfer-Encoding",
        }  # fmt: skip
        body = found.get_body()
        assert body is not None and not any(digit in body.get_content() for digit in "0123456789")


def test_each_refusal_concerns_its_own_letter(server: MailServer) -> None:
    words = ["fine", "550gone", "450full", "fine2"]
    found = over(server).deliver([Letter(f"{word}@example.vn", NID, "vi") for word in words])
    assert found == [Answer.ACCEPTED, Answer.BAD_ADDRESS, Answer.UNAVAILABLE, Answer.ACCEPTED]


def test_a_connection_that_breaks_leaves_the_rest_untried(server: MailServer) -> None:
    server.hang_up_after = 2
    found = over(server).deliver([Letter(f"p{n}@example.vn", NID, "vi") for n in range(5)])
    assert found == [Answer.ACCEPTED] * 2 + [Answer.UNAVAILABLE] + [Answer.NOT_TRIED] * 2


def test_no_mail_server_no_letters_and_no_noise() -> None:
    nowhere = SmtpSettings("127.0.0.1", 1, "none", "a@example.vn", timeout_s=1)
    letters = [Letter("a@example.vn", NID, "vi")] * 2
    assert SmtpChannel(nowhere, lambda: NOW).deliver(letters) == [Answer.UNAVAILABLE, Answer.NOT_TRIED]
    assert SmtpChannel(nowhere, lambda: NOW).deliver([]) == []


@pytest.mark.parametrize("email", ["a b@x.vn", "a@x\r\nBcc: b@x.vn", "a@x", "<a@x.vn>", "a@x.vn,b@x.vn", ""])
def test_an_address_that_is_more_than_an_address_never_reaches_the_server(
    email: str, server: MailServer
) -> None:
    assert not is_email(email)
    assert over(server).deliver([Letter(email, NID, "vi")]) == [Answer.BAD_ADDRESS] and server.letters == []
    with pytest.raises(ValueError, match="not an e-mail"):
        Preferences(email=email)
    assert "@" not in repr(replace(Preferences(), email="a@x.vn"))


@pytest.mark.parametrize(
    ("url", "security"),
    [
        ("smtps://u:p%40@mail.example.vn", "tls"),
        ("smtp://mail.example.vn", "starttls"),
        ("smtp://127.0.0.1", "none"),
    ],
)
def test_only_loopback_goes_without_tls(url: str, security: str) -> None:
    found = SmtpSettings.from_url(url, "a@example.vn")
    assert found.security == security and "p@" not in repr(found)


@pytest.mark.parametrize("url", ["http://mail.example.vn", "smtp://", "smtp://mail:x", ""])
def test_a_useless_mail_server_is_refused(url: str) -> None:
    with pytest.raises(BadChannel):
        SmtpSettings.from_url(url, "a@example.vn")
    with pytest.raises(BadChannel):
        SmtpSettings("mail.example.vn", 25, "none", "a@example.vn")
    with pytest.raises(BadChannel):
        SmtpSettings.from_url("smtps://mail.example.vn", "nobody")
