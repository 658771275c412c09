"""`import`: many files of one organisation, each row reported, and on from where it stopped."""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from wallet_api.audit.errors import LogUnavailable
from wallet_api.audit.model import Action, ActorKind, AuditEvent
from wallet_api.cli.opened import opened_services, settings_here
from wallet_api.cli.progress import Progress
from wallet_api.cli.screen import CannotDo, tell
from wallet_api.context import Services
from wallet_api.identity.errors import BadIdentifier, OrganisationUnknown
from wallet_api.infra.clock import vn_day
from wallet_api.infra.mongo import DATABASE_ERRORS
from wallet_api.infra.strict_json import MalformedBody, strict_json
from wallet_api.records.bundle import Reading, read_bundle
from wallet_api.records.errors import BundleRefused, StaleRecord
from wallet_api.records.insurance.reading import read_visits
from wallet_api.records.intake import Sender
from wallet_api.records.model import Intake
from wallet_api.records.vaccinations import read_events

_COLUMNS: Final = ("organisation", "file", "part", "intake", "row", "accepted", "code", "pointer")
_LARGEST: Final = 64 * 2**20
_LARGEST_BUNDLE: Final = 10 * 2**20
_MOST_VISITS: Final = 10_000
_BREAKS: Final[tuple[type[Exception], ...]] = (*DATABASE_ERRORS, LogUnavailable, StaleRecord)
"""After these nothing is wrong with the file: it is taken in when the command is given again."""
_ENDED: Final = "done"
"""The code of a file's last line. A file without it was broken off and is read again: nothing doubles."""


@dataclass
class _Counts:
    files: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "import",
        help="take in a folder of files of one organisation",
        description="Take in every .xml file (visit files of the health insurance) and .json file (FHIR "
        "bundles, vaccination events) of a folder, in the order of their names, as if the organisation had "
        "sent them. Each row is reported in a CSV file, which names no person. Broken off and given again, "
        "it goes on after the last whole file; a file taken twice changes nothing.",
    )
    parser.add_argument("folder", type=Path, help="where the files are; folders in it are not looked into")
    parser.add_argument("--organisation", required=True, metavar="ID", help="whose files these are")
    parser.add_argument(
        "--report", type=Path, metavar="CSV", help="where each row is reported (FOLDER/import-report.csv)"
    )
    parser.set_defaults(do=_import)


def _import(options: argparse.Namespace) -> int:
    folder: Path = options.folder
    if not folder.is_dir():
        raise CannotDo(f"{folder} is no folder.")
    files = sorted(
        each for each in folder.iterdir() if each.suffix.lower() in (".xml", ".json") and each.is_file()
    )
    if not files:
        raise CannotDo(f"There is no .xml or .json file in {folder}.")
    report: Path = options.report or folder / "import-report.csv"
    done = _taken(report, options.organisation)
    left = [each for each in files if each.name not in done]
    with opened_services(settings_here()) as (services, _database):
        sender = _sender(services, options.organisation)
        with _Report(report, sender.organisation_id) as lines:
            counts = _take_all(services, sender, left, lines)
    if done:
        tell(f"{len(files) - len(left)} files were taken in before.")
    tell(f"{counts.files} files: {counts.accepted} rows taken in, {counts.refused.total()} refused.")
    for code, count in counts.refused.most_common():
        tell(f"  {code}: {count}")
    tell(f"Each row is in {report}.")
    return 0


def _sender(services: Services, organisation_id: str) -> Sender:
    try:
        known = services.identity.organisations.get(organisation_id)
    except OrganisationUnknown as why:
        raise CannotDo("There is no organisation with that id.") from why
    return Sender(known.id, None, known.licence.write_categories)


