"""What exports refuse. `code` is public API and never reworded."""

from __future__ import annotations

from typing import ClassVar


class ExportError(Exception):
    """Root of what this package refuses. Texts never hold personal data."""

    code: ClassVar[str] = "export_error"


class ExportNotFound(ExportError):
    """There is no such file, it is somebody else's, or its time is over: all the same."""

    code = "export_not_found"


class ExportNotReady(ExportError):
    """The file is not made yet, or could not be made."""

    code = "export_not_ready"


class TooManyExports(ExportError):
    """So many files of one book lie ready for one person that another cannot be made."""

    code = "too_many_exports"


class ExportRestricted(ExportError):
    """Processing is restricted as was asked for, so that no file is made or handed over."""

    code = "export_restricted"


class StaleExport(ExportError):
    """The export changed, or was taken away, since it was read."""

    code = "stale_version"


class ExportEnded(ExportError):
    """While it was made the file ceased to be one this person may have; `reason` is a code."""

    code = "export_ended"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
