"""The published decision cases: complete, decided right by our engine, and answerable by another system."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import pytest

from consent import decision
from consent.cases.reading import cases
from consent.cases.running import answer, faults, run_cases
from consent.codes import CATEGORIES, LABELS, PURPOSES

PUBLISHED = cases()
DIMENSIONS = {
    "organisation",
    "practitioner",
    "purpose",
    "category",
    "record_ids",
    "record_period",
    "label",
    "validity",
    "suspended",
    "frequency",
    "mode",
    "licence",
    "hidden",
    "blocked",
}
ATTACKS = {"C05", "C07", "C08", "C14", "C15", "C16", "C17"}
MEMBERS = {"id", "title", "about", "given", "ask", "expected"}


@pytest.mark.parametrize("case", PUBLISHED, ids=lambda case: case["id"])
def test_our_own_engine_decides_every_case_as_published(case: dict[str, Any]) -> None:
    assert faults(case["expected"], answer(case)) == []


def test_the_cases_cover_every_reason_every_dimension_and_the_named_attacks() -> None:
    told = {case["expected"]["reason"] for case in PUBLISHED}
    # Share links and heirs ask by no request that a case could tell: tests/shares and tests/life have theirs.
    assert told == {*typing.get_args(decision.Reason), "unreadable"} - {"shared", "heir"}
    about = {one for case in PUBLISHED for one in case["about"]}
    assert about >= DIMENSIONS | ATTACKS
    assert len(PUBLISHED) >= 60


def test_every_case_has_one_shape_and_a_name_of_its_own() -> None:
    assert len({case["id"] for case in PUBLISHED}) == len(PUBLISHED)
    for case in PUBLISHED:
        assert set(case) == MEMBERS, case["id"]
        expected = case["expected"]
        assert set(expected) == {"permit", "reason", "grants", "records"}, case["id"]
        # A refusal shows nothing, and what is shown is in the book.
        assert expected["permit"] or not expected["records"], case["id"]
        assert set(expected["records"]) <= {each["id"] for each in case["given"]["records"]}, case["id"]


def test_the_cases_use_codes_of_the_published_lists() -> None:
    """But for those that are there to be unknown, and say so."""
    for case in PUBLISHED:
        if not {"C08", "C15", "C17"} & set(case["about"]):
            for grant in case["given"]["standing"]["grants"]:
                assert grant["purpose"] in PURPOSES, case["id"]
                assert set(grant["categories"]) <= set(CATEGORIES.codes), case["id"]
                assert set(grant["labels"]) <= set(LABELS.codes), case["id"]


def test_no_order_of_grants_or_records_changes_an_answer() -> None:
    for case in PUBLISHED:
        given = case["given"]
        grants = given["standing"]["grants"]
        for order in itertools.permutations(grants):
            turned = given | {
                "standing": given["standing"] | {"grants": list(order)},
                "records": list(reversed(given["records"])),
            }
            assert faults(case["expected"], answer(case | {"given": turned})) == [], case["id"]


def test_the_command_names_what_was_wrong(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    everything = tmp_path / "everything.py"
    everything.write_text(
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    case = json.loads(line)\n"
        "    assert 'expected' not in case\n"
        "    seen = [each['id'] for each in case['given']['records']]\n"
        "    print(json.dumps({'id': case['id'], 'permit': True, 'records': seen}))\n"
    )
    assert run_cases(f"{sys.executable} {everything}") == 1
    told = capsys.readouterr().out
    allowed = sum(
        case["expected"]["permit"]
        and len(case["expected"]["records"]) == len({each["id"] for each in case["given"]["records"]})
        for case in PUBLISHED
    )
    assert told.splitlines()[-1] == f"right: {allowed} of {len(PUBLISHED)}"
    assert "wrong  purposes/missing" in told


def test_a_system_that_fails_or_says_nothing_is_not_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cases(f'{sys.executable} -c "raise SystemExit(3)"') == 2
    assert run_cases("/no/such/command") == 2
    assert run_cases("'") == 2
    capsys.readouterr()
    assert run_cases(f'{sys.executable} -c "print(1)"') == 1
    assert capsys.readouterr().out.splitlines()[-1] == f"right: 0 of {len(PUBLISHED)}"


def test_our_engine_answers_through_the_same_door_as_another() -> None:
    against = f"{sys.executable} -m consent cases answer"
    command = [sys.executable, "-m", "consent", "cases", "run", "--against", against]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"right: {len(PUBLISHED)} of {len(PUBLISHED)}\n")


@pytest.mark.parametrize("line", ["{}", "[]", "null", "{", '{"id": 1, "given": 2, "ask": []}', "[" * 9999])
def test_what_is_no_case_is_refused(line: str) -> None:
    command = [sys.executable, "-m", "consent", "cases", "answer"]
    done = subprocess.run(command, input=line + "\n", capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert (told["permit"], told["reason"], told["records"]) == (False, "unreadable", [])
