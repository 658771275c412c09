"""`python -m bench [name ...]`: measure, one JSON object a line; exit 1 if a goal was missed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench import (
    Options,
    audit,
    book,
    campaigns,
    decide,
    due_today,
    everything,
    forecast,
    intake,
    planning,
    predicate,
    push,
    read_path,
    scale,
    seal_open,
    sustained,
    worker,
)
from bench.figure import Figure

BENCHES: dict[str, Callable[[Options], Iterator[Figure]]] = {
    "decide": decide.figures,
    "forecast": forecast.figures,
    "seal_open": seal_open.figures,
    "predicate": predicate.figures,
    "book": book.figures,
    "intake": intake.figures,
    "campaigns": campaigns.figures,
    "everything": everything.figures,
    "read_path": read_path.figures,
    "audit": audit.figures,
    "worker": worker.figures,
    "sustained": sustained.figures,
    "scale": scale.figures,
    "plan_compute": planning.compute_figures,
    "replan_one": planning.replan_figures,
    "due_today": due_today.figures,
    "push": push.figures,
}


def main(argv: Sequence[str]) -> int:
    """Run the named benches, or all."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], help="which; all when none is named")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long `sustained` goes on (1)")
    parser.add_argument("--small", type=Path, help="data folder of the small database of `scale`")
    parser.add_argument("--large", type=Path, help="data folder of the large database of `scale`")
    parser.add_argument(
        "--citizens", type=int, default=1_000_000, help="people of `plan_compute` and `due_today` (1000000)"
    )
    asked = parser.parse_args(argv)
    options = Options(asked.minutes, asked.small, asked.large, asked.citizens)
    missed = 0
    for name in asked.names or BENCHES:
        for figure in BENCHES[name](options):
            print(figure.line(), flush=True)
            missed += figure.ok is False
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
