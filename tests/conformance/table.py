"""The table of how the engine did, per vaccine group, and what it got wrong, with reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.cases import GROUPS, OTHERS, Outcome, TestCase, load_cases, run
from tests.conformance.cdsi import load_rules

EXPECTED: Mapping[str, str] = {}
"""Cases known to disagree with the rules of this release: id and reason. None is left out of a count."""


@dataclass(frozen=True, slots=True)
class Report:
    """Every case that has rules, with its outcome, and the number of cases of groups that have none."""

    outcomes: tuple[Outcome, ...]
    without_rules: Mapping[str, int]

    def of(self, groups: Iterable[str]) -> list[Outcome]:
        """The outcomes of some vaccine groups."""
        wanted = set(groups)
        return [one for one in self.outcomes if one.case.group in wanted]


def report(folder: Path) -> Report:
    """Run every published case of a `cdsi` folder that has rules."""
    rules, cases = load_rules(folder / "rules"), load_cases(folder / "healthy-v4.45.jsonl")
    ours = GROUPS | OTHERS
    left = Counter(case.group for case in cases if case.group not in ours)
    return Report(tuple(run(rules, case) for case in cases if case.group in ours), dict(sorted(left.items())))


def table(found: Report) -> list[str]:
    """One line per vaccine group, as Markdown."""
    head = ("group", "cases", "doses right", "status right", "days right", "fully right", "reasons right")
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for name in (*GROUPS, *OTHERS):
        lines.append(_line(name, found.of([name])))
    return lines


def _line(name: str, outcomes: Sequence[Outcome]) -> str:
    counts = (
        len(outcomes),
        sum(one.doses_right for one in outcomes),
        sum(one.status_right for one in outcomes),
        sum(one.days_right for one in outcomes),
        sum(one.right for one in outcomes),
        sum(one.reasons_right for one in outcomes),
    )
    return "| " + " | ".join((name, *map(str, counts))) + " |"


def mismatches(found: Report) -> list[str]:
    """Each case that is not fully right: what was published, what the engine said, and why."""
    return [line for one in found.outcomes if not one.right for line in _explained(one)]


def _explained(one: Outcome) -> list[str]:
    case: TestCase = one.case
    lines = [f"- {case.group} {case.id} {case.name.strip()}: {EXPECTED.get(case.id, 'not explained')}"]
    if not one.doses_right:
        lines.append(
            f"  - doses: published {case.doses}, engine {one.doses} {list(map(sorted, one.reasons))}"
        )
    if not one.status_right:
        lines.append(f"  - status: published {case.status}, engine {one.status}")
    if not one.days_right:
        steps = ", ".join(f"{b.rule} {b.day}" for b in one.because)
        lines.append(f"  - days: published {_days(case.days)}, engine {_days(one.days)}, because {steps}")
    return lines


def _days(days: Sequence[object]) -> str:
    return " / ".join(str(day) for day in days)


def summary(found: Report) -> str:
    """The figure that counts: the groups of the agreed list, FLU apart."""
    counted = found.of(GROUPS)
    right = sum(one.right for one in counted)
    return f"fully right: {right} of {len(counted)} ({100 * right / len(counted):.1f} %)"


def document(found: Report) -> str:
    """The page for docs/."""
    apart = ", ".join(f"{group} {count}" for group, count in found.without_rules.items())
    wrong = mismatches(found) or ["None."]
    return "\n".join(
        [
            "# The immunization engine on CDC's public cases",
            "",
            "Written by `make conformance`; a test keeps it true. Rules: CDSi supporting data 4.64. Cases:",
            "CDSi healthy childhood and adult test cases 4.45. Both are works of the US government in the",
            "public domain; neither is part of the product. A case is fully right when every dose has the",
            "published status, the series has the published status, and earliest, recommended and past due",
            "day are the published ones. Reasons against doses are counted apart. No code knows a case.",
            "",
            *table(found),
            "",
            f"Cases of groups without rules in this release: {apart}. FLU has rules and is shown, but is not",
            "in the sum, because its seasons pass.",
            "",
            "## Mismatches",
            "",
            *wrong,
            "",
            f"**{summary(found)}**",
            "",
        ]
    )
