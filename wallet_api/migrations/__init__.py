"""The migrations of the database, one file each: `NNNN_what.py`, without gaps, never edited once applied.

A file says WHAT it does and has `expand(db)`, `backfill(db, after)`, `contract(db)` and `size(db)`. It
stands alone: it imports no store, because stores go on changing and an applied migration does not.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Final

from wallet_api.infra.migrations import Migration, MigrationError, Stage

_FILE: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.py")

NEEDS: Final[Mapping[int, Stage]] = dict.fromkeys((1, 2, 3, 4), Stage.EXPANDED)
"""How far each migration must have come before this release starts. Raise one to BACKFILLED in the release
that stops reading the old shape, and to CONTRACTED in none that must serve beside older code."""


def load_migrations(folder: Path = Path(__file__).parent) -> tuple[Migration, ...]:
    """Read the migrations of this folder, in order. Raises MigrationError for a gap or a half-written one."""
    found = sorted(path for path in folder.glob("[0-9]*.py"))
    for number, path in enumerate(found, 1):
        match = _FILE.fullmatch(path.name)
        if match is None or int(match[1]) != number:
            raise MigrationError(f"{path.name} is not migration {number:04d}: numbers have no gaps.")
    return tuple(_loaded(number, path) for number, path in enumerate(found, 1))


def _loaded(number: int, path: Path) -> Migration:
    module = import_module(f"{__name__}.{path.stem}")
    try:
        return Migration(
            number=number,
            what=module.WHAT,
            checksum=hashlib.sha256(path.read_bytes()).hexdigest(),
            expand=module.expand,
            backfill=module.backfill,
            contract=module.contract,
            size=module.size,
        )
    except AttributeError as why:
        raise MigrationError(f"{path.name} lacks a step: {why.name}.") from why


MIGRATIONS: Final = load_migrations()
