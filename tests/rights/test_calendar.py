"""Working days: the file, the arithmetic, and the lunar days computed by another road."""

from __future__ import annotations

import json
from datetime import date, timedelta
from importlib.resources import files
from math import floor, sin
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wallet_api.rights.calendar import (
    VIETNAM,
    WorkingDays,
    add_days,
    add_working_days,
    is_working_day,
    load_working_days,
)

RAW = files("wallet_api.rights").joinpath("working_days.json").read_text(encoding="utf-8")
DAYS = st.dates(date(2025, 6, 1), date(2028, 6, 1))
WEEKENDS_ALONE = WorkingDays(frozenset(), frozenset(), frozenset(), frozenset())


# --- an independent lunar calendar: Ho Ngoc Duc's reckoning after Meeus, for UTC+7 ---------------------

RADIANS = 3.141592653589793 / 180


def new_moon_day(number: int) -> int:
    """The Julian day number, in Viet Nam, of the `number`-th new moon after 1900-01-01."""
    t = number / 1236.85
    jd = 2415020.75933 + 29.53058868 * number + 0.0001178 * t * t - 0.000000155 * t**3
    jd += 0.00033 * sin((166.56 + 132.87 * t - 0.009173 * t * t) * RADIANS)
    m = 359.2242 + 29.10535608 * number - 0.0000333 * t * t - 0.00000347 * t**3
    mpr = 306.0253 + 385.81691806 * number + 0.0107306 * t * t + 0.00001236 * t**3
    f = 21.2964 + 390.67050646 * number - 0.0016528 * t * t - 0.00000239 * t**3
    c = (0.1734 - 0.000393 * t) * sin(m * RADIANS) + 0.0021 * sin(2 * m * RADIANS)
    c += -0.4068 * sin(mpr * RADIANS) + 0.0161 * sin(2 * mpr * RADIANS) - 0.0004 * sin(3 * mpr * RADIANS)
    c += 0.0104 * sin(2 * f * RADIANS) - 0.0051 * sin((m + mpr) * RADIANS)
    c += -0.0074 * sin((m - mpr) * RADIANS) + 0.0004 * sin((2 * f + m) * RADIANS)
    c += -0.0004 * sin((2 * f - m) * RADIANS) - 0.0006 * sin((2 * f + mpr) * RADIANS)
    c += 0.0010 * sin((2 * f - mpr) * RADIANS) + 0.0005 * sin((2 * mpr + m) * RADIANS)
    return floor(jd + c - (-0.000278 + 0.000265 * t + 0.000262 * t * t) + 0.5 + 7 / 24)


def first_of_month(near: date) -> date:
    """The first day of the lunar month that begins nearest to a day."""
    number = round((near.toordinal() - date(1900, 1, 1).toordinal()) / 29.530588853)
    found = [date.fromordinal(new_moon_day(number + k) - 1721425) for k in (-1, 0, 1, 2)]
    return min(found, key=lambda day: abs(day - near))


@pytest.mark.parametrize(("near", "new_year"), [(date(2026, 2, 10), 2026), (date(2027, 2, 10), 2027)])
def test_the_lunar_days_are_those_another_road_finds(near: date, new_year: int) -> None:
    tet = first_of_month(near)
    third_month = first_of_month(tet + timedelta(days=59))
    kings = third_month + timedelta(days=9)
    told = {one["day"]: one["en"] for year in json.loads(RAW)["years"] for one in year["holidays"]}
    assert told[tet.isoformat()] == "Lunar New Year's Day" and tet.year == new_year
    assert told[kings.isoformat()] == "Hung Kings' Day"
    assert told[(tet - timedelta(days=1)).isoformat()] == "Lunar New Year's Eve"


def test_a_holiday_at_a_weekend_is_made_up() -> None:
    for day in sorted(VIETNAM.holidays):
        if day.weekday() >= 5 and not (date(2027, 2, 4) < day < date(2027, 2, 11)):
            after = day
            while after.weekday() >= 5:
                after += timedelta(days=1)
            assert not is_working_day(after), day


@pytest.mark.parametrize(
    ("day", "count", "then"),
    [
        (date(2026, 11, 20), 2, date(2026, 11, 25)),  # Friday; Tuesday 24 is Culture Day
        (date(2026, 2, 13), 2, date(2026, 2, 24)),  # over Tet
        (date(2026, 4, 24), 1, date(2026, 4, 28)),  # the kings' day fell on a Sunday
        (date(2026, 8, 21), 1, date(2026, 8, 22)),  # a worked Saturday
        (date(2027, 4, 29), 1, date(2027, 5, 4)),
        (date(2026, 11, 21), 0, date(2026, 11, 21)),
    ],
)
def test_counting_over_holidays(day: date, count: int, then: date) -> None:
    assert add_working_days(day, count) == then


@settings(max_examples=examples(120, 1500), deadline=None)
@given(day=DAYS, first=st.integers(0, 30), second=st.integers(0, 30))
def test_counting_is_additive_and_ends_on_a_working_day(day: date, first: int, second: int) -> None:
    there = add_working_days(day, first)
    assert add_working_days(there, second) == add_working_days(day, first + second)
    assert first == 0 or is_working_day(there)
    between = (day + timedelta(days=k) for k in range(1, (there - day).days + 1))
    assert sum(map(is_working_day, between)) == first


@settings(max_examples=examples(60, 1500), deadline=None)
@given(day=DAYS, count=st.integers(0, 30))
def test_not_knowing_is_early_not_late(day: date, count: int) -> None:
    """Calendar days <= weekends alone <= with holidays, but for worked Saturdays, which are earlier still."""
    plain = add_days(day, count)
    assert plain <= WEEKENDS_ALONE.add_working_days(day, count)
    less = WorkingDays(VIETNAM.holidays, frozenset(), VIETNAM.years, VIETNAM.announced)
    assert WEEKENDS_ALONE.add_working_days(day, count) <= less.add_working_days(day, count)
    assert add_working_days(day, count) <= less.add_working_days(day, count)


def test_a_year_outside_the_file_is_told() -> None:
    assert VIETNAM.known(date(2026, 1, 1), date(2027, 12, 31))
    assert not VIETNAM.known(date(2027, 12, 30), date(2028, 1, 3))
    assert add_working_days(date(2028, 1, 1), 1) == date(2028, 1, 3)
    assert VIETNAM.announced == {2026}


def test_days_are_not_counted_backwards() -> None:
    with pytest.raises(ValueError, match="forward"):
        add_working_days(date(2026, 1, 1), -1)


def spoiled(**change: Any) -> str:
    told = json.loads(RAW)
    told["years"][0] |= change
    return json.dumps(told)


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps(json.loads(RAW) | {"more": 1}),
        spoiled(more=1),
        spoiled(holidays=[{"day": "2027-01-01", "vi": "x", "en": "x", "source": "labour_112"}]),
        spoiled(holidays=[{"day": "2026-01-01", "vi": "x", "en": "x", "source": "nowhere"}]),
        spoiled(holidays=[{"day": "2026-01-01", "vi": "x", "en": "x", "source": "labour_112"}] * 2),
        spoiled(worked=[{"day": "2026-01-05", "vi": "x", "en": "x", "source": "labour_112"}]),
        spoiled(year=2027),
    ],
)
def test_a_misspelt_file_stops_the_start(raw: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        load_working_days(raw)
