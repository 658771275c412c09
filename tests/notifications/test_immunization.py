"""The immunization engine on small rule sets: each rule of the logic once, with its reason."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from notifications.days import DateRule
from notifications.immunization import Given, Patient, SeriesStatus, assess
from notifications.immunization.answers import Because
from notifications.immunization.rules import (
    Association,
    Condition,
    ConditionKind,
    Conflict,
    Context,
    Contraindication,
    Immunity,
    Indication,
    Interval,
    Season,
    SeriesType,
    VaccineGroup,
    VaccineRule,
    Validity,
)
from tests.notifications.engine_rules import (
    BORN,
    TODAY,
    ages,
    first,
    gap,
    given,
    group_of,
    older_than,
    only,
    rules,
    second,
    series,
    skip,
    span,
    verdicts,
)

TWO_MONTHS = date(2024, 3, 10)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("day", "verdict"),
    [
        (TWO_MONTHS - 5 * DAY, ("not_valid", "too_young")),
        (TWO_MONTHS - 4 * DAY, ("valid", "fits")),
        (TWO_MONTHS, ("valid", "fits")),
        (date(2025, 1, 9), ("valid", "fits")),
        (date(2025, 1, 10), ("extraneous", "too_old")),
    ],
)
def test_ages_have_a_grace_below_and_an_exclusive_end(day: date, verdict: tuple[str, str]) -> None:
    known = rules(series(first(ages=(ages("P2M", "P1Y"),))))
    assert verdicts(only(known, ("a", day))) == [verdict]


def test_an_early_dose_says_from_when_it_would_have_counted() -> None:
    found = only(rules(), ("a", TWO_MONTHS), ("a", TWO_MONTHS + 20 * DAY))
    assert verdicts(found)[1] == ("not_valid", "too_young")
    assert found.progress.evaluations[1].since == date(2024, 5, 10)
    soon = only(rules(), ("a", date(2024, 5, 1)), ("a", date(2024, 5, 20)))
    assert verdicts(soon)[1] == ("not_valid", "too_soon")
    assert soon.progress.evaluations[1].since == date(2024, 5, 29)


def test_the_grace_is_not_given_to_the_repeat_of_an_early_dose() -> None:
    start = date(2024, 5, 1)
    early, in_grace = start + 20 * DAY, start + 20 * DAY + 25 * DAY
    assert verdicts(only(rules(), ("a", start), ("a", start + 24 * DAY)))[1] == ("valid", "fits")
    found = only(rules(), ("a", start), ("a", early), ("a", in_grace))
    assert verdicts(found)[2] == ("not_valid", "too_soon")


def test_an_interval_counts_from_the_dose_before_even_if_that_was_wrong() -> None:
    start = date(2024, 5, 1)
    found = only(rules(), ("a", start), ("a", start + 20 * DAY))
    assert found.forecast.earliest == start + 48 * DAY
    assert found.forecast.because == (Because("minimum_interval", start + 48 * DAY, "r1"),)


def test_an_allowable_interval_saves_a_dose_that_is_too_soon() -> None:
    known = rules(series(first(), second(allowable_intervals=(gap("P2W"),))))
    start = date(2024, 5, 1)
    assert verdicts(only(known, ("a", start), ("a", start + 14 * DAY)))[1] == ("valid", "fits")
    assert verdicts(only(known, ("a", start), ("a", start + 9 * DAY)))[1] == ("not_valid", "too_soon")


def test_intervals_from_a_target_dose_a_vaccine_and_a_fact() -> None:
    third = second(
        number=3,
        ages=(),
        intervals=(
            Interval(from_target=1, minimum=span("P6M")),
            Interval(from_most_recent=frozenset({"b"}), minimum=span("P3M")),
            Interval(from_observation="transplant", minimum=span("P1Y")),
        ),
    )
    known = rules(series(first(), second(), third))
    doses = (("a", date(2024, 4, 1)), ("b", date(2024, 8, 1)))
    assert only(known, *doses).forecast.earliest == date(2024, 11, 1)
    after = only(known, *doses, observations={"transplant": date(2024, 3, 3)})
    assert after.forecast.earliest == date(2025, 3, 3)


def test_an_inadvertent_vaccine_is_not_valid_and_no_start_of_an_interval() -> None:
    known = rules(series(first(), second(inadvertent=frozenset({"b"}))))
    found = only(known, ("a", date(2024, 4, 1)), ("b", date(2024, 6, 1)), ("a", date(2024, 6, 3)))
    assert verdicts(found)[1:] == [("not_valid", "inadvertent_vaccine"), ("valid", "fits")]
    waiting = only(known, ("a", date(2024, 4, 1)), ("b", date(2024, 6, 1)))
    assert waiting.forecast.earliest == date(2024, 6, 1)


def test_vaccines_are_preferable_or_allowable_at_an_age_by_a_maker_in_a_volume() -> None:
    preferable = VaccineRule("a", begin=span("P6W"), maker="M", volume=0.5)
    allowable = VaccineRule("b", begin=span("P1Y"))
    known = rules(series(first(preferable=(preferable,), allowable=(allowable,))), vaccines="a b c")

    def said(dose: Given) -> str:
        found = assess(known, Patient(BORN, "Female", (dose,)), TODAY)["A"].best[0]
        return found.progress.evaluations[0].reason.value

    wrong = "not_a_preferable_or_allowable_vaccine"
    assert said(Given("r", TWO_MONTHS, "a")) == "fits", "what is not known is not held against a dose"
    assert said(Given("r", TWO_MONTHS, "a", "M", 0.5)) == "fits"
    assert said(Given("r", TWO_MONTHS, "a", "N", 0.5)) == wrong
    assert said(Given("r", TWO_MONTHS, "a", "M", 0.25)) == wrong
    assert said(Given("r", TWO_MONTHS, "b")) == wrong
    assert said(Given("r", date(2025, 1, 10), "b")) == "fits"
    assert said(Given("r", TWO_MONTHS, "c")) == wrong
    assert said(Given("r", TWO_MONTHS, "a", flawed=True)) == "expired_or_recalled"


def test_live_vaccines_keep_apart_unless_given_on_one_day() -> None:
    conflict = Conflict("live", "a", DAY_SPAN, span("P24D"), span("P28D"))
    known = rules(series(first(preferable=(VaccineRule("a"),))), conflicts=(conflict,))
    for days, verdict in ((0, "fits"), (1, "live_virus_conflict"), (23, "live_virus_conflict"), (24, "fits")):
        found = only(known, ("live", TWO_MONTHS), ("a", TWO_MONTHS + days * DAY))
        assert verdicts(found)[0][1] == verdict, days
    waiting = only(known, ("live", TWO_MONTHS))
    assert waiting.forecast.earliest == TWO_MONTHS + 28 * DAY
    assert waiting.forecast.because == (Because("live_virus_conflict", TWO_MONTHS + 28 * DAY),)


DAY_SPAN = span("P1D")


def test_skips_hold_when_judging_when_forecasting_or_both() -> None:
    start = date(2025, 2, 1)
    for context, judged, next_one in (
        (Context.EVALUATION, 3, None),
        (Context.FORECAST, 2, 3),
        (Context.BOTH, 3, None),
    ):
        middle = second(skips=(skip(context, older_than("P1Y")),))
        last = second(number=3, ages=())
        found = only(rules(series(first(), middle, last)), ("a", TWO_MONTHS), ("a", start))
        assert found.progress.evaluations[1].target == judged, context
        assert found.forecast.target == next_one, context


def test_a_dose_that_will_not_be_needed_when_it_could_be_given_is_passed_over() -> None:
    middle = second(ages=(ages("P1Y"),), skips=(skip(Context.FORECAST, older_than("P1Y")),))
    found = only(rules(series(first(), middle)), ("a", TWO_MONTHS), today=date(2024, 6, 1))
    assert found.forecast.status is SeriesStatus.COMPLETE
    assert found.progress.skipped == {2: "not needed here"}


@pytest.mark.parametrize(
    ("condition", "needed"),
    [
        (Condition(ConditionKind.COUNT_BY_AGE, count=1, only_valid=True), False),
        (Condition(ConditionKind.COUNT_BY_AGE, count=2, only_valid=True), True),
        (Condition(ConditionKind.COUNT_BY_AGE, count=2), False),
        (Condition(ConditionKind.COUNT_BY_AGE, count=3, count_logic="equal_to"), False),
        (Condition(ConditionKind.COUNT_BY_AGE, count=4, count_logic="less_than"), False),
        (Condition(ConditionKind.COUNT_BY_AGE, begin_age=span("P1Y")), True),
        (Condition(ConditionKind.COUNT_BY_AGE, vaccines=frozenset({"b"})), True),
        (Condition(ConditionKind.COUNT_BY_DATE, start=date(2024, 7, 1)), True),
        (Condition(ConditionKind.COUNT_BY_DATE, end=date(2024, 7, 1)), False),
        (Condition(ConditionKind.INTERVAL, interval=span("P1Y")), False),
        (Condition(ConditionKind.INTERVAL, interval=span("P9Y")), True),
        (Condition(ConditionKind.COMPLETED_SERIES, series_groups=frozenset({"1"})), True),
    ],
)
def test_conditions_of_a_skip(condition: Condition, needed: bool) -> None:
    third = second(number=3, skips=(skip(Context.FORECAST, condition),))
    doses = (("a", TWO_MONTHS), ("a", date(2024, 4, 1)), ("a", date(2024, 6, 1)))
    found = only(rules(series(first(), second(), third)), *doses)
    assert verdicts(found)[1] == ("not_valid", "too_young")
    assert (found.forecast.target == 3) is needed


def test_a_risk_series_knows_that_the_standard_one_is_complete() -> None:
    done = Condition(ConditionKind.COMPLETED_SERIES, series_groups=frozenset({"1"}))
    risk = series(
        first(skips=(skip(Context.BOTH, done),)),
        second(),
        name="risk",
        type=SeriesType.RISK,
        group="2",
        indications=(Indication("asplenia", begin=span("P1Y")),),
    )
    known = rules(series(first()), risk)
    healthy = group_of(known, ("a", TWO_MONTHS))
    assert [r.series.id for r in healthy.best] == ["main"]
    ill = group_of(known, ("a", TWO_MONTHS), observations={"asplenia": None})
    assert {r.series.id: set(r.progress.skipped) for r in ill.best} == {"main": set(), "risk": {1}}
    assert group_of(known, observations={"asplenia": None}, today=TWO_MONTHS).best[0].series.id == "main"


def test_of_two_ways_the_one_that_was_begun_is_followed() -> None:
    other = series(
        first(preferable=(VaccineRule("b"),)), name="other", default=False, preference=2, product_path=True
    )
    main = series(first(preferable=(VaccineRule("a"),)), second(), preference=1)
    known = rules(main, other)
    assert only(known).series.id == "main", "nothing begun: the default"
    assert only(known, ("b", TWO_MONTHS)).series.id == "other"
    assert only(known, ("a", TWO_MONTHS)).series.id == "main"


def test_a_way_that_was_begun_too_late_is_no_candidate() -> None:
    young = series(name="young", max_age_to_start=span("P1Y"))
    old = series(first(), name="old", default=False, preference=2)
    known = rules(young, old)
    assert only(known, ("a", TWO_MONTHS)).series.id == "old", "one valid dose ends it"
    assert only(known, ("a", date(2025, 3, 1))).series.id == "old"
    assert only(known).series.id == "young"


def test_sexes_priorities_and_series_for_evaluation_only() -> None:
    male = series(name="male", sexes=frozenset({"Male"}))
    known = rules(series(name="female", sexes=frozenset({"Female"})), male)
    assert only(known).series.id == "female"
    assert assess(rules(male), Patient(BORN, "Female"), TODAY) == {}
    old = series(first(), name="old", type=SeriesType.EVALUATION_ONLY, group="2", default=True)
    both = rules(series(), old)
    assert [r.series.id for r in group_of(both).best] == ["main"]
    assert {r.series.id for r in group_of(both, ("a", TWO_MONTHS)).best} == {"main", "old"}


def test_immunity_is_an_observation_or_an_early_birth_in_the_country() -> None:
    known = rules(
        immunity=Immunity(frozenset({"titre"}), date(1957, 1, 1), "U.S.", frozenset({"health worker"}))
    )
    early = date(1950, 1, 1)
    assert only(known).forecast.status is SeriesStatus.NOT_COMPLETE
    assert only(known, observations={"titre": None}).forecast.status is SeriesStatus.IMMUNE
    assert only(known, born=early, country="U.S.").forecast.status is SeriesStatus.IMMUNE
    assert only(known, born=early, country="VN").forecast.status is SeriesStatus.NOT_COMPLETE
    worker = only(known, born=early, country="U.S.", observations={"health worker": None})
    assert worker.forecast.status is SeriesStatus.NOT_COMPLETE


def test_a_contraindication_shuts_the_group_or_every_vaccine_of_it() -> None:
    whole = Contraindication("allergy", "severe_allergy", end=span("P9Y"))
    one = Contraindication("gelatin", "gelatin", vaccines=frozenset({"a"}))
    dose = first(preferable=(VaccineRule("a"), VaccineRule("b")))
    known = rules(series(dose), contraindications=(whole, one))
    shut = only(known, observations={"allergy": None}).forecast
    assert (shut.status, shut.because) == (SeriesStatus.CONTRAINDICATED, (Because("severe_allergy"),))
    assert only(known, observations={"gelatin": None}).forecast.status is SeriesStatus.NOT_COMPLETE
    single = rules(series(first(preferable=(VaccineRule("a"),))), contraindications=(one,))
    assert only(single, observations={"gelatin": None}).forecast.status is SeriesStatus.CONTRAINDICATED


def test_a_season_opens_and_closes() -> None:
    known = rules(series(first(season=Season(date(2026, 7, 1), date(2027, 6, 30)))))
    assert only(known, today=date(2026, 3, 1)).forecast.earliest == date(2026, 7, 1)
    assert only(known, today=date(2027, 7, 1)).forecast.status is SeriesStatus.NOT_RECOMMENDED


def test_a_recurring_dose_comes_again_and_again() -> None:
    booster = second(ages=(), intervals=(gap("P1Y"),), recurring=True)
    known = rules(series(first(), booster))
    doses = [("a", date(year, 5, 1)) for year in (2024, 2025, 2026)]
    found = only(known, *doses)
    assert [e.valid for e in found.progress.evaluations] == [True] * 3
    assert found.forecast.earliest == date(2027, 5, 1)


def test_rules_have_dates() -> None:
    before, after = Validity(ceased=date(2024, 12, 31)), Validity(effective=date(2025, 1, 1))
    known = rules(series(first(ages=(ages("P2M", validity=before), ages("P1Y", validity=after)))))
    assert verdicts(only(known, ("a", date(2024, 12, 31))))[0] == ("valid", "fits")
    assert verdicts(only(known, ("a", date(2025, 1, 2))))[0] == ("not_valid", "too_young")
    assert only(known, today=date(2025, 1, 2)).forecast.earliest == date(2025, 1, 10)


def test_statuses_at_the_end() -> None:
    known = rules(series(first(ages=(ages("P2M", "P1Y"),))))
    assert only(known, ("a", TWO_MONTHS)).forecast.status is SeriesStatus.COMPLETE
    aged = only(known).forecast
    assert (aged.status, aged.earliest) == (SeriesStatus.AGED_OUT, None)
    assert aged.because[-1] == Because("maximum_age", date(2025, 1, 9))
    extra = only(known, ("a", TWO_MONTHS), ("a", date(2024, 9, 1)))
    assert verdicts(extra)[1] == ("extraneous", "series_already_complete")
    never = rules(series(first(skips=(skip(Context.FORECAST, older_than("P0D")),))))
    assert only(never).forecast.status is SeriesStatus.NOT_RECOMMENDED


def test_a_forecast_of_a_group_never_goes_back_behind_a_dose_on_record() -> None:
    found = group_of(rules(series(first(preferable=(VaccineRule("a"),)))), ("b", TODAY)).forecast
    assert found.earliest == TODAY and found.because[-1] == Because("last_dose_of_group", TODAY)


@pytest.mark.parametrize(("full", "earliest"), [(True, date(2025, 1, 10)), (False, date(2024, 3, 10))])
def test_antigens_are_advised_together(full: bool, earliest: date) -> None:
    known = rules()
    other = rules(series(first(ages=(ages("P1Y"),)), antigen="B")).antigens["A"]
    both = type(known)(
        {"A": known.antigens["A"], "B": other},
        {"AB": VaccineGroup("AB", ("A", "B"), full)},
        {"a": (Association("A"), Association("B"))},
    )
    found = assess(both, Patient(BORN, "Female"), TODAY)["AB"].forecast
    assert (found.earliest, found.status) == (earliest, SeriesStatus.NOT_COMPLETE)


def test_an_antigen_counts_only_at_its_ages() -> None:
    known = rules()
    zoster = type(known)(known.antigens, known.groups, {"z": (Association("A", end=span("P1Y")),)})
    assert verdicts(only(zoster, ("z", date(2024, 5, 10)))) == [("valid", "fits")]
    assert verdicts(only(zoster, ("z", date(2025, 1, 10)))) == []


def test_a_missing_day_follows_the_rule_of_the_rule_set() -> None:
    born = date(2023, 12, 31)
    for rule, day in (
        (DateRule.FIRST_OF_NEXT_MONTH, date(2024, 3, 1)),
        (DateRule.LAST_OF_MONTH, date(2024, 2, 29)),
    ):
        assert only(rules(date_rule=rule), born=born).forecast.earliest == day


def test_doses_after_today_are_not_seen_and_order_does_not_matter() -> None:
    doses = (("a", TWO_MONTHS), ("a", date(2024, 6, 1)), ("a", date(2027, 1, 1)))
    known = rules()
    forwards = assess(known, Patient(BORN, "Female", given(*doses)), TODAY)["A"]
    backwards = assess(known, Patient(BORN, "Female", given(*doses)[::-1]), TODAY)["A"]
    assert verdicts(forwards.best[0]) == verdicts(backwards.best[0]) == [("valid", "fits")] * 2
