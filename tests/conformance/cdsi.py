"""CDC's CDSi supporting data as the engine's rules. Strict: a shape nobody asked for stops the reading."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from notifications.days import DateRule, Span
from notifications.immunization.rules import (
    AgeRule,
    Antigen,
    Association,
    Condition,
    ConditionKind,
    ConditionSet,
    Conflict,
    Context,
    Contraindication,
    Immunity,
    Indication,
    Interval,
    RuleSet,
    Season,
    Series,
    SeriesType,
    Skip,
    TargetDose,
    VaccineGroup,
    VaccineRule,
    Validity,
)

_PART = re.compile(r"\s*([+-]?)\s*(\d+)\s*(year|month|week|day)s?", re.IGNORECASE)
_TYPES = {
    "Standard": SeriesType.STANDARD,
    "Risk": SeriesType.RISK,
    "Evaluation Only": SeriesType.EVALUATION_ONLY,
}
_KINDS = {
    "age": ConditionKind.AGE,
    "interval": ConditionKind.INTERVAL,
    "completed series": ConditionKind.COMPLETED_SERIES,
    "vaccine count by age": ConditionKind.COUNT_BY_AGE,
    "vaccine count by date": ConditionKind.COUNT_BY_DATE,
}


def duration(text: str | None) -> Span | None:
    """Read `6 weeks - 4 days`; ValueError for anything else."""
    if not text:
        return None
    parts, at = {"year": 0, "month": 0, "week": 0, "day": 0}, 0
    for found in _PART.finditer(text):
        if found.start() != at:
            break
        parts[found[3].lower()] += int(found[1] + found[2])
        at = found.end()
    if at != len(text.rstrip()) or at == 0:
        raise ValueError(f"not a duration: {text!r}")
    return Span(parts["year"], parts["month"], parts["week"] * 7 + parts["day"])


def _day(text: str | None) -> date | None:
    if not text:
        return None
    if "/" in text:
        month, day, year = (int(part) for part in text.split("/"))
        return date(year, month, day)
    return date.fromisoformat(text)


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _codes(text: str | None) -> frozenset[str]:
    return frozenset(part.strip().zfill(2) for part in (text or "").split(";") if part.strip())


def _validity(row: Mapping[str, Any]) -> Validity:
    return Validity(_day(row.get("effectiveDate")), _day(row.get("cessationDate")))


def _ages(row: Mapping[str, Any]) -> AgeRule:
    return AgeRule(
        duration(row.get("absMinAge")),
        duration(row.get("minAge")),
        duration(row.get("earliestRecAge")),
        duration(row.get("latestRecAge")),
        duration(row.get("maxAge")),
        _validity(row),
    )


def _interval(row: Mapping[str, Any]) -> Interval:
    """`intervalPriority` lets an antigen lead the earliest day of its group; `groups.blend` always does."""
    assert row.get("intervalPriority") in (None, "override")
    target, seen = row.get("fromTargetDose"), row.get("fromRelevantObs")
    return Interval(
        from_previous=row.get("fromPrevious") == "Y",
        from_target=int(target) if target else None,
        from_most_recent=_codes(row.get("fromMostRecent")),
        from_observation=seen["code"] if seen else None,
        absolute_minimum=duration(row.get("absMinInt")),
        minimum=duration(row.get("minInt")),
        earliest_recommended=duration(row.get("earliestRecInt")),
        latest_recommended=duration(row.get("latestRecInt")),
        validity=_validity(row),
    )


def _vaccine(row: Mapping[str, Any]) -> VaccineRule:
    volume = row.get("volume")
    return VaccineRule(
        row["cvx"],
        duration(row.get("beginAge")),
        duration(row.get("endAge")),
        row.get("mvx") or None,
        float(volume) if volume else None,
    )


def _condition(row: Mapping[str, Any]) -> Condition:
    return Condition(
        kind=_KINDS[row["conditionType"].lower()],
        begin_age=duration(row.get("beginAge")),
        end_age=duration(row.get("endAge")),
        start=_day(row.get("startDate")),
        end=_day(row.get("endDate")),
        interval=duration(row.get("interval")),
        count=int(row.get("doseCount") or 0),
        count_logic=(row.get("doseCountLogic") or "greater than").lower().replace(" ", "_"),
        only_valid=row.get("doseType") == "Valid",
        vaccines=_codes(row.get("vaccineTypes")),
        series_groups=frozenset(_list(row.get("seriesGroups"))),
    )


def _skip(row: Mapping[str, Any]) -> Skip:
    sets = tuple(
        ConditionSet(
            one["setDescription"],
            tuple(_condition(c) for c in _list(one["condition"])),
            every=one.get("conditionLogic", "AND") != "OR",
        )
        for one in _list(row["set"])
    )
    return Skip(Context(row["context"].lower()), sets, every=row.get("setLogic") == "AND")


def _season(row: Mapping[str, Any] | None) -> Season | None:
    if not row:
        return None
    start, end = _day(row["startDate"]), _day(row["endDate"])
    assert start is not None and end is not None
    return Season(start, end)


def _dose(row: Mapping[str, Any]) -> TargetDose:
    return TargetDose(
        number=int(row["doseNumber"].removeprefix("Dose ")),
        ages=tuple(_ages(a) for a in _list(row.get("age"))),
        intervals=tuple(_interval(i) for i in _list(row.get("interval"))),
        allowable_intervals=tuple(_interval(i) for i in _list(row.get("allowableInterval"))),
        preferable=tuple(_vaccine(v) for v in _list(row.get("preferableVaccine"))),
        allowable=tuple(_vaccine(v) for v in _list(row.get("allowableVaccine"))),
        inadvertent=frozenset(v["cvx"] for v in _list(row.get("inadvertentVaccine"))),
        skips=tuple(_skip(s) for s in _list(row.get("conditionalSkip"))),
        season=_season(row.get("seasonalRecommendation")),
        recurring=row.get("recurringDose") == "Yes",
    )


def _indication(row: Mapping[str, Any]) -> Indication:
    return Indication(
        row["observationCode"]["code"], duration(row.get("beginAge")), duration(row.get("endAge"))
    )


def _series(row: Mapping[str, Any]) -> Series:
    select = row["selectSeries"]
    return Series(
        id=row["seriesName"],
        antigen=row["targetDisease"],
        vaccine_group=row["vaccineGroup"],
        doses=tuple(_dose(d) for d in row["seriesDose"]),
        type=_TYPES[row["seriesType"]],
        default=select["defaultSeries"] == "Yes",
        product_path=select["productPath"] == "Yes",
        group=select["seriesGroup"],
        group_name=select["seriesGroupName"],
        priority=select["seriesPriority"],
        preference=int(select.get("seriesPreference") or 99),
        min_age_to_start=duration(select.get("minAgeToStart")),
        max_age_to_start=duration(select.get("maxAgeToStart")),
        sexes=frozenset(_list(row.get("requiredGender"))),
        indications=tuple(_indication(i) for i in _list(row.get("indication"))),
        equivalent_groups=frozenset(_list(row.get("equivalentSeriesGroups"))),
    )


def _immunity(row: Mapping[str, Any] | None) -> Immunity:
    if not row:
        return Immunity()
    born = row.get("dateOfBirth") or {}
    return Immunity(
        frozenset(c["guidelineCode"] for c in _list(row.get("clinicalHistory"))),
        _day(born.get("immunityBirthDate")),
        born.get("birthCountry"),
        frozenset(e["exclusionCode"] for e in _list(born.get("exclusion"))),
    )


def _contraindications(row: Mapping[str, Any] | None) -> Iterable[Contraindication]:
    for scope in ("vaccineGroup", "vaccine"):
        for one in _list(((row or {}).get(scope) or {}).get("contraindication")):
            yield Contraindication(
                one["observationCode"],
                f"contraindication_{one['observationCode']}",
                frozenset(v["cvx"] for v in _list(one.get("contraindicatedVaccine"))),
                duration(one.get("beginAge")),
                duration(one.get("endAge")),
            )


def _antigen(path: Path) -> Antigen:
    row = json.loads(path.read_bytes())["antigenSupportingData"]
    series = tuple(_series(s) for s in row["series"])
    found = _contraindications(row.get("contraindications"))
    return Antigen(series[0].antigen, series, _immunity(row.get("immunity")), tuple(found))


def _conflict(row: Mapping[str, Any]) -> Conflict:
    begin, valid, end = (
        duration(row[key])
        for key in ("conflictBeginInterval", "minConflictEndInterval", "conflictEndInterval")
    )
    assert begin is not None and valid is not None and end is not None
    return Conflict(row["previous"]["cvx"], row["current"]["cvx"], begin, valid, end)


def _association(row: Mapping[str, Any]) -> Association:
    return Association(
        row["antigen"], duration(row.get("associationBeginAge")), duration(row.get("associationEndAge"))
    )


@lru_cache(maxsize=2)
def load_rules(folder: Path) -> RuleSet:
    """Every antigen file and the schedule file of a release."""
    schedule = json.loads((folder / "ScheduleSupportingData.json").read_bytes())["scheduleSupportingData"]
    full = {
        g["name"]: g.get("administerFullVaccineGroup") == "Yes"
        for g in schedule["vaccineGroups"]["vaccineGroup"]
    }
    antigens = (_antigen(path) for path in sorted(folder.glob("AntigenSupportingData*.json")))
    return RuleSet(
        antigens={antigen.id: antigen for antigen in antigens},
        groups={
            g["name"]: VaccineGroup(g["name"], tuple(g["antigen"]), full[g["name"]])
            for g in schedule["vaccineGroupToAntigenMap"]["vaccineGroupMap"]
        },
        carries={
            m["cvx"]: tuple(_association(a) for a in m["association"])
            for m in schedule["cvxToAntigenMap"]["cvxMap"]
        },
        conflicts=tuple(_conflict(c) for c in schedule["liveVirusConflicts"]["liveVirusConflict"]),
        date_rule=DateRule.FIRST_OF_NEXT_MONTH,
    )
