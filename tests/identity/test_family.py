"""Families: a guardian's reach begins with a registrar and ends with a day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.identity.world import World
from wallet_api.identity.ages import AGES, birthday, has_reached
from wallet_api.identity.errors import CitizenUnknown, GuardianshipRefused, GuardianshipUnknown, StaleVersion
from wallet_api.identity.model import Guardianship, Profile


def people_of(world: World, born: date = date(2025, 4, 1)) -> tuple[str, str]:
    register = world.identity.people.register
    return register(Profile("An", date(1994, 3, 12))), register(Profile("Minh", born))


def standing(world: World, born: date = date(2025, 4, 1)) -> Guardianship:
    guardian, child = people_of(world, born)
    family = world.identity.family
    asked = family.propose(
        guardian, child, relation="minor", evidence_kind="birth_certificate", valid_from=date(2026, 11, 1)
    )
    return family.confirm(asked.id, verified_by="registrar")


def test_a_proposal_gives_nothing_until_a_registrar_confirms(world: World) -> None:
    guardian, child = people_of(world)
    family = world.identity.family
    asked = family.propose(
        guardian, child, relation="minor", evidence_kind="birth_certificate", valid_from=date(2026, 11, 1)
    )
    assert not family.acts_for(guardian, child, world.clock())
    assert family.waiting() == [asked]
    family.confirm(asked.id, verified_by="registrar")
    assert family.acts_for(guardian, child, world.clock())
    assert not family.acts_for(child, guardian, world.clock())
    assert family.waiting() == []


def test_full_age_ends_it_with_the_first_second_of_the_birthday_in_vietnam(world: World) -> None:
    one = standing(world, date(2008, 11, 5))
    acts_for = world.identity.family.acts_for
    midnight = datetime(2026, 11, 4, 17, 0, tzinfo=UTC)
    assert acts_for(one.guardian_id, one.dependent_id, midnight - timedelta(seconds=1))
    assert not acts_for(one.guardian_id, one.dependent_id, midnight)


def test_it_does_not_reach_back_before_its_first_day(world: World) -> None:
    one = standing(world)
    before = datetime(2026, 10, 31, 16, 59, 59, tzinfo=UTC)
    acts_for = world.identity.family.acts_for
    assert not acts_for(one.guardian_id, one.dependent_id, before)
    assert acts_for(one.guardian_id, one.dependent_id, before + timedelta(seconds=1))


def test_an_ended_one_ends_at_once(world: World) -> None:
    one, family = standing(world), world.identity.family
    family.end(one.id)
    assert not family.acts_for(one.guardian_id, one.dependent_id, world.clock())
    assert family.guardians_of(one.dependent_id, world.clock()) == []
    assert family.dependents_of(one.guardian_id, world.clock()) == []
    assert family.end(one.id).state == "ended"
    assert [found.state for found in family.of(one.guardian_id)] == ["ended"]


def test_an_elders_carer_keeps_it_past_any_age(world: World) -> None:
    guardian, elder = people_of(world, date(1950, 1, 1))
    family = world.identity.family
    asked = family.propose(
        guardian, elder, relation="adult", evidence_kind="court_decision", valid_from=date(2026, 11, 1)
    )
    family.confirm(asked.id, verified_by="registrar")
    assert family.acts_for(guardian, elder, datetime(2060, 1, 1, tzinfo=UTC))


def test_impossible_relations_are_refused(world: World) -> None:
    guardian, child = people_of(world)
    grown = world.identity.people.register(Profile("Lan", date(2008, 11, 2)))

    def propose(first: str, second: str) -> Guardianship:
        return world.identity.family.propose(
            first, second, relation="minor", evidence_kind="x", valid_from=date(2026, 11, 1)
        )

    with pytest.raises(GuardianshipRefused):
        propose(child, child)
    with pytest.raises(GuardianshipRefused):
        propose(guardian, grown)
    with pytest.raises(CitizenUnknown):
        propose("nobody", child)
    with pytest.raises(CitizenUnknown):
        propose(guardian, "nobody")
    propose(guardian, child)
    with pytest.raises(GuardianshipRefused):
        propose(guardian, child)


def test_only_a_waiting_one_is_confirmed_and_only_once(world: World) -> None:
    one, family = standing(world), world.identity.family
    with pytest.raises(GuardianshipRefused):
        family.confirm(one.id, verified_by="registrar")
    with pytest.raises(GuardianshipUnknown):
        family.confirm("nobody", verified_by="registrar")
    with pytest.raises(StaleVersion):
        family._guardianships.save(one, expected=1)


@given(st.dates(date(1900, 1, 1), date(2100, 12, 31)), st.sampled_from([7, 14, 18]))
def test_an_age_is_reached_on_the_birthday_and_not_the_day_before(born: date, years: int) -> None:
    day = birthday(born, years)
    assert has_reached(born, years, day)
    assert not has_reached(born, years, day - timedelta(days=1))
    assert day.year == born.year + years


def test_ages_are_data_with_a_source() -> None:
    assert (AGES.co_consent, AGES.own_account, AGES.full_age) == (7, 14, 18)
    assert AGES.source


def test_evidence_in_hand_makes_it_stand_in_one_write_and_confirms_a_waiting_one(world: World) -> None:
    family, evidence = world.identity.family, {"relation": "minor", "evidence_kind": "birth_certificate"}
    first_day = date(2026, 11, 1)
    guardian, child = people_of(world)
    made = family.establish(guardian, child, **evidence, valid_from=first_day, verified_by="registrar")
    assert (made.state, made.verified_by) == ("active", "registrar")
    assert family.acts_for(guardian, child, world.clock())
    with pytest.raises(GuardianshipRefused):
        family.establish(guardian, child, **evidence, valid_from=first_day, verified_by="registrar")
    other, waiting = people_of(world)
    asked = family.propose(other, waiting, **evidence, valid_from=first_day)
    assert family.establish(other, waiting, **evidence, valid_from=first_day, verified_by="r").id == asked.id
    assert family.acts_for(other, waiting, world.clock())
    with pytest.raises(GuardianshipRefused):
        family.establish(guardian, guardian, **evidence, valid_from=first_day, verified_by="registrar")
