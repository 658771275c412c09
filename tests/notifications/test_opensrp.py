"""Six mistakes that OpenSRP's users reported of its schedules (issues 223 and 571), each asked of ours."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from notifications.model import Status
from tests.notifications.lives import ACTIVE, BY_ID, child, dose, items_of


def test_opensrp_223_a_birth_dose_is_not_overdue_for_a_three_year_old() -> None:
    found = items_of(child(date(2023, 11, 1)), [], date(2026, 11, 20))
    for key in (("hepb_birth", 0), ("bcg", 1), ("opv", 1)):
        assert found[key].status is Status.AGED_OUT and not found[key].remindable, key


def test_opensrp_223_bcg_is_due_at_three_weeks() -> None:
    born = date(2026, 10, 30)
    for age in range(30):
        found = items_of(child(born), [], born + timedelta(days=age))["bcg", 1]
        assert found.status is Status.DUE and found.remindable, age
    assert items_of(child(born), [], born + timedelta(days=31))["bcg", 1].status is Status.OVERDUE


def test_opensrp_223_two_polio_doses_are_never_due_at_once() -> None:
    born = date(2026, 1, 10)
    history = []
    for day in range(0, 400, 7):
        today = born + timedelta(days=day)
        found = items_of(child(born), history, today)
        waiting = [n for n in (1, 2, 3) if found["opv", n].status in ACTIVE]
        assert len(waiting) <= 1, today
        if waiting and day > 200:
            history.append(dose("bopv", today))
    assert [found["opv", n].status for n in (1, 2, 3)] == [Status.GIVEN] * 3


@pytest.mark.parametrize(
    ("born", "nine_months"),
    [
        (date(2024, 5, 31), date(2025, 3, 1)),
        (date(2024, 12, 31), date(2025, 10, 1)),
        (date(2025, 8, 31), date(2026, 5, 31)),
        (date(2024, 5, 29), date(2025, 3, 1)),
    ],
)
def test_opensrp_223_measles_is_not_due_a_day_early_at_the_end_of_a_month(
    born: date, nine_months: date
) -> None:
    day_before = nine_months - timedelta(days=1)
    assert items_of(child(born), [], day_before)["measles", 1].status is Status.UPCOMING
    assert items_of(child(born), [], nine_months)["measles", 1].status is Status.DUE
    early = items_of(child(born), [dose("measles", day_before)], nine_months)["measles", 1]
    assert early.status is not Status.GIVEN
    on_time = items_of(child(born), [dose("measles", nine_months)], nine_months)["measles", 1]
    assert on_time.status is Status.GIVEN


def test_opensrp_223_every_dose_has_its_own_label() -> None:
    programme = BY_ID["epi_routine"]
    for locale in ("vi", "en"):
        titles = [programme.title_of(series.id, locale) for series in programme.series]
        assert len(titles) == len(set(titles))
    labels = {
        "opv": "Bại liệt uống (bOPV)",
        "ipv": "Bại liệt tiêm (IPV)",
        "measles": "Sởi",
        "bcg": "Lao (BCG)",
    }
    assert {name: programme.title_of(name, "vi") for name in labels} == labels
    oral = items_of(child(date(2026, 1, 10)), [dose("bopv", date(2026, 3, 10))], date(2026, 3, 11))
    assert (oral["opv", 1].status, oral["ipv", 1].status) == (Status.GIVEN, Status.UPCOMING)


def test_opensrp_571_a_dose_entered_late_does_not_leave_the_schedule_stuck() -> None:
    born, today = date(2026, 1, 10), date(2026, 9, 1)
    first, second, third = (dose("dtwp_hepb_hib", date(2026, month, 12)) for month in (3, 4, 5))
    without_first = items_of(child(born), [second, third], today)
    assert without_first["dtp_hepb_hib", 3].status is Status.OVERDUE
    entered_late = items_of(child(born), [second, third, first], today)
    assert [entered_late["dtp_hepb_hib", n].status for n in (1, 2, 3)] == [Status.GIVEN] * 3
    assert entered_late["dtp_booster1", 4].waits_for is None
