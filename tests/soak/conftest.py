"""What a soak counted, as tables at its end."""

from __future__ import annotations

import pytest

from tests.faults.figures import ROWS, table


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how long each test ran and what it counted, and the table of faults, if any was tried."""
    ran = [
        report
        for state in ("passed", "failed")
        for report in terminalreporter.stats.get(state, ())
        if report.when == "call" and "tests/soak/" in report.nodeid
    ]
    if ran:
        terminalreporter.section(f"soaked for {sum(each.duration for each in ran) / 60:.1f} minutes")
        for each in ran:
            counted = ", ".join(f"{name} {_told(value)}" for name, value in each.user_properties)
            name = each.nodeid.rpartition("tests/soak/")[2]
            terminalreporter.write_line(f"{each.duration:7.1f} s  {each.outcome}  {name}  {counted}".rstrip())
    if ROWS:
        terminalreporter.section("faults survived")
        for line in table():
            terminalreporter.write_line(line)


def _told(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
