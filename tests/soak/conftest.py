"""What a soak counted, as tables at its end, and in which order its tests run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any, Final

import pytest

from tests.faults.figures import ROWS, Row, table

HERE: Final = Path(__file__).parent
FIRST: Final = ("test_history", "test_import")
HALFWAY: Final = "test_fence"
"""The longest go to the head of either half: of two lanes each begins with its half."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes longest where no lane ends alone with it."""
    if any(each.path.parent != HERE for each in items):
        return
    heavy = [each for each in items if each.path.stem in FIRST]
    half = [each for each in items if each.path.stem == HALFWAY]
    rest = [each for each in items if each not in heavy and each not in half]
    middle = max((len(items) + 1) // 2 - len(heavy), 0)
    items[:] = [*heavy, *rest[:middle], *half, *rest[middle:]]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Iterator[None]:
    """Send the rows a test noted along with its report: it may have run in another process."""
    report: Any = yield
    if call.when == "call":
        report.user_properties += [("fault", astuple(row)) for row in ROWS]
        ROWS.clear()
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how long each test ran and what it counted, and the table of faults, if any was tried."""
    ran = [
        report
        for state in ("passed", "failed")
        for report in terminalreporter.stats.get(state, ())
        if report.when == "call" and "tests/soak/" in report.nodeid
    ]
    if ran:
        terminalreporter.section(f"tests of {sum(each.duration for each in ran) / 60:.1f} minutes")
        for each in ran:
            counted = ", ".join(f"{name} {_told(value)}" for name, value in _counts(each))
            name = each.nodeid.rpartition("tests/soak/")[2]
            terminalreporter.write_line(f"{each.duration:7.1f} s  {each.outcome}  {name}  {counted}".rstrip())
    rows = [Row(*value) for each in ran for name, value in each.user_properties if name == "fault"]
    if rows:
        terminalreporter.section("faults survived")
        for line in table(rows):
            terminalreporter.write_line(line)


def _counts(report: pytest.TestReport) -> list[tuple[str, object]]:
    return [(name, value) for name, value in report.user_properties if name != "fault"]


def _told(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
