"""An alert tells ops what to release."""

from __future__ import annotations

import pytest

from wallet_api.wiring.sending import tell_ops


def test_an_alert_names_the_template_it_is_about(caplog: pytest.LogCaptureFixture) -> None:
    tell_ops("push_bad_payload", "push.v1", {"count": 2})
    [told] = caplog.records
    line = told.__dict__
    assert (told.msg, told.levelname) == ("push_alert", "WARNING")
    assert (line["code"], line["template"], line["count"]) == ("push_bad_payload", "push.v1", 2)
