"""The report of an `import`: a CSV file with a line for each row, which names no person."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from wallet_api.cli.screen import CannotDo

COLUMNS: Final = ("organisation", "file", "part", "intake", "row", "accepted", "code", "pointer")
ENDED: Final = "done"
"""The code of a file's last line. A file without it was broken off and is read again: nothing doubles."""
Line = tuple[object, ...]


def taken(report: Path, organisation_id: str) -> frozenset[str]:
    """The files that an earlier run has taken in whole from that organisation.

    Raises:
        CannotDo: the file is another one's.
    """
    if not report.exists():
        return frozenset()
    with report.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
        rows = csv.reader(lines)
        if next(rows, None) != list(COLUMNS):
            raise CannotDo(f"{report} is no report of an import: name another with --report.")
        whole = (dict(zip(COLUMNS, row, strict=True)) for row in rows if len(row) == len(COLUMNS))
        ended = [row for row in whole if row["code"] == ENDED]
        return frozenset(row["file"] for row in ended if row["organisation"] == organisation_id)


class Report:
    """A CSV file that grows by whole files: what it says was taken in is durable when `end` returns."""

    def __init__(self, path: Path, organisation_id: str) -> None:
        self._path = path
        self._whose = organisation_id

    def __enter__(self) -> Report:
        _cut_torn_line(self._path)
        self._file = self._path.open("a", encoding="utf-8", errors="surrogateescape", newline="")
        if self._path.stat().st_size == 0:
            self._write([COLUMNS])
        return self

    def __exit__(self, *why: object) -> None:
        self._file.close()

    def end(self, files: Iterable[tuple[str, Sequence[Line]]]) -> None:
        """Files are whole: the name and the lines of each, a line as in `COLUMNS` after the file."""
        last = ("", "", "", True, ENDED, "")
        self._write([(self._whose, name, *each) for name, lines in files for each in (*lines, last)])

    def _write(self, rows: Sequence[Sequence[object]]) -> None:
        text = io.StringIO()
        csv.writer(text).writerows(_plain(row) for row in rows)
        self._file.write(text.getvalue())
        self._file.flush()
        os.fsync(self._file.fileno())


def _cut_torn_line(path: Path) -> None:
    """What a process that died in the middle of a write left behind has no line break at its end."""
    if path.exists():
        whole = path.read_bytes().rfind(b"\n") + 1
        os.truncate(path, whole)


def _plain(row: Sequence[object]) -> Iterator[str]:
    return (("yes" if each else "no") if isinstance(each, bool) else str(each) for each in row)
