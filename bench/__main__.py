"""`python -m bench [name ...]`: measure, one JSON object a line; exit 1 if a goal was missed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from bench import decide, read_path, seal_open
from bench.figure import Figure

BENCHES: dict[str, Callable[[], Iterator[Figure]]] = {
    "decide": decide.figures,
    "seal_open": seal_open.figures,
    "read_path": read_path.figures,
}


def main(names: list[str]) -> int:
    """Run the named benches, or all."""
    unknown = set(names) - BENCHES.keys()
    if unknown:
        print(f"no such bench: {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    missed = 0
    for name in names or BENCHES:
        for figure in BENCHES[name]():
            print(figure.line(), flush=True)
            missed += figure.ok is False
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
