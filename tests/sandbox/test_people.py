from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sandbox.test_conditions import demo_settings
from wallet_api.sandbox.folder import keep_once, replace_file, seed_day
from wallet_api.sandbox.people import load_organisations, load_people, number_of, subject_of

DAYS = st.dates(date(2026, 1, 1), date(2045, 12, 31))


@given(DAYS)
def test_every_number_agrees_with_sex_century_and_birth_year(day: date) -> None:
    people = load_people(day)
    for person in (*people.citizens, *people.dependents):
        assert len(person.number) == 12
        assert person.number.isdecimal()
        assert int(person.number[3]) % 2 == (person.sex == "female")
        assert 1900 + int(person.number[3]) // 2 * 100 + int(person.number[4:6]) == person.birth_date.year
        assert person.number[6:9] == "999"


@given(DAYS)
def test_ages_hold_whenever_the_demo_begins(day: date) -> None:
    people = load_people(day)
    child = people.dependents[0]
    months = (day.year - child.birth_date.year) * 12 + day.month - child.birth_date.month
    assert months - (day.day < child.birth_date.day) in (18, 19)
    ages = {one.id: (day - one.birth_date).days / 365.25 for one in people.citizens}
    assert 71 < ages["cuc"] < 72
    assert 15 < ages["duc"] < 16
    assert all(ages[one] >= 18 for one in ("an", "binh", "emma"))


def test_ids_numbers_and_phones_are_told_apart() -> None:
    people = load_people(date(2026, 11, 21))
    everyone = [*people.citizens, *people.dependents]
    assert len({one.number for one in everyone}) == len(everyone)
    assert len({one.phone for one in people.citizens}) == len(people.citizens)
    ids = [one.id for one in (*everyone, *people.staff)]
    assert len(set(ids)) == len(ids)


def test_the_child_has_a_guardian_with_an_account_and_none_of_its_own() -> None:
    people = load_people(date(2026, 11, 21))
    child = people.dependents[0]
    assert people.find("citizen", child.guardian)
    assert people.find("citizen", child.id) is None


def test_citizens_and_staff_do_not_sign_in_at_each_others_door() -> None:
    people = load_people(date(2026, 11, 21))
    assert people.find("ops", "an") is None
    assert people.find("citizen", "ops-operator") is None
    assert {role for one in people.staff for role in one.roles} == {"operator", "reviewer", "registrar"}


def test_subjects_are_opaque_and_pairwise() -> None:
    assert subject_of("citizen", "an") == subject_of("citizen", "an")
    assert subject_of("citizen", "an") != subject_of("ops", "an")
    assert len(subject_of("citizen", "an")) == 26


@pytest.mark.parametrize(
    ("sex", "year", "digit"),
    [("male", 1999, "0"), ("female", 1999, "1"), ("male", 2000, "2"), ("female", 2101, "5")],
)
def test_the_fourth_digit_says_century_and_sex(sex, year: int, digit: str) -> None:
    assert number_of("001", sex, date(year, 1, 2), "999001") == f"001{digit}{year % 100:02d}999001"


def test_organisations_have_well_formed_codes_and_two_practitioners() -> None:
    found = load_organisations()
    assert {one.kind for one in found} == {"hospital", "commune_station", "insurer"}
    for one in found:
        digits = [int(digit) for digit in one.gln]
        assert sum(digit * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10 == 0
        assert len(digits) == 13
        assert one.facility_code is None or len(one.facility_code) == 5
        assert len(one.practitioners) == 2
        assert one.purposes
        assert set(one.writes) <= set(one.reads)
    assert (found[0].facility_code, found[0].gln) == ("99001", "2990000990013")


def test_the_seed_day_is_the_first_vietnamese_day_and_stays(tmp_path: Path) -> None:
    settings = demo_settings(tmp_path)
    late_evening_utc = datetime(2026, 11, 20, 18, tzinfo=UTC)
    assert seed_day(settings, lambda: late_evening_utc) == date(2026, 11, 21)
    assert seed_day(settings, lambda: late_evening_utc + timedelta(days=400)) == date(2026, 11, 21)


def test_kept_files_are_made_once_private_and_leave_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert keep_once(path, lambda: b"one") == b"one"
    assert keep_once(path, lambda: b"two") == b"one"
    replace_file(path, b"three")
    assert path.read_bytes() == b"three"
    assert path.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == [path]


def test_whoever_loses_the_race_for_a_kept_file_gets_the_winners_content(tmp_path: Path) -> None:
    path = tmp_path / "key"

    def beaten() -> bytes:
        path.write_bytes(b"winner")
        return b"loser"

    assert keep_once(path, beaten) == b"winner"
    assert list(tmp_path.iterdir()) == [path]
