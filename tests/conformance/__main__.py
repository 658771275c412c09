"""`python -m tests.conformance`: print the table, write docs/conformance.md, fail below the floor."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.conformance.cases import GROUPS
from tests.conformance.table import document, mismatches, report, summary, table

FLOOR = 0.97
PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"


def main() -> int:
    """0 if at least the floor of the counted cases is fully right."""
    vectors = os.environ.get("WALLET_VECTORS_DIR")
    if not vectors:
        print("WALLET_VECTORS_DIR must name the folder that holds cdsi/ (CDC's rules and cases).")
        return 2
    found = report(Path(vectors) / "cdsi")
    print("\n".join(table(found)))
    print("groups without rules:", ", ".join(f"{g} {n}" for g, n in found.without_rules.items()))
    print("\n".join(["mismatches:", *(mismatches(found) or ["none"])]))
    PAGE.write_text(document(found), "utf-8")
    counted = found.of(GROUPS)
    print(summary(found))
    return 0 if sum(one.right for one in counted) >= FLOOR * len(counted) else 1


if __name__ == "__main__":
    sys.exit(main())
