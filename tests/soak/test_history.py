"""Ten thousand past grants of a citizen and a million of an organisation change no decision's work."""

from __future__ import annotations

import os

import pytest

from tests.consent import test_history as history
from tests.listening import Operations
from tests.world import Granted

pytestmark = pytest.mark.soak
granted = history.granted


def test_c25_a_long_past_changes_the_documents_a_decision_examines_by_none(
    granted: Granted, operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MINE", int(os.environ.get("WALLET_HISTORY_MINE", "10000")))
    monkeypatch.setattr(history, "THEIRS", int(os.environ.get("WALLET_HISTORY_THEIRS", "1000000")))
    history.test_c25_past_grants_change_the_documents_a_decision_examines_by_none(
        granted, operations, monkeypatch
    )
