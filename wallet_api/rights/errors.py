"""What the desk for rights requests refuses."""

from __future__ import annotations

from typing import ClassVar


class RightsError(Exception):
    """Root of what this package refuses. `code` is public and never reworded."""

    code: ClassVar[str] = "rights_error"


class RightsRequestNotFound(RightsError):
    """There is no such request, or it is somebody else's."""

    code = "rights_request_not_found"


class StaleRightsRequest(RightsError):
    """The request was changed since it was read."""

    code = "stale_version"


class RightsStepRefused(RightsError):
    """The request is not in a state in which this can be done, or its time for this is over."""

    code = "rights_step_refused"


class TooManyRightsRequests(RightsError):
    """So many requests of one person are open that another cannot be taken."""

    code = "too_many_rights_requests"
