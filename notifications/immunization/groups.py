"""One forecast for a vaccine group (CDSi chapter 9): what is given together is advised together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from notifications.immunization.answers import Because, Forecast, GroupResult, SeriesResult, SeriesStatus
from notifications.immunization.rules import VaccineGroup

_BEST_FIRST = (
    SeriesStatus.COMPLETE,
    SeriesStatus.IMMUNE,
    SeriesStatus.NOT_RECOMMENDED,
    SeriesStatus.AGED_OUT,
    SeriesStatus.CONTRAINDICATED,
)


def blend(group: VaccineGroup, best: Sequence[SeriesResult], last_on: date | None) -> GroupResult:
    """Blend the best series of the group's antigens.

    Something is to come if any antigen needs it. Where only full products are given (`group.full`) the
    earliest day suits every antigen that waits; elsewhere it follows the antigens due first. The
    recommended and the past due day are the first of any antigen.
    """
    open_ones = [r.forecast for r in best if r.forecast.status is SeriesStatus.NOT_COMPLETE]
    found = _blended(group, open_ones) if open_ones else _closed(best)
    return GroupResult(group.id, tuple(best), _not_before(found, last_on))


def _not_before(found: Forecast, last_on: date | None) -> Forecast:
    """A forecast never goes back behind a dose on record of the same group, whatever it was worth."""
    if last_on is None or found.earliest is None or found.earliest >= last_on:
        return found
    return replace(
        found,
        earliest=last_on,
        recommended=max(found.recommended or last_on, last_on),
        past_due=max(found.past_due, last_on) if found.past_due else None,
        because=(*found.because, Because("last_dose_of_group", last_on)),
    )


def _closed(best: Sequence[SeriesResult]) -> Forecast:
    """The best that each antigen has reached; among antigens, the least of these."""
    reached: dict[str, Forecast] = {}
    for result in sorted(best, key=_rank, reverse=True):
        reached[result.series.antigen] = result.forecast
    return max(reached.values(), key=lambda f: _BEST_FIRST.index(f.status))


def _rank(result: SeriesResult) -> int:
    return _BEST_FIRST.index(result.forecast.status)


def _blended(group: VaccineGroup, found: Sequence[Forecast]) -> Forecast:
    days = [f.earliest for f in found if f.earliest]
    earliest = max(days) if group.full else min(days)
    recommended = min(f.recommended for f in found if f.recommended)
    past_due = min((f.past_due for f in found if f.past_due), default=None)
    leading = min(found, key=lambda f: (f.recommended or f.earliest, f.target or 0))
    return Forecast(
        SeriesStatus.NOT_COMPLETE,
        leading.target,
        earliest,
        max(earliest, recommended),
        max(earliest, past_due) if past_due else None,
        min((f.latest for f in found if f.latest), default=None),
        tuple(step for f in found for step in f.because),
    )
