"""`import`: many files of one organisation, each row reported, and on from where it stopped."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from wallet_api.audit.errors import LogUnavailable
from wallet_api.audit.model import Action, ActorKind, AuditEvent
from wallet_api.cli.import_reading import FileRead, Reads, Unreadable, reading
from wallet_api.cli.import_report import Line, Report, taken
from wallet_api.cli.in_order import Steps, in_order
from wallet_api.cli.opened import opened_services, settings_here
from wallet_api.cli.progress import Progress
from wallet_api.cli.screen import CannotDo, tell
from wallet_api.context import Services
from wallet_api.identity.errors import BadIdentifier, OrganisationUnknown
from wallet_api.infra.clock import vn_day
from wallet_api.infra.mongo import DATABASE_ERRORS
from wallet_api.records.errors import BundleRefused, StaleRecord
from wallet_api.records.intake import Found, Sender
from wallet_api.records.model import Intake

_BREAKS: Final[tuple[type[Exception], ...]] = (*DATABASE_ERRORS, LogUnavailable, StaleRecord)
"""After these nothing is wrong with the file: it is taken in when the command is given again."""


@dataclass
class _Counts:
    files: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, done: _Taken) -> None:
        self.files += 1
        self.accepted += done.accepted
        self.refused.update(done.refused)


@dataclass(frozen=True)
class _Known:
    """A file that was read, and whose book each part of it goes into; `stray`: the first whose number has no
    form, behind which nothing is taken."""

    path: Path
    read: FileRead
    found: tuple[Found, ...] = ()
    stray: BadIdentifier | None = None


@dataclass
class _Taken:
    """What became of a file."""

    lines: list[Line] = field(default_factory=list)
    accepted: int = 0
    refused: list[str] = field(default_factory=list)

    def refuse(self, part: object, intake: object, row: object, code: str, pointer: str) -> None:
        self.refused.append(code)
        self.lines.append((part, intake, row, False, code, pointer))


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
    done = taken(report, options.organisation)
    left = [each for each in files if each.name not in done]
    with opened_services(settings_here()) as (services, _database):
        sender = _sender(services, options.organisation)
        with Report(report, sender.organisation_id) as lines:
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


def _take_all(services: Services, sender: Sender, files: Sequence[Path], lines: Report) -> _Counts:
    counts, bar = _Counts(), Progress("taking in", len(files))
    with reading(len(files)) as reads:
        steps = Steps(
            find=partial(_find, services, sender, reads),
            touches=lambda known: {each.book for each in known.found},
            do=partial(_take, services, sender),
            weight=lambda path: path.stat().st_size,
        )
        done = in_order(files, steps)
        for each in files:
            try:
                made = next(done)
            except _BREAKS as why:
                raise CannotDo(
                    f"Broken off at {each.name} ({type(why).__name__}). {counts.files} files are in the "
                    "report: give the same command again, and it goes on from there."
                ) from why
            lines.end(each.name, made.lines)
            counts.add(made)
            bar.add(1)
    bar.end()
    return counts


def _find(services: Services, sender: Sender, reads: Reads, path: Path) -> _Known:
    """Read a file and tell whose it is. Taking in adds no person, so this may run ahead of it."""
    read = reads(path, vn_day(services.now()))
    found: list[Found] = []
    for each in [] if isinstance(read, Unreadable) else read:
        try:
            found.append(services.book.intake.find(sender, each))
        except BadIdentifier as why:
            return _Known(path, read, tuple(found), why)
    return _Known(path, read, tuple(found))


def _take(services: Services, sender: Sender, known: _Known) -> _Taken:
    """File each part of a file in a transaction of its own, in order."""
    made = _Taken()
    if isinstance(known.read, Unreadable):
        made.refuse("", "", "", known.read.code, known.read.pointer)
        return made
    # Of a file with a stray part, what comes before it is taken.
    for part, (said, found) in enumerate(zip(known.read, known.found, strict=False)):
        try:
            intake = services.book.intake.receive(sender, said, found=found)
        except BundleRefused as why:
            made.refuse("", "", "", why.fault, why.pointer)
            return made
        _log(services, intake)
        for row in intake.rows:
            made.lines.append((part, intake.id, row.index, row.accepted, row.code, row.pointer or ""))
            made.accepted += row.kept
            made.refused += [] if row.accepted else [row.code]
    if known.stray is not None:
        made.refuse("", "", "", known.stray.code, f"part {len(known.found)}")
    return made


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
