"""What the planner says is due, against the mistakes such planners make."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from notifications.days import DateRule, Span
from notifications.model import Care, DueItem, Exam, Status, Verdict
from notifications.planner import plan
from tests.notifications.lives import DOSES, PROGRAMMES, child, dose, items_of


def test_birth_dose_of_a_three_year_old_is_aged_out_not_overdue() -> None:
    found = items_of(child(date(2023, 11, 1)), [], date(2026, 11, 20))
    assert {found[key].status for key in (("hepb_birth", 0), ("bcg", 1), ("opv", 1))} == {Status.AGED_OUT}
    born = date(2026, 9, 1)
    assert items_of(child(born), [], born + timedelta(days=27))["hepb_birth", 0].status is Status.OVERDUE
    assert items_of(child(born), [], born + timedelta(days=28))["hepb_birth", 0].status is Status.AGED_OUT


def test_measles_of_a_child_born_on_the_31st_is_not_due_a_day_early() -> None:
    born = date(2024, 5, 31)
    assert items_of(child(born), [], date(2025, 2, 28))["measles", 1].status is Status.UPCOMING
    found = items_of(child(born), [], date(2025, 3, 1))["measles", 1]
    assert (found.status, found.recommended) == (Status.DUE, date(2025, 3, 1))


@pytest.mark.parametrize(
    ("born", "span", "rolled", "clamped"),
    [
        (date(2024, 5, 31), "P9M", date(2025, 3, 1), date(2025, 2, 28)),
        (date(2024, 2, 29), "P1Y", date(2025, 3, 1), date(2025, 2, 28)),
        (date(2023, 11, 30), "P3M", date(2024, 3, 1), date(2024, 2, 29)),
        (date(2024, 1, 31), "P1M1W", date(2024, 3, 8), date(2024, 3, 7)),
        (date(2024, 1, 15), "P1Y7D", date(2025, 1, 22), date(2025, 1, 22)),
    ],
)
def test_a_missing_day_follows_the_named_rule(born: date, span: str, rolled: date, clamped: date) -> None:
    assert Span.parse(span).after(born, DateRule.FIRST_OF_NEXT_MONTH) == rolled
    assert Span.parse(span).after(born, DateRule.LAST_OF_MONTH) == clamped


@pytest.mark.parametrize("text", ["", "P", "1M", "PT24H", "P-1M", "P1D1M", "p1m", "P1.5M"])
def test_a_duration_that_is_not_calendar_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        Span.parse(text)


def test_a_late_first_dose_moves_the_second_and_never_makes_both_due() -> None:
    born = date(2026, 1, 10)
    late = date(2026, 6, 25)
    before = items_of(child(born), [], late)
    assert before["dtp_hepb_hib", 1].status is Status.OVERDUE
    assert before["dtp_hepb_hib", 2].status is Status.UPCOMING
    assert before["dtp_hepb_hib", 2].waits_for == "dtp_hepb_hib/1"
    after = items_of(child(born), [dose("dtwp_hepb_hib", late)], late)
    assert after["dtp_hepb_hib", 1].status is Status.GIVEN
    assert after["dtp_hepb_hib", 2].recommended == date(2026, 7, 25)
    assert after["dtp_hepb_hib", 2].status is Status.UPCOMING and after["dtp_hepb_hib", 2].waits_for is None


def test_a_dose_entered_late_does_not_leave_the_schedule_stuck() -> None:
    born, today = date(2026, 1, 10), date(2026, 6, 25)
    second = dose("dtwp_hepb_hib", date(2026, 4, 12))
    assert items_of(child(born), [second], today)["dtp_hepb_hib", 2].status is Status.OVERDUE
    first = dose("dtwp_hepb_hib", date(2026, 3, 10))
    for history in ([second, first], [first, second]):
        found = items_of(child(born), history, today)
        assert [found["dtp_hepb_hib", n].status for n in (1, 2, 3)] == [
            Status.GIVEN,
            Status.GIVEN,
            Status.OVERDUE,
        ]


def test_a_late_series_is_never_restarted() -> None:
    born = date(2022, 1, 10)
    history = [dose("je_inactivated", date(2023, 1, 10)), dose("je_inactivated", date(2025, 6, 1))]
    found = items_of(child(born), history, date(2025, 7, 1))
    assert [found["je", n].status for n in (1, 2)] == [Status.GIVEN, Status.GIVEN]
    assert found["je", 3].recommended == date(2026, 6, 1)


def test_a_dose_given_too_early_does_not_count_and_is_told() -> None:
    born = date(2026, 1, 10)
    early = dose("measles", date(2026, 10, 9))
    found = items_of(child(born), [early], date(2026, 10, 9))["measles", 1]
    assert found.status is Status.UPCOMING and found.because.rule == "repeat_after_early_dose"
    [told] = found.because.evidence
    assert (told.record_id, told.verdict, told.valid_from) == (
        early.record_id,
        Verdict.TOO_EARLY,
        date(2026, 10, 10),
    )
    assert found.recommended == date(2026, 11, 6), "28 days after the early dose"
    early_mmr = items_of(child(born), [dose("mmr", date(2026, 10, 9))], date(2026, 10, 9))
    assert early_mmr["measles", 1].because.evidence != ()
    assert early_mmr["mr", 2].because.evidence == (), "told once, where it was meant"


def test_a_combination_dose_is_not_blamed_in_a_series_that_was_not_open() -> None:
    born = date(2024, 1, 31)
    history = [dose("hexa", date(2024, 3, 31)), dose("hexa", date(2024, 4, 20), "early")]
    found = items_of(child(born), history, date(2024, 10, 31))
    for series, number in (("dtp_hepb_hib", 2), ("opv", 2)):
        assert [
            e.record_id for e in found[series, number].because.evidence if e.verdict is Verdict.TOO_EARLY
        ] == ["early"]
    assert (
        found["ipv", 1].because.evidence == ()
        and found["dtp_booster1", 4].because.rule != "repeat_after_early_dose"
    )


def test_an_upper_age_is_exclusive() -> None:
    born = date(2025, 3, 5)
    day_before = dose("bcg", date(2026, 3, 4))
    assert items_of(child(born), [day_before], date(2026, 3, 5))["bcg", 1].status is Status.GIVEN
    assert (
        items_of(child(born), [dose("bcg", date(2026, 3, 5))], date(2026, 3, 5))["bcg", 1].status
        is Status.AGED_OUT
    )


def test_a_dose_that_cannot_be_given_in_time_is_aged_out() -> None:
    born = date(2021, 5, 31)
    found = items_of(child(born), [], date(2026, 11, 22))
    assert found["je", 1].status is Status.OVERDUE and found["je", 3].status is Status.AGED_OUT


def test_the_same_dose_reported_twice_counts_once_and_is_not_called_early() -> None:
    born = date(2026, 1, 10)
    history = [dose("dtwp_hepb_hib", date(2026, 3, 10), name) for name in ("hospital", "station")]
    found = items_of(child(born), history, date(2026, 3, 11))
    assert found["dtp_hepb_hib", 2].recommended == date(2026, 4, 10)
    assert {e.verdict for e in found["dtp_hepb_hib", 2].because.evidence} == {
        Verdict.COUNTED,
        Verdict.DUPLICATE,
    }


def test_measles_and_mr_are_not_due_at_once() -> None:
    born, today = date(2025, 1, 10), date(2026, 11, 20)
    before = items_of(child(born), [], today)
    assert before["measles", 1].status is Status.OVERDUE and before["mr", 2].waits_for == "measles/1"
    after = items_of(child(born), [dose("mmr", today)], today)
    assert after["measles", 1].status is Status.GIVEN
    assert after["mr", 2].recommended == today + timedelta(days=28)
    assert after["mr", 2].because.evidence == (), "a dose counted before is no dose of this series"


def test_an_adult_is_not_asked_for_childhood_doses() -> None:
    found = items_of(child(date(1985, 4, 1)), [], date(2026, 11, 20))
    assert {series for series, _ in found} == {"annual_checkup"}


def test_past_the_catch_up_age_the_station_is_asked_instead_of_pushing() -> None:
    found = items_of(child(date(2016, 1, 10)), [], date(2026, 11, 20))
    for key in (("measles", 1), ("mr", 2), ("ipv", 1), ("td_booster2", 5)):
        assert found[key].status is Status.ASK_STATION and not found[key].remindable, key


def test_an_unconfirmed_dose_is_never_remindable() -> None:
    unsure = {key for key, (s, d) in DOSES.items() if d.confidence != "found" and not s.only_begun}
    assert {("rota", 1), ("pcv", 3), ("hpv", 2)} <= unsure
    for today in (date(2026, 3, 1), date(2026, 11, 20)):
        found = items_of(child(date(2026, 1, 10)), [], today)
        assert {found[key].status for key in unsure} == {Status.ASK_STATION}
        assert not any(found[key].remindable for key in unsure)


def test_sex_and_province_gates() -> None:
    found = items_of(child(date(2015, 1, 10), "male"), [], date(2026, 11, 20))
    assert (found["hpv", 1].status, found["hpv", 1].because.rule) == (Status.NOT_ELIGIBLE, "sex")
    assert items_of(child(date(2015, 1, 10)), [], date(2026, 11, 20))["hpv", 1].status is Status.ASK_STATION


def test_nothing_is_planned_for_the_dead() -> None:
    assert plan(child(date(2026, 1, 10), deceased=True), [], PROGRAMMES, date(2026, 11, 20)) == ()


def test_a_programme_out_of_force_plans_nothing() -> None:
    assert plan(child(date(2018, 1, 10)), [], PROGRAMMES, date(2018, 6, 1)) == ()


def test_one_accepted_exam_in_the_calendar_year_is_enough() -> None:
    facts, exam = child(date(1980, 6, 15)), Exam("employment", date(2026, 2, 1), "x1")
    found = items_of(facts, [exam], date(2026, 11, 20))
    assert found["annual_checkup", 2026].status is Status.GIVEN
    assert found["annual_checkup", 2027].recommended == date(2027, 2, 1)
    assert found["annual_checkup", 2027].waits_for is None


def test_an_exam_of_another_kind_or_year_does_not_count() -> None:
    facts = child(date(1980, 6, 15))
    exams = [Exam("antenatal", date(2026, 2, 1), "x1"), Exam("periodic", date(2025, 12, 31), "x2")]
    found = items_of(facts, exams, date(2026, 11, 20))["annual_checkup", 2026]
    assert (found.status, found.recommended) == (Status.UPCOMING, date(2026, 12, 31))
    assert items_of(facts, exams[:1], date(2026, 11, 20))["annual_checkup", 2026].status is Status.OVERDUE
    assert (
        items_of(facts, exams, date(2026, 11, 20))["annual_checkup", 2027].waits_for == "annual_checkup/2026"
    )


def test_items_survive_their_plain_form() -> None:
    history: list[Care] = [dose("measles", date(2026, 10, 9)), Exam("child", date(2026, 5, 1), "x")]
    found = plan(child(date(2026, 1, 10)), history, PROGRAMMES, date(2026, 11, 20))
    assert tuple(DueItem.from_plain(item.to_plain()) for item in found) == found
