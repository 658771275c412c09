"""What share links refuse."""

from __future__ import annotations

from typing import ClassVar


class ShareError(Exception):
    """Root of what this package refuses. `code` is public and never reworded."""

    code: ClassVar[str] = "share_error"


class ShareNotFound(ShareError):
    """There is no such share, it is somebody else's, or its link serves nobody any more: all the same."""

    code = "share_not_found"


class StaleShare(ShareError):
    """The share changed since it was read."""

    code = "stale_version"


class ShareBusy(ShareError):
    """So many come through one link at once that this one could not be counted; it may ask again."""

    code = "unavailable"


class PasscodeRefused(ShareError):
    """No passcode, or a wrong one. `remaining` wrong ones may still follow before the link is locked."""

    code = "passcode_refused"

    def __init__(self, share_id: str, remaining: int) -> None:
        super().__init__(share_id)
        self.remaining = remaining


class ShareOutOfBounds(ShareError):
    """What is wanted lies outside of what a share may be; `field` says which part."""

    code = "invalid_fields"

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class TooManyShares(ShareError):
    """So many links to one book are open that another cannot be made."""

    code = "too_many_shares"


class SharingRestricted(ShareError):
    """The data is restricted as was asked for, so that no link would show anything."""

    code = "sharing_restricted"
