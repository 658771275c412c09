"""What is refused about corrections and disputes."""

from __future__ import annotations

from typing import ClassVar


class CorrectionError(Exception):
    """Root of what this package refuses. `code` is public and never reworded."""

    code: ClassVar[str] = "correction_error"


class CorrectionNotFound(CorrectionError):
    """There is no such request, or it is somebody else's."""

    code = "correction_not_found"


class StaleCorrection(CorrectionError):
    """The request was changed since it was read."""

    code = "stale_version"


class CorrectionClosed(CorrectionError):
    """The request has been answered already."""

    code = "correction_closed"


class NobodyToCorrect(CorrectionError):
    """No organisation wrote the record, so there is nobody to ask."""

    code = "nobody_to_correct"


class VersionUnknown(CorrectionError):
    """The version that is named is not there, or is no newer one by the same organisation."""

    code = "record_version_unknown"


class TooManyCorrections(CorrectionError):
    """So many requests of one person are open that another cannot be taken."""

    code = "too_many_corrections"


class TooManyFiles(CorrectionError):
    """A request has as many files as it may have."""

    code = "too_many_files"


class DisputeNotFound(CorrectionError):
    """There is no such dispute, or it is somebody else's."""

    code = "dispute_not_found"


class StaleDispute(CorrectionError):
    """The dispute was changed since it was read."""

    code = "stale_version"


class DisputeClosed(CorrectionError):
    """The dispute is over."""

    code = "dispute_closed"
