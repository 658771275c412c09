"""Series of values, and how a child's lie against the growth standard."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from wallet_api.records.book_pages import Series
from wallet_api.records.growth.comparing import Growth, Place
from wallet_api.records.growth.measures import REASONS, SIDES, measures, sayings
from wallet_api.records.series import LOINC, Point
from wallet_api.routes.schemas.base import Code, Day, Instant, PageQuery, Text, WireSchema, listed, page_of
from wallet_api.routes.schemas.pages import LineSourceSchema, Names, line_view

_LINES = ("minus_3", "minus_2", "median", "plus_2", "plus_3")
"""The names of `comparing.LINES`, in their order."""


class SeriesQuery(PageQuery):
    """Which code system, and which days; both ends are inside."""

    system = Text(longest=200, load_default=LOINC)
    first = Day(data_key="from", load_default=None)
    last = Day(data_key="to", load_default=None)

    @validates_schema
    def check_order(self, data: dict[str, Any], **more: Any) -> None:
        """The first day is not after the last."""
        if data.get("first") and data.get("last") and data["first"] > data["last"]:
            raise ValidationError("The first day must not be after the last.", "from")


class GrowthLinesSchema(WireSchema):
    """The lines of the growth chart at one age, in the unit of the standard."""

    minus_3 = fields.Float()
    minus_2 = fields.Float()
    median = fields.Float()
    plus_2 = fields.Float()
    plus_3 = fields.Float()


class GrowthMonthSchema(GrowthLinesSchema):
    """The lines at a whole month of age, as WHO counts months: 30.4375 days."""

    month = fields.Integer()
    age_days = fields.Integer()


class GrantedPlaceSchema(WireSchema):
    """Where a value lies against the growth standard: judged, or why not. Never a diagnosis."""

    z = fields.Float(allow_none=True, metadata={"description": "z-score, to two decimals as WHO rounds it"})
    side = Code(SIDES, allow_none=True, metadata={"description": "null where the value is not judged"})
    called = Code(
        sayings().names,
        allow_none=True,
        metadata={"description": "what WHO's training course on growth assessment calls it"},
    )
    reason = Code(REASONS, allow_none=True, metadata={"description": "why the value is not judged"})
    line_vi = fields.String(metadata={"description": "the same in one line"})
    line_en = fields.String()


class PlaceSchema(GrantedPlaceSchema):
    """The same with the lines of that day."""

    value = fields.Float(
        allow_none=True,
        metadata={"description": "judged, in the unit of the standard, as if lying or standing as it has it"},
    )
    lines = fields.Nested(GrowthLinesSchema, allow_none=True)


class GrantedGrowthSchema(WireSchema):
    """The growth standard that the values of a page are compared with."""

    standard = fields.String()
    year = fields.Integer()
    indicator = fields.String(metadata={"description": "the name of the indicator in the standard"})
    indicator_vi = fields.String()
    indicator_en = fields.String()
    source = fields.String()
    names_source = fields.String(metadata={"description": "where the names in `called` are from"})
    unit = fields.String(metadata={"description": "UCUM; z-scores, lines and curve are in this unit"})
    note_vi = fields.String(metadata={"description": "to be shown with every chart"})
    note_en = fields.String()


class GrowthSchema(GrantedGrowthSchema):
    """The same with the curve to draw: the lines at each whole month that the values of the page span."""

    curve = fields.List(fields.Nested(GrowthMonthSchema))


def _growth(schema: type[WireSchema]) -> fields.Nested:
    told = {"description": "null where the code is no measure of growth"}
    return fields.Nested(schema, allow_none=True, metadata=told)


class ValueSchema(WireSchema):
    """A value with the reference range of its own source, where the source sent one."""

    id = fields.String()
    category = fields.String()
    occurred_on = fields.String(metadata={"description": "YYYY, YYYY-MM or YYYY-MM-DD"})
    recorded_at = Instant()
    source = fields.Nested(LineSourceSchema)
    self_reported = fields.Boolean()
    labels = fields.List(fields.String())
    name = fields.String(allow_none=True)
    value = fields.Float(allow_none=True)
    unit = fields.String(allow_none=True)
    text = fields.String(allow_none=True)
    low = fields.Float(allow_none=True)
    high = fields.Float(allow_none=True)
    against = fields.String(allow_none=True, metadata={"description": "below, within or above the range"})


class GrantedPointSchema(ValueSchema):
    """A value, and where a child's lies against the growth standard."""

    growth = _growth(GrantedPlaceSchema)


