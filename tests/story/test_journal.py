"""The story's own judge: it must stop at what is not as it must be, and say so."""

from __future__ import annotations

import pytest

from wallet_api.cli.story.clients import Answered
from wallet_api.cli.story.journal import Journal, StoryFailed, shortened


def answered(status: int, body: object = None) -> Answered:
    return Answered("GET", "/x", status, body, {})


def test_another_status_or_code_stops_the_story() -> None:
    journal = Journal()
    journal.step("a step")
    assert journal.answered(answered(200, {"a": 1}), 200) == {"a": 1}
    with pytest.raises(StoryFailed, match="answered 200, 403 was expected"):
        journal.answered(answered(200), 403)
    with pytest.raises(StoryFailed, match="answered 403 forbidden, 403 consent_ended was expected"):
        journal.answered(answered(403, {"code": "forbidden"}), 403, "consent_ended")


def test_a_demand_that_does_not_hold_names_the_step() -> None:
    journal = Journal()
    journal.step("the grant")
    with pytest.raises(StoryFailed, match=r"Step 1 \(the grant\).*it must hold"):
        journal.must(False, "it must hold.")


def test_waiting_ends() -> None:
    with pytest.raises(StoryFailed, match="a push did not happen"):
        Journal().soon("a push", lambda: None, patience=0.3)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/citizens/lh62dyabcdefghijklmnopqrst/forecast", "/citizens/lh62dy…/forecast"),
        (
            "/provider/citizens/C-8wjKxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx_-9/records",
            "/provider/citizens/C-8wjK…/records",
        ),
        ("/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server"),
        ("condition, medication", "condition, medication"),
    ],
)
def test_opaque_ids_are_cut_and_words_are_not(text: str, told: str) -> None:
    assert shortened(text) == told
