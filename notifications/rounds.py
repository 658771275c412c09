"""How a periodic programme comes round, as its cited file says it, and the strict reader of that part."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from notifications.days import Span
from notifications.errors import BadProgramme
from notifications.strict import Doc, names, one_of, rows, span, text, texts, whole

Confidence = Literal["found", "partly", "unverified"]
Anchor = Literal["calendar_year", "birthday_bands", "condition_start", "last_exam", "set_date"]
Dates = Literal["appointment", "refill"]
CONFIDENCES: tuple[Confidence, ...] = ("found", "partly", "unverified")
_ANCHORS: tuple[Anchor, ...] = (
    "calendar_year",
    "birthday_bands",
    "condition_start",
    "last_exam",
    "set_date",
)
_MONTH_DAY = re.compile(r"(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])")
MOST_BANDS = 99


@dataclass(frozen=True, slots=True)
class Band:
    """A window [opens, closes) after a birth or the start of a condition, in which to be examined.

    `count`: the examination of the window that settles it, when the window asks for several.
    """

    number: int
    opens: Span
    closes: Span
    confidence: Confidence
    source: tuple[str, ...]
    recommended: Span | None = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class Rounds:
    """When a periodic programme is due anew.

    calendar_year: once in each; on `month_day` where the source names one, else on the birthday or a year
    after the last examination. birthday_bands, condition_start: in each of `bands`. last_exam: `interval`
    after it. set_date: on each day that a provider set, of the kind `of`, at least `least_days` ahead; a
    visit to that provider from `early_days` before it settles it, and `lasts` after it nobody asks any more.

    `year_of` names the yearly programme whose one examination a year serves this one as well: that one
    reminds, this one only tells of it.
    """

    anchor: Anchor
    confidence: Confidence
    accepts_exams: frozenset[str]
    year_of: str | None = None
    month_day: tuple[int, int] | None = None
    bands: tuple[Band, ...] = ()
    interval: Span | None = None
    of: Dates | None = None
    early_days: int = 0
    least_days: int = 0
    lasts: Span | None = None


def read_rounds(doc: Doc, conditions: frozenset[str] | None) -> Rounds:
    """Read what a periodic file says of its rounds. `conditions`: those that its gate names."""
    accepts = doc.take("accepts_exams", names)
    confidence = doc.take("confidence", one_of(*CONFIDENCES))
    return doc.take("anchor", lambda value: _rounds(Doc(doc.owner, value), confidence, accepts, conditions))


def _rounds(
    doc: Doc, confidence: Confidence, accepts: frozenset[str], conditions: frozenset[str] | None
) -> Rounds:
    anchor: Anchor = doc.take("kind", one_of(*_ANCHORS))
    if anchor == "condition_start" and len(conditions or ()) != 1:
        raise BadProgramme(doc.owner, "condition_start needs one condition in eligible")
    if anchor == "calendar_year":
        found = Rounds(anchor, confidence, accepts, doc.maybe("year_of", text), doc.maybe("day", _month_day))
    elif anchor == "last_exam":
        found = Rounds(anchor, confidence, accepts, interval=doc.take("interval", span))
    elif anchor == "set_date":
        found = Rounds(
            anchor,
            confidence,
            accepts,
            of=doc.take("of", one_of("appointment", "refill")),
            early_days=doc.take("early_days", whole),
            least_days=doc.take("least_days", whole),
            lasts=doc.take("lasts", span),
        )
    else:
        bands = doc.take("bands", lambda value: rows(value, lambda row: _band(doc.owner, row)))
        year_of = doc.maybe("year_of", text) if anchor == "birthday_bands" else None
        found = Rounds(anchor, confidence, accepts, year_of, bands=bands)
    doc.done()
    _check(doc.owner, found)
    return found


def _band(owner: str, row: object) -> Band:
    doc = Doc(owner, row)
    found = Band(
        number=doc.take("number", whole),
        opens=doc.take("from", span),
        closes=doc.take("to", span),
        confidence=doc.take("confidence", one_of(*CONFIDENCES)),
        source=doc.take("source", texts),
        recommended=doc.maybe("recommended", span),
        count=doc.maybe("count", whole) or 1,
    )
    doc.done()
    return found


def _month_day(value: object) -> tuple[int, int]:
    found = _MONTH_DAY.fullmatch(text(value))
    if found is None:
        raise ValueError("a day MM-DD that every year has was expected")
    return int(found[1]), int(found[2])


def _check(owner: str, rounds: Rounds) -> None:
    numbers = [band.number for band in rounds.bands]
    opens = [_length(band.opens) for band in rounds.bands]
    if (
        numbers != sorted(set(numbers))
        or opens != sorted(opens)
        or any(not 1 <= each <= MOST_BANDS for each in numbers)
    ):
        raise BadProgramme(owner, "bands are not numbered 1 to 99 in order")
    for band in rounds.bands:
        wish = band.recommended or band.opens
        if not _length(band.opens) <= _length(wish) < _length(band.closes) or band.count < 1:
            raise BadProgramme(owner, f"band {band.number} is no window")
    if rounds.interval is not None and _length(rounds.interval) < 1:
        raise BadProgramme(owner, "interval is no time")
    if rounds.early_days < 0 or rounds.least_days < 0:
        raise BadProgramme(owner, "days are counted from 0")


def _length(each: Span) -> float:
    """About how many days: enough to tell which of two spans is the longer."""
    return each.years * 365.25 + each.months * 30.44 + each.days
