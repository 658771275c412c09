"""What the register of breaches refuses."""

from __future__ import annotations

from typing import ClassVar


class BreachError(Exception):
    """Root of what this package refuses. `code` is public and never reworded."""

    code: ClassVar[str] = "breach_error"


class BreachNotFound(BreachError):
    """There is no such entry."""

    code = "breach_not_found"


class StaleBreach(BreachError):
    """The entry was changed since it was read."""

    code = "stale_version"


class BreachStepRefused(BreachError):
    """The entry is not in a state in which this can be done."""

    code = "breach_step_refused"


class CountTooLong(BreachError):
    """Counting who is affected takes longer than a request may."""

    code = "count_too_long"
