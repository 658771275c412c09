"""Talking to a person at a terminal: plain sentences, one a line."""

from __future__ import annotations

import sys


class CannotDo(Exception):
    """A command cannot be done; the message is one sentence for the person who gave it."""


def tell(line: str = "") -> None:
    """Print a line at once, also into a pipe."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def warn(line: str) -> None:
    """Print a line on standard error."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
