"""`import`: many files of one organisation, each row reported, and on from where it stopped."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from wallet_api.audit.errors import LogUnavailable
from wallet_api.audit.model import Action, ActorKind, AuditEvent
from wallet_api.cli.import_lots import apart, in_lots
from wallet_api.cli.import_reading import Reads, reading
from wallet_api.cli.import_report import Line, Report, taken
from wallet_api.cli.in_order import Steps, in_order
from wallet_api.cli.opened import opened_services, settings_here
from wallet_api.cli.progress import Progress
from wallet_api.cli.screen import CannotDo, tell
from wallet_api.context import Services
from wallet_api.identity.errors import BadIdentifier, OrganisationUnknown
from wallet_api.infra.clock import vn_day
from wallet_api.infra.mongo import DATABASE_ERRORS
from wallet_api.records.bundle import Reading
from wallet_api.records.errors import BundleRefused, StaleRecord
from wallet_api.records.files import FileRead, Unreadable
from wallet_api.records.intake import Found, Sender
from wallet_api.records.model import Intake

_BREAKS: Final[tuple[type[Exception], ...]] = (*DATABASE_ERRORS, LogUnavailable, StaleRecord)
"""After these nothing is wrong with the file: it is taken in when the command is given again."""

_REFUSED: Final[tuple[type[Exception], ...]] = (*DATABASE_ERRORS, BundleRefused, StaleRecord)
"""After these of several files together each may still be taken alone, or tells itself why not."""


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

    def tell(self, part: int, intake: Intake) -> None:
        for row in intake.rows:
            self.lines.append((part, intake.id, row.index, row.accepted, row.code, row.pointer or ""))
            self.accepted += row.kept
            self.refused += [] if row.accepted else [row.code]

    def refuse(self, part: object, intake: object, row: object, code: str, pointer: str) -> None:
        self.refused.append(code)
        self.lines.append((part, intake, row, False, code, pointer))


class _HalfDone(Exception):
    """Some files were taken in before something broke."""

    def __init__(self, made: list[_Taken], why: BaseException) -> None:
        super().__init__(type(why).__name__)
        self.made = made
        self.why = why


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
    settings = settings_here()
    with reading(len(left)) as reads, opened_services(settings) as (services, _database):
        sender = _sender(services, options.organisation)
        with Report(report, sender.organisation_id) as lines:
            counts = _take_all(services, sender, left, reads, lines)
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


def _take_all(
    services: Services, sender: Sender, files: Sequence[Path], reads: Reads, lines: Report
) -> _Counts:
    counts, bar = _Counts(), Progress("taking in", len(files))
    steps = Steps(
        find=partial(_find, services, sender, reads),
        touches=lambda some: {each.book for known in some for each in known.found},
        do=partial(_take_some, services, sender),
        weight=lambda some: sum(path.stat().st_size for path in some),
    )
    some = list(in_lots(files))
    done = in_order(some, steps)
    for lot in some:
        broken: BaseException | None = None
        try:
            made = next(done)
        except _HalfDone as half:
            made, broken = half.made, half.why
        except _BREAKS as why:
            made, broken = [], why
        lines.end([(path.name, each.lines) for path, each in zip(lot, made, strict=False)])
        for each in made:
            counts.add(each)
        bar.add(len(made))
        if broken is not None:
            raise _said(lot[len(made)], counts.files, broken) from broken
    bar.end()
    return counts


def _said(path: Path, files: int, why: BaseException) -> BaseException:
    if not isinstance(why, _BREAKS):
        return why
    return CannotDo(
        f"Broken off at {path.name} ({type(why).__name__}). {files} files are in the "
        "report: give the same command again, and it goes on from there."
    )


def _find(services: Services, sender: Sender, reads: Reads, paths: Sequence[Path]) -> list[_Known]:
    """Read files and tell whose each is. Taking in adds no person, so this may run ahead of it."""
    read = reads(paths, vn_day(services.now()))
    said = [part for each in read if not isinstance(each, Unreadable) for part in each]
    find = partial(services.book.intake_of_many.finder(said), sender)
    return [_known(path, each, find) for path, each in zip(paths, read, strict=True)]


def _known(path: Path, read: FileRead, find: Callable[[Reading], Found]) -> _Known:
    found: list[Found] = []
    for each in [] if isinstance(read, Unreadable) else read:
        try:
            found.append(find(each))
        except BadIdentifier as why:
            return _Known(path, read, tuple(found), why)
    return _Known(path, read, tuple(found))


def _take_some(services: Services, sender: Sender, some: Sequence[_Known]) -> list[_Taken]:
    """File what some files hold, in their order. Raises _HalfDone."""
    made: list[_Taken] = []
    try:
        for group in apart(some, _books, _size):
            together = _take_together(services, sender, group)
            if together is not None:
                made += together
                continue
            for each in group:
                made.append(_take(services, sender, each))
    except BaseException as why:  # whatever it is, what was done is reported
        raise _HalfDone(made, why) from why
    return made


def _books(known: _Known) -> tuple[str, ...]:
    return tuple(each.book for each in known.found)


def _size(known: _Known) -> int:
    return 0 if isinstance(known.read, Unreadable) else sum(len(each.entries) for each in known.read)


def _take_together(services: Services, sender: Sender, group: Sequence[_Known]) -> list[_Taken] | None:
    """File all parts of files about different people in one transaction; None where there is one part, or
    one book of several parts, or it is refused and nothing was filed: then each is taken alone, so that none
    suffers for another."""
    sent = [
        (said, found)
        for known in group
        if not isinstance(known.read, Unreadable)
        for said, found in zip(known.read, known.found, strict=False)
    ]
    if len({found.book for _, found in sent}) < max(len(sent), 2):
        return None
    try:
        intakes = services.book.intake_of_many.receive(sender, sent)
    except _REFUSED:
        return None
    _log(services, intakes)
    left = iter(intakes)
    return [_told(known, [next(left) for _ in known.found]) for known in group]


def _told(known: _Known, intakes: Sequence[Intake]) -> _Taken:
    made = _Taken()
    if isinstance(known.read, Unreadable):
        made.refuse("", "", "", known.read.code, known.read.pointer)
    for part, intake in enumerate(intakes):
        made.tell(part, intake)
    if known.stray is not None:
        made.refuse("", "", "", known.stray.code, f"part {len(known.found)}")
    return made


def _take(services: Services, sender: Sender, known: _Known) -> _Taken:
    """File each part of a file in a transaction of its own, in order."""
    if isinstance(known.read, Unreadable):
        return _told(known, ())
    made = _Taken()
    # Of a file with a stray part, what comes before it is taken.
    for part, (said, found) in enumerate(zip(known.read, known.found, strict=False)):
        try:
            intake = services.book.intake.receive(sender, said, found=found)
        except BundleRefused as why:
            made.refuse("", "", "", why.fault, why.pointer)
            return made
        _log(services, [intake])
        made.tell(part, intake)
    if known.stray is not None:
        made.refuse("", "", "", known.stray.code, f"part {len(known.found)}")
    return made


def _log(services: Services, made: Sequence[Intake]) -> None:
    services.log.append_all([_event(each, services.now()) for each in made])


def _event(made: Intake, at: datetime) -> AuditEvent:
    return AuditEvent(
        at=at,
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
