"""`audit verify`: is the access log as it was written?"""

from __future__ import annotations

import argparse
from pathlib import Path

from wallet_api.audit.checkpoint import Checkpoint, CheckpointSigner
from wallet_api.audit.errors import BadCheckpoint
from wallet_api.audit.export import CheckpointFolder, kept_in
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
        "not as it was written. The signed checkpoints in WALLET_CHECKPOINT_DIRS also show what was cut off "
        "or rewritten; what was kept elsewhere can be added.",
    )
    verify.add_argument(
        "--checkpoint",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="a file or a folder of signed checkpoints; repeatable",
    )
    verify.set_defaults(do=_verify)


def _verify(options: argparse.Namespace) -> int:
    settings = settings_here()
    exported = [text for each in settings.checkpoint_dirs for text in CheckpointFolder(each).all()]
    texts = exported + [text for path in options.checkpoint for text in _read(path)]
    checkpoints = _opened(settings, texts)
    tell("Reading the whole access log.")
    report = checked(settings, checkpoints)
    if report.ok:
        tell(
            f"The access log is whole: {report.rows} entries in {report.logs} chains, as they were written. "
            f"{len(checkpoints)} signed checkpoints hold."
        )
        return 0
    first = report.faults[0]
    warn(f"Entry {first.seq} of log {first.log_id} is not as it was written ({len(report.faults)} at fault).")
    return 1


def checked(settings: Settings, checkpoints: list[Checkpoint] | None = None) -> VerifyReport:
    """Verify the log of these settings' database."""
    with opened_database(settings) as database:
        return verify_all(MongoAuditLog(database), checkpoints or ())


def _read(path: Path) -> list[str]:
    try:
        found = kept_in([path])
    except (OSError, ValueError) as why:
        reason = why.strerror if isinstance(why, OSError) else "it is no text"
        raise CannotDo(f"The checkpoint {path} cannot be read ({reason}).") from why
    if not found:
        raise CannotDo(f"{path} holds no checkpoint that this wallet's keys signed.")
    return found


def _opened(settings: Settings, texts: list[str]) -> list[Checkpoint]:
    """Check every signature: a checkpoint that somebody else wrote vouches for nothing."""
    signer = CheckpointSigner(open_keys(settings))
    try:
        return [signer.open(text) for text in texts]
    except BadCheckpoint as why:
        raise CannotDo("A checkpoint is not one that this wallet's keys signed.") from why
