"""Every requirement of OWASP ASVS 5.0, levels 1 and 2, is answered in docs/asvs.csv by tests that exist."""

from __future__ import annotations

import ast
import csv
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "asvs.csv"
NOTE = ROOT / "docs" / "asvs.md"
SIZES = {
    **dict(zip(range(1, 10), (27, 11, 19, 10, 9, 35, 18, 7, 7), strict=True)),
    **dict(zip(range(10, 18), (29, 14, 9, 13, 9, 13, 16, 7), strict=True)),
}
"""Chapter -> its requirements of levels 1 and 2."""
VERDICTS = frozenset({"pass", "not applicable", "open"})
Row = dict[str, str]


def answered() -> list[Row]:
    """The table."""
    with TABLE.open(encoding="utf-8", newline="") as found:
        return list(csv.DictReader(found))


@cache
def names_in(path: Path) -> set[str]:
    """The tests of a module; it is read, not run."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@cache
def scanners() -> set[str]:
    """What `make scan` runs, by the names it prints."""
    tree = ast.parse((ROOT / "tests/scanners/__main__.py").read_text(encoding="utf-8"))
    return {
        str(key.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant)
    }


def faults(rows: list[Row], note: str) -> list[str]:
    """What is wrong with the answers."""
    found = []
    for row in rows:
        if row["verdict"] not in VERDICTS or not row["answer"].strip() or not row["about"].strip():
            found.append(f"{row['id']}: no answer")
        elif row["verdict"] == "pass":
            found += [
                f"{row['id']}: {each} is not there"
                for each in row["answer"].split("; ")
                if not is_there(each)
            ]
        elif "::" in row["answer"] or len(row["answer"].split()) < 3:
            found.append(f"{row['id']}: {row['verdict']} needs a reason in words")
        if (row["verdict"] == "open") != (f"| {row['id']} | {row['answer']} |" in note):
            found.append(
                f"{row['id']}: docs/asvs.md lists what is open, with what is missing, and nothing else"
            )
    return found


def is_there(answer: str) -> bool:
    """Whether a test, or a scanner of `make scan`, exists."""
    if answer.startswith("scan:"):
        return answer.removeprefix("scan:") in scanners()
    path, _, name = answer.partition("::")
    return name.startswith("test_") and (ROOT / path).is_file() and name in names_in(ROOT / path)


def test_a_requirement_is_unanswered_or_answered_by_a_test_that_is_not(
    record_property: Callable[[str, object], None],
) -> None:
    rows = answered()
    said = ", ".join(
        f"{count} {verdict}" for verdict, count in Counter(row["verdict"] for row in rows).items()
    )
    print(f"ASVS 5.0: {len(rows)} requirements of levels 1 and 2: {said}")
    record_property("asvs", said)
    found = faults(rows, NOTE.read_text(encoding="utf-8"))
    assert not found, "\n".join(found)


def test_a_requirement_is_missing_or_twice() -> None:
    rows = answered()
    ids = [row["id"] for row in rows]
    assert len(ids) == len(set(ids)) and all(re.fullmatch(r"V\d+\.\d+\.\d+", each) for each in ids)
    assert Counter(row["level"] for row in rows) == {"1": 70, "2": 183}
    assert Counter(int(each[1:].split(".")[0]) for each in ids) == SIZES


def test_the_note_counts_as_the_table_does() -> None:
    rows, note = answered(), NOTE.read_text(encoding="utf-8")
    for chapter in SIZES:
        mine = [row for row in rows if row["id"].startswith(f"V{chapter}.")]
        levels, verdicts = Counter(row["level"] for row in mine), Counter(row["verdict"] for row in mine)
        counts = [levels["1"], levels["2"], *(verdicts[each] for each in ("pass", "not applicable", "open"))]
        assert re.search(rf"\| V{chapter} \| [^|]+ \| {' [|] '.join(map(str, counts))} \|", note), (
            chapter,
            counts,
        )


@pytest.mark.parametrize(
    "over",
    [
        {"answer": "tests/rules/test_asvs.py::test_that_never_was"},
        {"answer": "tests/rules/test_nowhere.py::test_x"},
        {"answer": "scan:nothing"},
        {"answer": ""},
        {"verdict": "maybe"},
        {"verdict": "open"},
        {"verdict": "not applicable", "answer": "no"},
    ],
)
def test_a_wrong_answer_goes_unnoticed(over: Row) -> None:
    good = {
        "id": "V1.1.1",
        "verdict": "pass",
        "answer": f"tests/rules/test_asvs.py::{test_a_requirement_is_missing_or_twice.__name__}; scan:bandit",
        "about": "x",
    }
    assert faults([good], "") == []
    assert faults([good | over], "")
