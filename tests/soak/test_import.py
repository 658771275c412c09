"""Ten thousand visit files in a folder: every row reported, by the command as whoever runs it gives it."""

from __future__ import annotations

import csv
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli import test_importing as importing
from tests.visit_files import RESULT, file_of, head, packed, table, visit
from tests.world import Doctor, World

pytestmark = pytest.mark.soak
here, doctor = importing.here, importing.doctor
PEOPLE = 200
EVERY = 50
"""One file in so many cannot be read."""


def test_ten_thousand_files_are_reported_row_by_row(
    here: World, doctor: Doctor, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    files = int(os.environ.get("WALLET_IMPORT_FILES", "10000"))
    people = [here.person() for _ in range(min(PEOPLE, files))]
    for number in range(files):
        key = f"99001-{number:06d}"
        rows = head(people[number % len(people)], MA_LK=key), dict(RESULT, MA_LK=key)
        tables = {name: packed(table(name, row)) for name, row in zip(("XML1", "XML4"), rows, strict=True)}
        raw = file_of(visit(tables)) if number % EVERY else b"<GIAMDINHHS>"
        (tmp_path / f"{number:06d}.xml").write_bytes(raw)
    began = time.monotonic()
    assert importing.taken(tmp_path, doctor) == 0
    seconds = time.monotonic() - began
    with (tmp_path / "import-report.csv").open(encoding="utf-8", newline="") as lines:
        told = list(csv.DictReader(lines))
    codes, good = Counter(each["code"] for each in told), files - -(-files // EVERY)
    each_visit = len([row for row in told if row["file"] == "000001.xml" and row["code"] == "accepted"])
    assert codes == {"accepted": good * each_visit, "xml_malformed": files - good, "done": files}
    kept = here.db["records"].count_documents({"organisation_id": doctor.organisation_id})
    assert kept == good * each_visit
    record_property("files", files)
    record_property("resources a second", good * each_visit / seconds)
