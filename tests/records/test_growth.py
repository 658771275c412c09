"""The points of a series against the growth standard: what is judged, what is not and why, what is drawn."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_api.records.growth import measures as reading
from wallet_api.records.growth.comparing import Child, Growth, Place, growth_of, side_of
from wallet_api.records.growth.measures import REASONS, SIDES, measures, sayings
from wallet_api.records.growth.standard import Distribution
from wallet_api.records.growth.who_2006 import Who2006
from wallet_api.records.model import PartialDate, Record, Source
from wallet_api.records.series import LOINC, Point

BORN = date(2024, 2, 29)
GIRL = Child(BORN, "female")
WEIGHT, LENGTH, LYING, STANDING, HEAD, BMI = "29463-7", "8302-2", "8306-3", "8308-9", "9843-4", "39156-5"
NOW = datetime(2026, 11, 3, 3, 0, tzinfo=UTC)
WHO = Who2006()
BY_LENGTH = "better_judged_by_length"
UNITS = {WEIGHT: "kg", BMI: "kg/m2"}


def point(value: float | None, unit: str | None, on: str | int, **over: Any) -> Point:
    day = on if isinstance(on, str) else (BORN + timedelta(on)).isoformat()
    when, source = PartialDate(day), Source(None, None, "x", NOW)
    record = Record(f"r{day}", "whose", 1, "vital-signs", when, NOW, source, {}, "f")
    made = Point(record, None, value, unit, None, None, None, unit)
    return replace(made, **over)


def growth(code: str, *points: Point, child: Child = GIRL, system: str = LOINC) -> Growth:
    found = growth_of(points, system, code, child, WHO)
    assert found is not None
    return found


def placed(code: str, value: float | None, on: str | int, child: Child = GIRL, **over: Any) -> Place:
    (place,) = growth(code, point(value, UNITS.get(code, "cm"), on, **over), child=child).places
    return place


def at(indicator: str, z: float, day: int, sex: str = "female") -> float:
    found = WHO.of(indicator, sex, day)
    assert found is not None
    return found.at(z)


def test_a_code_that_is_no_measure_of_growth_is_compared_with_nothing() -> None:
    told = point(4, "mmol/L", 30)
    assert growth_of([told], LOINC, "15074-8", GIRL, WHO) is None
    assert growth_of([told], "urn:other", WEIGHT, GIRL, WHO) is None


@pytest.mark.parametrize(
    ("z", "side"),
    [
        *((-3.01, "below_minus_3"), (-3.0, "below_minus_2"), (-2.01, "below_minus_2"), (-2.0, "within_2")),
        *((0.0, "within_2"), (2.0, "within_2"), (2.01, "above_plus_2"), (3.0, "above_plus_2")),
        (3.01, "above_plus_3"),
    ],
)
def test_on_a_line_is_the_side_nearer_to_the_median(z: float, side: str) -> None:
    assert side_of(z) == side


@pytest.mark.parametrize(
    ("code", "indicator", "names"),
    [
        (
            WEIGHT,
            "weight",
            ["severely_underweight", "underweight", None, None, *["better_judged_by_length"] * 3],
        ),
        (LENGTH, "length_height", ["severely_stunted", "stunted", None, None, None, None, "very_tall"]),
        (HEAD, "head", [None] * 7),
        (
            BMI,
            "bmi",
            ["severely_wasted", "wasted", None, None, "possible_risk_of_overweight", "overweight", "obese"],
        ),
    ],
)
def test_each_side_has_the_name_that_who_gives_it(code: str, indicator: str, names: list[str | None]) -> None:
    curve = WHO.of(indicator, "female", 400)
    assert curve is not None
    step_down, step_up = curve.at(-2) - curve.at(-3), curve.at(3) - curve.at(2)
    values = [curve.at(-3) - step_down / 2, *(curve.at(z) for z in (-2.5, -1.5, 0.5, 1.5, 2.5))]
    found = [placed(code, value, 400) for value in [*values, curve.at(3) + step_up / 2]]
    assert [each.called for each in found] == names
    assert [each.side for each in found] == [*SIDES[:2], *["within_2"] * 3, *SIDES[3:]]


@pytest.mark.parametrize(
    ("code", "indicator", "lowest", "highest"),
    [(WEIGHT, "weight", -6, 5), (LENGTH, "length_height", -6, 6), (HEAD, "head", -5, 5), (BMI, "bmi", -5, 5)],
)
def test_beyond_whos_limits_nothing_is_judged(code: str, indicator: str, lowest: int, highest: int) -> None:
    curve = WHO.of(indicator, "female", 400)
    assert curve is not None
    down, up = curve.at(-2) - curve.at(-3), curve.at(3) - curve.at(2)
    for value, fits in (
        (curve.at(-3) + (lowest + 3) * down, True),
        (curve.at(-3) + (lowest + 2.99) * down, False),
        (curve.at(3) + (highest - 3) * up, True),
        (curve.at(3) + (highest - 2.99) * up, False),
        (0, False),
        (-4, False),
        (1e308, False),
    ):
        place = placed(code, value, 400)
        assert (place.reason == "implausible") is not fits
        assert (place.z is None) is (place.side is None) is (place.value is None) is not fits
        assert place.called is None or fits
        assert place.lines is not None


def test_lying_and_standing_differ_by_what_who_says_from_the_day_it_says() -> None:
    for day in (0, 400, 730):
        base = placed(LENGTH, 80, day)
        assert placed(LYING, 80, day) == base, "lengths are measured lying"
        assert placed(STANDING, 79.3, day) == base
    for day in (731, 1500):
        base = placed(LENGTH, 95, day)
        assert placed(STANDING, 95, day) == base, "heights are measured standing"
        assert placed(LYING, 95.7, day) == base


def test_units_are_brought_to_that_of_the_standard() -> None:
    kilos = placed(WEIGHT, 9.5, 400)
    for value, unit in ((9500, "g"), (9.5, "kg")):
        assert growth(WEIGHT, point(value, unit, 400)).places == (kilos,)
        assert growth(WEIGHT, point(value, unit, 400, code=None)).places == (kilos,), "words for it do"
    centimetres = placed(LENGTH, 75, 400)
    for value, unit in ((0.75, "m"), (750, "mm")):
        assert growth(LENGTH, point(value, unit, 400)).places == (centimetres,)
    assert growth(WEIGHT, point(9.5, "kg", 400, code="[lb_av]")).places[0].reason == "unit_unknown"


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("no_number", point(None, "kg", 400, text="nặng")),
        ("no_number", point(9.5, "kg", 400, exact=False)),
        ("day_unknown", point(9.5, "kg", "2025-02")),
        ("day_unknown", point(9.5, "kg", "2023")),
        ("before_birth", point(9.5, "kg", "2024-02-28")),
        ("over_age", point(9.5, "kg", "2029-03-01")),
        ("over_age", point(70, "kg", "2060-03-01")),
        ("unit_unknown", point(21, "[lb_av]", 400)),
        ("unit_unknown", point(9.5, None, 400)),
    ],
)
def test_what_cannot_be_compared_says_why(reason: str, told: Point) -> None:
    (place,) = growth(WEIGHT, told).places
    assert (place.reason, place.z, place.side, place.called) == (reason, None, None, None)
    assert place.line == sayings().reasons[reason]
    assert (place.lines is not None) is (reason == "unit_unknown")


def test_who_is_neither_girl_nor_boy_in_the_register_has_no_curve() -> None:
    for sex in ("unknown", "other"):
        found = growth(WEIGHT, point(9.5, "kg", 400), child=Child(BORN, sex))
        assert [each.reason for each in found.places] == ["sex_unknown"]
        assert found.curve == () and found.places[0].lines is None


def test_the_fifth_birthday_ends_it() -> None:
    assert placed(WEIGHT, 15, "2029-02-28").z is not None
    assert placed(WEIGHT, 15, "2029-03-01").reason == "over_age", "29 February: 1 March in common years"
    boy = Child(date(2020, 5, 4), "male")
    assert placed(WEIGHT, 15, "2025-05-03", boy).z is not None
    assert placed(WEIGHT, 15, "2025-05-04", boy).reason == "over_age"


def test_the_day_of_birth_is_the_first() -> None:
    assert placed(WEIGHT, 3.2322, 0).z == 0


def test_the_curve_spans_the_points_and_no_more() -> None:
    month = 30.4375
    found = growth(WEIGHT, point(9, "kg", 400), point(6, "kg", 100), point(70, "kg", "2050-01-01"))
    assert [each.month for each in found.curve] == list(range(3, 15)), "from before 3.3 to after 13.1"
    assert [each.age_days for each in found.curve] == [round(each.month * month) for each in found.curve]
    for each in found.curve:
        assert list(each.lines) == [round(at("weight", z, each.age_days), 3) for z in (-3, -2, 0, 2, 3)]
    newborn = growth(WEIGHT, point(3, "kg", 0)).curve
    assert [each.month for each in newborn] == [0]
    oldest = growth(WEIGHT, point(15, "kg", "2029-02-28")).curve
    assert [each.month for each in oldest] == [59, 60]
    assert growth(WEIGHT, point(15, "kg", "2024")).curve == ()


@given(st.integers(0, 1826), st.floats(0, 40), st.sampled_from((WEIGHT, LENGTH, HEAD, BMI)))
def test_each_point_is_judged_or_says_why_and_never_both(day: int, value: float, code: str) -> None:
    child = Child(date(2020, 2, 1), "male")
    on = (child.born + timedelta(day)).isoformat()
    place = placed(code, value, on, child)
    assert (place.reason is None) is (place.z is not None) is (place.side is not None)
    assert place.reason in (None, *REASONS) and place.side in (None, *SIDES)
    assert place.lines is not None and list(place.lines) == sorted(set(place.lines))


def test_a_line_says_the_score_the_side_and_whose_word_it_is() -> None:
    place = placed(LENGTH, at("length_height", -2.5, 400), 400)
    assert place.line.vi == ("Điểm z -2,50: từ -3 SD đến dưới -2 SD; tài liệu tập huấn của WHO: thấp còi.")
    assert place.line.en == "Z-score -2.50: from -3 SD to below -2 SD; WHO's training course: stunted."
    assert placed(HEAD, at("head", 0, 400), 400).line.en == "Z-score 0.00: between -2 SD and +2 SD."


def test_every_name_has_its_words_and_every_word_its_use() -> None:
    named = {name for each in measures().indicators.values() for name in each.names.values()}
    assert named == sayings().names.keys()
    assert not re.search(r"diagnosed|chẩn đoán (là|bị)", str(sayings()))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("measures.json", '"lowest": -6, "highest": 5', '"lowest": 6, "highest": 5'),
        ("measures.json", '"9843-4": null', '"29463-7": null'),
        ("measures.json", '"below_minus_2": "stunted"', '"below_minus_1": "stunted"'),
        ("measures.json", '"below_minus_2": "stunted"', '"below_minus_2": "tiny"'),
        ("measures.json", '"kg": 1, "g": 0.001', '"kg": 1000, "g": 1'),
        ("measures.json", '"last_lying_day"', '"last_laying_day"'),
        ("words.json", '"over_age"', '"overage"'),
        ("words.json", '"within_2"', '"within"'),
        ("words.json", '"note"', '"notes"'),
    ],
)
def test_a_slip_in_the_data_stops_the_start(
    file: str, old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(name: str) -> dict[str, Any]:
        text = files("wallet_api.records.growth").joinpath(name).read_text(encoding="utf-8")
        if name == file:
            assert old in text
            text = text.replace(old, new, 1)
        found: dict[str, Any] = json.loads(text)
        return found

    monkeypatch.setattr(reading, "_read", read)
    monkeypatch.setattr(reading, "sayings", reading.sayings.__wrapped__)
    with pytest.raises((TypeError, ValueError, KeyError)):
        reading.measures.__wrapped__()


def test_another_standard_may_stand_in() -> None:
    class Flat:
        def of(self, indicator: str, sex: str, age_days: int) -> Distribution | None:
            return Distribution(1, 10, 0.1)

    found = growth_of([point(12, "kg", 400)], LOINC, WEIGHT, GIRL, Flat())
    assert found is not None and found.places[0].z == 2
