"""References of the calling organisation: its own names for citizens, records and requests."""

from __future__ import annotations

from wallet_api.context import caller, services
from wallet_api.errors import Refusal


def organisation_id() -> str:
    """The calling organisation.

    Raises:
        Refusal: the caller is none.
    """
    found = caller().organisation_id
    if found is None:
        raise Refusal("forbidden", 403)
    return found


def seal_for_caller(kind: str, *ids: str) -> str:
    """The calling organisation's own reference for something."""
    return services().references.seal(organisation_id(), kind, *ids)


def open_citizen(text: str) -> str:
    """Whom a citizen reference stands for. One handed out in an emergency names the access as well.

    Raises:
        BadReference: as `open_for_caller`.
    """
    return open_for_caller("citizen", text)[0]


def open_for_caller(kind: str, text: str) -> tuple[str, ...]:
    """What a reference stands for.

    Raises:
        BadReference: not a reference of this organisation, for whatever reason.
    """
    return services().references.open(organisation_id(), kind, text)