class PointSchema(ValueSchema):
    """A value, how old the person was, and where a child's lies against the growth standard."""

    age_days = fields.Integer(allow_none=True, metadata={"description": "how old the person was that day"})
    growth = _growth(PlaceSchema)


_SAYS = "Values of one code, newest first."
SeriesPage = page_of(PointSchema, "SeriesPage", _SAYS, WireSchema, growth=_growth(GrowthSchema))
GrantedSeriesPage = page_of(
    GrantedPointSchema, "GrantedSeriesPage", _SAYS, WireSchema, growth=_growth(GrantedGrowthSchema)
)


def series_view(found: Series, growth: Growth | None, born: date, names: Names) -> dict[str, Any]:
    """A page of a series as the person and their guardians see it."""
    items = [
        _value_view(each, names) | {"age_days": each.age_days(born), "growth": place and _place_view(place)}
        for each, place in _placed(found, growth)
    ]
    told = growth and _growth_view(growth) | _curve_view(growth)
    return listed(items, found.next_cursor) | {"growth": told}


def granted_series_view(
    found: Series, growth: Growth | None, names: Names, known_as: Callable[[str], str]
) -> dict[str, Any]:
    """The same for a provider: no age, no lines and no curve, for the day of birth and the sex could be read
    off them, and a consent to see measurements is none to be told those."""
    items = [
        _value_view(each, names) | {"id": known_as(each.record.id), "growth": place and _judged_view(place)}
        for each, place in _placed(found, growth)
    ]
    return listed(items, found.next_cursor) | {"growth": growth and _growth_view(growth)}


def _placed(found: Series, growth: Growth | None) -> list[tuple[Point, Place | None]]:
    places = growth.places if growth is not None else [None] * len(found.points)
    return list(zip(found.points, places, strict=True))


def _value_view(point: Point, names: Names) -> dict[str, Any]:
    line = line_view(point.record, names)
    kept = {name: line[name] for name in ValueSchema().fields if name in line}
    told = ("name", "value", "unit", "text", "low", "high", "against")
    return kept | {name: getattr(point, name) for name in told}


def _judged_view(place: Place) -> dict[str, Any]:
    told = {name: getattr(place, name) for name in ("z", "side", "called", "reason")}
    return told | {"line_vi": place.line.vi, "line_en": place.line.en}


def _place_view(place: Place) -> dict[str, Any]:
    lines = _lines_view(place.lines) if place.lines is not None else None
    return _judged_view(place) | {"value": place.value, "lines": lines}


def _growth_view(growth: Growth) -> dict[str, Any]:
    by, note = growth.indicator, sayings().note
    return {
        "standard": measures().standard,
        "year": by.year,
        "indicator": by.title,
        "indicator_vi": by.vi,
        "indicator_en": by.en,
        "source": by.source,
        "names_source": measures().names_source,
        "unit": by.unit,
        "note_vi": note.vi,
        "note_en": note.en,
    }


def _curve_view(growth: Growth) -> dict[str, Any]:
    months = [
        {"month": each.month, "age_days": each.age_days} | _lines_view(each.lines) for each in growth.curve
    ]
    return {"curve": months}


def _lines_view(lines: tuple[float, ...]) -> dict[str, float]:
    return dict(zip(_LINES, lines, strict=True))
