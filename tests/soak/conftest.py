"""What a soak counted, as one table at its end."""

from __future__ import annotations

import pytest

from tests.faults.figures import ROWS, table


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of faults, if any was tried."""
    if ROWS:
        terminalreporter.section("faults survived")
        for line in table():
            terminalreporter.write_line(line)
