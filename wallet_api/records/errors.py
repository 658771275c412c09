"""What the health book refuses. `code` is public API and never reworded."""

from __future__ import annotations

from typing import ClassVar


class RecordError(Exception):
    """Root of what this package refuses. Texts never hold personal data."""

    code: ClassVar[str]


class RecordNotFound(RecordError):
    """Nothing is there for this reader: absent, somebody else's and hidden are the same (404)."""

    code = "not_found"


class StaleRecord(RecordError):
    """The record changed since the caller read it (412)."""

    code = "stale_version"


class SessionRefused(RecordError):
    """The access session named is not one of this organisation's, or is over (403)."""

    code = "access_session_invalid"


class BundleRefused(RecordError):
    """The bundle as a whole cannot be taken in; `pointer` says where, `fault` why (422)."""

    code = "bundle_refused"

    def __init__(self, pointer: str, fault: str) -> None:
        super().__init__(f"{pointer}: {fault}")
        self.pointer = pointer
        self.fault = fault


class IntakeNotFound(RecordError):
    """No such intake of this organisation (404)."""

    code = "not_found"


class EntryRefused(RecordError):
    """What somebody entered about themselves cannot be kept; `pointer` says where, `fault` why (422)."""

    code = "entry_refused"

    def __init__(self, pointer: str, fault: str) -> None:
        super().__init__(f"{pointer}: {fault}")
        self.pointer = pointer
        self.fault = fault


class CardRefused(RecordError):
    """What is wanted on a health card cannot stand there; `pointer` says where, `fault` why (422)."""

    code = "card_refused"

    def __init__(self, pointer: str, fault: str) -> None:
        super().__init__(f"{pointer}: {fault}")
        self.pointer = pointer
        self.fault = fault


class NoDoses(RecordError):
    """Nothing this reader may show stands on a health card (409)."""

    code = "no_doses"


class BookChanged(RecordError):
    """What was read is no more what may be shown; it may be asked for again (503)."""

    code = "unavailable"


class NotSelfReported(RecordError):
    """Only what somebody entered themselves can be changed by them (409)."""

    code = "not_self_reported"
