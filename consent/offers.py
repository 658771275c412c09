"""How long a citizen is offered to say yes for: a few choices, the shortest first, never more than asked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

CHOICES: Final = (timedelta(days=1), timedelta(days=7), timedelta(days=30))
"""Our choice: a visit, a week, a month; then what was asked. Nobody should have to think to give less."""


def expiry_offers(asked: datetime, now: datetime) -> tuple[datetime, ...]:
    """The instants an approval may end on, earliest first. The first is what an app preselects."""
    return (*(now + each for each in CHOICES if now + each < asked), asked)
