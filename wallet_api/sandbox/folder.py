"""What the sandbox keeps between starts: keys, the seed day, the relying parties' public keys."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from datetime import date
from pathlib import Path

from wallet_api.infra.clock import Now, vn_day
from wallet_api.settings import Settings


def sandbox_folder(settings: Settings) -> Path:
    """The folder everything here lives in: `<data_dir>/sandbox`, made readable to its owner only."""
    folder = settings.data_dir / "sandbox"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def keep_once(path: Path, make: Callable[[], bytes]) -> bytes:
    """The file's content; the first caller makes it, and every process that races gets the same."""
    if not path.exists():
        fresh = _write_beside(path, make())
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_bytes()


def replace_file(path: Path, content: bytes) -> None:
    """Put new content in place at once: a reader sees the old or the new, never half of it."""
    _write_beside(path, content).replace(path)


def seed_day(settings: Settings, now: Now) -> date:
    """The Vietnamese day the demo began, fixed by whoever asks first and kept.

    Ages of demo people are counted back from it, so the seeder and the sign-in page agree on birth dates.
    """
    path = sandbox_folder(settings) / "seed-day"
    return date.fromisoformat(
        keep_once(path, lambda: vn_day(now()).isoformat().encode("ascii")).decode("ascii")
    )


def _write_beside(path: Path, content: bytes) -> Path:
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(content)
    return fresh
