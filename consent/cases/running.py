"""Having the published cases decided, by our own engine or by another system's, and counting what was right.

Another system is a command: it reads one case a line from its standard input (`id`, `given` and `ask`,
without what is expected) and answers each with a line `{"id", "permit", "records", "grants", "reason"}`.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from consent.cases import reading
from consent.cases.reading import READERS, CaseUnreadable, Json
from consent.decision import Ask, Decision, decide, decide_author, decide_guardian, decide_own

PATIENCE = 60.0
"""Seconds another system may take for all cases together."""
UNREADABLE = "unreadable"
"""The reason for refusing what is not a question."""
_COMPARED = ("permit", "records", "grants", "reason")
_OPTIONAL = frozenset({"grants", "reason"})


class SystemFailed(Exception):
    """The other system could not be started, ended in failure, or took too long."""

    code = "system_failed"


def answer(case: Json) -> dict[str, Any]:
    """What our own engine says of one case. Total: what it cannot read it refuses."""
    try:
        given = reading.part(case, "given")
        decision = _decision(given, reading.part(case, "ask"))
        facts = [reading.record_of(each) for each in reading.rows(given, "records")]
    except CaseUnreadable:
        return {
            "id": case.get("id"),
            "permit": False,
            "reason": UNREADABLE,
            "grants": [],
            "records": [],
        }
    return {
        "id": case.get("id"),
        "permit": decision.permit,
        "reason": decision.reason,
        "grants": list(decision.grant_ids),
        "records": sorted(each.record_id for each in facts if decision.predicate.admits(each)),
    }


def _decision(given: Json, ask: Json) -> Decision:
    reader = ask.get("reader", "provider")
    if reader not in READERS:
        raise CaseUnreadable("reader")
    if reader == "self":
        return decide_own()
    if reader == "guardian":
        return decide_guardian(acts_for=given.get("guardian_today") is True)
    organisation = reading.text(ask, "organisation")
    if reader == "author":
        return decide_author(organisation)
    practitioner = None if ask.get("practitioner") is None else reading.text(ask, "practitioner")
    asked = Ask(
        organisation_id=organisation,
        practitioner_id=practitioner,
        purpose=reading.text(ask, "purpose"),
        at=reading.instant(ask, "at"),
        paid=reading.paid(ask),
        mode=reading.mode(ask),
    )
    standing = reading.standing_of(reading.part(given, "standing"))
    return decide(asked, standing, reading.licence_of(reading.part(given, "licence")))


def faults(expected: Json, answered: Json | None) -> list[str]:
    """How an answer differs from what is expected; nothing when it is right.

    `permit` and `records` must be equal. `grants` and `reason` are compared only where they are told: another
    system may have no such thing, or other words for it.
    """
    if answered is None:
        return ["no answer"]
    found = []
    for name in _COMPARED:
        told, meant = answered.get(name), expected[name]
        if told is None and name in _OPTIONAL:
            continue
        if isinstance(meant, list):
            right = isinstance(told, list) and sorted(map(str, told)) == sorted(meant)
        else:
            right = told is meant or (isinstance(meant, str) and told == meant)
        if not right:
            found.append(f"{name}: {json.dumps(meant)} expected, {json.dumps(told)} answered")
    return found


def list_cases() -> int:
    """Print every case: its id, what it is about, its title."""
    for case in reading.cases():
        sys.stdout.write(f"{case['id']:<44} {' '.join(case['about']):<24} {case['title']}\n")
    return 0


def run_cases(against: str | None, *, verbose: bool = False) -> int:
    """Have all cases decided and print `right: N of M`: 0 when all are, 1 when not, 2 without answers."""
    published = reading.cases()
    try:
        answers = [answer(each) for each in published] if against is None else _asked(against, published)
    except SystemFailed as why:
        sys.stderr.write(f"{why}\n")
        return 2
    by_id: Mapping[object, Json] = {each.get("id"): each for each in answers}
    wrong = 0
    for case in published:
        found = faults(case["expected"], by_id.get(case["id"]))
        wrong += bool(found)
        if found or verbose:
            sys.stdout.write(
                f"{'wrong' if found else 'right'}  {case['id']}  {'; '.join(found)}".rstrip() + "\n"
            )
    sys.stdout.write(f"right: {len(published) - wrong} of {len(published)}\n")
    return 1 if wrong else 0


def _asked(command: str, published: Sequence[Json]) -> list[Json]:
    told = [{name: each[name] for name in ("id", "given", "ask")} for each in published]
    sent = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in told)
    try:
        done = subprocess.run(  # noqa: S603 - the command is what the person at the keyboard has typed
            shlex.split(command), input=sent, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as why:
        raise SystemFailed(f"no answers: {type(why).__name__}") from why
    if done.returncode:
        raise SystemFailed(f"the system ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return [each for line in done.stdout.splitlines() if (each := _line(line)) is not None]


def _line(line: str) -> Json | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def serve_lines() -> int:
    """Answer cases from standard input, a line each, with our own engine: the other side of `--against`."""
    for line in sys.stdin:
        case = _line(line)
        sys.stdout.write(json.dumps(answer(case if case is not None else {}), ensure_ascii=False) + "\n")
    return 0
