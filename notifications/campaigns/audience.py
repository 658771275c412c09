"""Who a campaign is for: a few coarse predicates, each a code or a whole year, never a person."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from notifications.campaigns.standing import PersonRow, Wanted
from notifications.errors import BadAudience
from notifications.model import Sex

OLDEST = 150


@dataclass(frozen=True, slots=True)
class Audience:
    """Everybody for whom every predicate that is set holds. Ages are whole years, both ends included.

    `listed`: the people of an uploaded list, and then nothing else: a list with a predicate would ask about
    people whom somebody has chosen.
    """

    province: str | None = None
    commune: str | None = None
    age_from: int = 0
    age_to: int = OLDEST
    sex: Sex | None = None
    series: str | None = None
    status: Wanted | None = None
    listed: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.age_from <= self.age_to <= OLDEST:
            raise BadAudience("the ages are out of order")
        if (self.series is None) != (self.status is None):
            raise BadAudience("a status is that of a series")
        if self.commune is not None and self.province is None:
            raise BadAudience("a commune is named with its province")
        if self.listed and replace(self, listed=False) != Audience():
            raise BadAudience("a list stands alone")

    def holds(self, row: PersonRow, today: date) -> bool:
        """Whether somebody belongs to it on this day. Nobody who has died does."""
        if row.deceased or not self.age_from <= row.age_on(today) <= self.age_to:
            return False
        if self.province not in (None, row.province) or self.commune not in (None, row.commune):
            return False
        if self.sex not in (None, row.sex):
            return False
        if self.series is None or self.status is None:
            return True
        standing = row.series.get(self.series)
        return standing is not None and standing.is_wanted(self.status, today)

    def within(self, other: Audience) -> bool:
        """Whether everybody in it is certainly in the other too, by their predicates alone."""
        narrower = (
            other.province in (None, self.province),
            other.commune in (None, self.commune),
            other.sex in (None, self.sex),
            other.series is None or (other.series, other.status) == (self.series, self.status),
            other.age_from <= self.age_from and self.age_to <= other.age_to,
            self.listed or not other.listed,
        )
        return all(narrower)

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready form, each predicate by its name."""
        return asdict(self)
