"""`python -m notifications plan`: the schedule of a child as a table, without web framework or database."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import date

from notifications.model import CitizenFacts, DueItem, GivenDose
from notifications.planner import plan
from notifications.programmes import load_programmes
from notifications.vaccines import load_vaccines


def main(argv: Sequence[str] | None = None) -> int:
    """Print the plan; returns the exit code. Doses are given as `--dose bcg=2024-02-01`."""
    parser = argparse.ArgumentParser(prog="python -m notifications")
    plan_args = parser.add_subparsers(required=True).add_parser("plan", help="what is due for one person")
    plan_args.add_argument("--born", type=date.fromisoformat, required=True)
    plan_args.add_argument("--sex", choices=("female", "male", "other", "unknown"), default="unknown")
    plan_args.add_argument("--province", default=None, help="2-digit code of residence")
    plan_args.add_argument("--today", type=date.fromisoformat, required=True)
    plan_args.add_argument("--dose", type=_dose, action="append", default=[], metavar="VACCINE=DAY")
    plan_args.add_argument("--locale", choices=("vi", "en"), default="vi")
    args = parser.parse_args(argv)
    facts = CitizenFacts("you", args.born, args.sex, args.province)
    programmes = load_programmes()
    titles = {p.id: p for p in programmes}
    rows: list[tuple[str, ...]] = [_HEAD]
    for item in plan(facts, args.dose, programmes, args.today):
        rows.append(_row(item, titles[item.programme_id].title_of(item.series_id, args.locale)))
    sys.stdout.write(
        "\n".join(
            "  ".join(f"{cell:<{w}}" for cell, w in zip(r, _WIDTHS, strict=True)).rstrip() for r in rows
        )
    )
    sys.stdout.write("\n")
    return 0


_HEAD = ("series", "dose", "status", "recommended", "overdue", "rule", "title")
_WIDTHS = (14, 4, 12, 11, 10, 24, 0)


def _row(item: DueItem, title: str) -> tuple[str, ...]:
    dates = (str(item.recommended or "-"), str(item.overdue or "-"))
    return item.series_id, str(item.dose), item.status.value, *dates, item.because.rule, title


def _dose(text: str) -> GivenDose:
    vaccine, _, day = text.partition("=")
    if vaccine not in load_vaccines():
        raise argparse.ArgumentTypeError(f"unknown vaccine {vaccine}; known: {', '.join(load_vaccines())}")
    return GivenDose(vaccine, None, date.fromisoformat(day), f"{vaccine}@{day}")


if __name__ == "__main__":
    sys.exit(main())