def _take_all(services: Services, sender: Sender, files: Sequence[Path], lines: _Report) -> _Counts:
    counts, bar = _Counts(), Progress("taking in", len(files))
    for each in files:
        try:
            _take(services, sender, each, lines, counts)
        except _BREAKS as why:
            raise CannotDo(
                f"Broken off at {each.name} ({type(why).__name__}). {counts.files} files are in the report: "
                "give the same command again, and it goes on from there."
            ) from why
        counts.files += 1
        bar.add(1)
    bar.end()
    return counts


def _take(services: Services, sender: Sender, path: Path, lines: _Report, counts: _Counts) -> None:
    part = 0
    try:
        for part, reading in enumerate(_readings(services, path)):
            made = services.book.intake.receive(sender, reading)
            _log(services, made)
            for row in made.rows:
                lines.add(path.name, part, made.id, row.index, row.accepted, row.code, row.pointer or "")
                counts.accepted += row.kept
                counts.refused.update([] if row.accepted else [row.code])
    except (BundleRefused, MalformedBody) as why:
        _refuse(lines, counts, path, why.fault, getattr(why, "pointer", ""))
    except BadIdentifier as why:
        _refuse(lines, counts, path, why.code, f"part {part}")
    lines.end(path.name)


def _refuse(lines: _Report, counts: _Counts, path: Path, code: str, pointer: str) -> None:
    counts.refused[code] += 1
    lines.add(path.name, "", "", "", False, code, pointer)


def _readings(services: Services, path: Path) -> list[Reading]:
    if path.stat().st_size > _LARGEST:
        raise BundleRefused("", "file_too_large")
    raw = path.read_bytes()
    if path.suffix.lower() == ".xml":
        return read_visits(raw, _MOST_VISITS)
    said = strict_json(raw)
    if isinstance(said, dict) and "events" in said:
        return read_events(said, vn_day(services.now()))
    body = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
    if len(body) > _LARGEST_BUNDLE:
        raise BundleRefused("", "file_too_large")
    return [replace(read_bundle(said), body=body)]


def _log(services: Services, made: Intake) -> None:
    services.log.append(
        AuditEvent(
            at=services.now(),
            request_id=made.id,
            action=Action.RECORD_WRITTEN,
            actor_kind=ActorKind.ORGANISATION,
            actor_id=made.organisation_id,
            decision="permit",
            reason="author",
            citizen_id=made.book_id,
            organisation_id=made.organisation_id,
            record_count=sum(row.kept for row in made.rows),
            detail={"intake": made.id},
        )
    )


def _taken(report: Path, organisation_id: str) -> frozenset[str]:
    """The files that an earlier run has taken in whole from that organisation."""
    if not report.exists():
        return frozenset()
    with report.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
        rows = csv.reader(lines)
        if next(rows, None) != list(_COLUMNS):
            raise CannotDo(f"{report} is no report of an import: name another with --report.")
        whole = (dict(zip(_COLUMNS, row, strict=True)) for row in rows if len(row) == len(_COLUMNS))
        ended = [row for row in whole if row["code"] == _ENDED]
        return frozenset(row["file"] for row in ended if row["organisation"] == organisation_id)


class _Report:
    """A CSV file that grows by whole files: what it says was taken in is durable before the next begins."""

    def __init__(self, path: Path, organisation_id: str) -> None:
        self._path = path
        self._whose = organisation_id
        self._waiting: list[tuple[object, ...]] = []

    def __enter__(self) -> _Report:
        _cut_torn_line(self._path)
        self._file = self._path.open("a", encoding="utf-8", errors="surrogateescape", newline="")
        if self._path.stat().st_size == 0:
            self._write([_COLUMNS])
        return self

    def __exit__(self, *why: object) -> None:
        self._file.close()

    def add(self, *row: object) -> None:
        """One row of the file that is being taken in."""
        self._waiting.append((self._whose, *row))

    def end(self, name: str) -> None:
        """The file is whole."""
        self.add(name, "", "", "", True, _ENDED, "")
        self._write(self._waiting)
        self._waiting = []

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
