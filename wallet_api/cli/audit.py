"""`audit verify`: is the access log as it was written?"""

from __future__ import annotations

import argparse
from pathlib import Path

from wallet_api.audit.checkpoint import Checkpoint, CheckpointSigner
from wallet_api.audit.errors import BadCheckpoint
from wallet_api.audit.verify import VerifyReport, verify_all
from wallet_api.cli.opened import opened_database, settings_here
from wallet_api.cli.screen import CannotDo, tell, warn
from wallet_api.settings import Settings
from wallet_api.stores.audit_log import MongoAuditLog
from wallet_api.wiring import open_keys


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("audit", help="check the access log")
    acts = parser.add_subparsers(title="what to do", required=True, metavar="ACT")
    verify = acts.add_parser(
        "verify",
        help="recompute every chain of the access log",
        description="Recompute every hash chain of the access log. Exit code 1 names the first entry that is "
        "not as it was written. Checkpoints kept outside the database also show what was cut off.",
    )
    verify.add_argument(
        "--checkpoint",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a signed checkpoint; repeatable",
    )
    verify.set_defaults(do=_verify)


def _verify(options: argparse.Namespace) -> int:
    settings = settings_here()
    checkpoints = [_opened(settings, path) for path in options.checkpoint]
    tell("Reading the whole access log.")
    report = checked(settings, checkpoints)
    if report.ok:
        tell(f"The access log is whole: {report.rows} entries in {report.logs} chains, as they were written.")
        return 0
    first = report.faults[0]
    warn(f"Entry {first.seq} of log {first.log_id} is not as it was written ({len(report.faults)} at fault).")
    return 1


def checked(settings: Settings, checkpoints: list[Checkpoint] | None = None) -> VerifyReport:
    """Verify the log of these settings' database."""
    with opened_database(settings) as database:
        return verify_all(MongoAuditLog(database), checkpoints or ())


def _opened(settings: Settings, path: Path) -> Checkpoint:
    try:
        return CheckpointSigner(open_keys(settings)).open(path.read_text(encoding="utf-8"))
    except OSError as why:
        raise CannotDo(f"The checkpoint {path} cannot be read ({why.strerror}).") from why
    except (BadCheckpoint, ValueError) as why:
        raise CannotDo(f"The checkpoint {path} is not one that this wallet's keys signed.") from why
