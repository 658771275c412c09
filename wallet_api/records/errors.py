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


class ResyncRequired(RecordError):
    """What a reader holds of a book cannot be brought up to date by changes: it is fetched anew (410)."""

    code = "resync_required"


class BookBusy(RecordError):
    """The book changed at every try to read it as of one instant; asking again helps (503)."""

    code = "unavailable"


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


class ParkedClosed(RecordError):
    """What waited was decided already (409)."""

    code = "parked_closed"


class SecondLookNeeded(RecordError):
    """The reviewer who proposed a person is not the one who has it filed (409)."""

    code = "second_look_needed"


class ReleaseDisagrees(RecordError):
    """Another person was proposed before: it is open again, and both looks begin anew (409)."""

    code = "release_disagrees"


class NothingInCommon(RecordError):
    """The person named has neither the number nor the birth date that was sent (409)."""

    code = "nothing_in_common"


class PersonNotMatched(RecordError):
    """Nobody has this number together with this birth date (422)."""

    code = "person_not_matched"


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
