"""People: who is linked to whom, and above all who is not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest

from tests.identity.world import World, told_in
from wallet_api.identity.errors import (
    BadIdentifier,
    CitizenUnknown,
    IdentityConflict,
    IdentityMismatch,
    Taken,
    UnderAge,
)
from wallet_api.identity.identifiers import fits_person, look_up_key, normal_form
from wallet_api.identity.model import Account, Identifier, Profile
from wallet_api.identity.people import PersonClaims

BORN = date(1994, 3, 12)
AN = Account("https://vneid", "an")
NUMBER = "001194999001"


def told(number: str | None = NUMBER, born: date = BORN, name: str = "Nguyễn Thị An") -> PersonClaims:
    return PersonClaims(Profile(name, born, "female", "+84900099001"), number)


def test_the_same_account_is_the_same_person_whatever_the_name(world: World) -> None:
    people = world.identity.people
    first = people.sign_in(AN, told())
    assert people.sign_in(AN, told(name="Nguyễn Thị Ân")) == first
    assert people.profile(first).name == "Nguyễn Thị Ân"


def test_a_registered_person_is_linked_by_number_and_birth_date(world: World) -> None:
    people = world.identity.people
    known = people.register(Profile("An", BORN, "female"), [Identifier("national_id", NUMBER)])
    assert people.sign_in(AN, told()) == known
    assert people.sign_in(AN, told(number=None)) == known


def test_a_known_number_with_another_birth_date_is_never_linked(world: World) -> None:
    people = world.identity.people
    known = people.register(Profile("An", BORN, "female"), [Identifier("national_id", NUMBER)])
    with pytest.raises(IdentityMismatch):
        people.sign_in(AN, told(born=date(1994, 12, 3)))
    assert [(one.kind, one.citizen_id) for one in world.identity.reviews.open()] == [
        ("birth_date_mismatch", known)
    ]
    assert people.citizen(known).accounts == ()


def test_the_app_is_told_of_a_mismatch_by_code_alone(world: World) -> None:
    world.identity.people.register(
        Profile("An", date(1990, 1, 1), "female"), [Identifier("national_id", NUMBER)]
    )
    browser = world.browser()
    _, asked = world.begin(browser)
    answer = world.back(browser, asked)
    told_back = told_in(answer.headers["Location"])
    assert (told_back["error"], told_back["error_description"]) == ("access_denied", "identity_mismatch")
    assert "1994" not in answer.headers["Location"]


def test_a_second_account_with_the_same_number_is_blocked_and_reviewed(world: World) -> None:
    people = world.identity.people
    first = people.sign_in(AN, told())
    with pytest.raises(IdentityConflict):
        people.sign_in(Account("https://vneid", "somebody"), told())
    assert world.identity.reviews.open()[0].kind == "account_conflict"
    assert people.citizen(first).accounts == (AN,)


def test_a_changed_number_keeps_the_person_and_the_history(world: World) -> None:
    people = world.identity.people
    first = people.sign_in(AN, told())
    world.clock.forward(days=10)
    assert people.sign_in(AN, told(number="001394999001")) == first
    assert people.resolve("national_id", "001394999001") == first
    assert people.resolve("national_id", NUMBER) is None
    history = people.identifier_history(first)
    assert [one.masked[-4:] for one in history] == ["9001", "9001"]
    assert history[0].valid_to == date(2026, 11, 11)
    assert [one.valid_from for one in people.masked_identifiers(first)] == [date(2026, 11, 12)]


def test_an_account_that_tells_somebody_elses_number_is_blocked(world: World) -> None:
    people = world.identity.people
    people.register(Profile("Bình", BORN, "male"), [Identifier("national_id", "079072999002")])
    people.sign_in(AN, told())
    with pytest.raises(IdentityConflict):
        people.sign_in(AN, told(number="079072999002"))
    assert world.identity.reviews.open()[0].kind == "number_conflict"


def test_an_old_number_links_nobody(world: World) -> None:
    people = world.identity.people
    known = people.register(Profile("An", BORN, "female"), [Identifier("national_id", NUMBER)])
    people.change_number(known, Identifier("national_id", "001394999001"))
    with pytest.raises(IdentityConflict):
        people.sign_in(AN, told())


def test_an_account_that_tells_another_birth_date_is_refused(world: World) -> None:
    people = world.identity.people
    people.sign_in(AN, told())
    with pytest.raises(IdentityMismatch):
        people.sign_in(AN, told(born=date(1995, 1, 1)))


def test_somebody_without_a_number_has_an_account_too(world: World) -> None:
    people = world.identity.people
    first = people.sign_in(AN, told(number=None))
    assert people.sign_in(AN, told(number=None)) == first
    assert people.sign_in(Account("https://vneid", "emma"), told(number=None)) != first


def test_somebody_under_fourteen_has_no_own_account_until_the_birthday_in_vietnam(world: World) -> None:
    people, born = world.identity.people, date(2012, 11, 3)
    world.clock.forward(hours=13, minutes=59)
    with pytest.raises(UnderAge):
        people.sign_in(AN, told(born=born))
    world.clock.forward(minutes=1)
    assert people.sign_in(AN, told(born=born))


def test_sixteen_first_sign_ins_at_once_make_one_person(world: World) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda _: world.identity.people.sign_in(AN, told()), range(16)))
    assert len(found) == 1


def test_a_number_is_registered_once(world: World) -> None:
    people = world.identity.people
    people.register(Profile("An", BORN), [Identifier("national_id", NUMBER)])
    with pytest.raises(Taken):
        people.register(Profile("Bình", BORN), [Identifier("national_id", NUMBER)])


def test_resolving_costs_one_operation_hit_or_miss(world: World) -> None:
    people = world.identity.people
    calls: list[str] = []
    owner = people._citizens.owner
    people._citizens.owner = lambda kind, value: calls.append(value) or owner(kind, value)  # type: ignore[method-assign]  # counted
    people._citizens.get = None  # type: ignore[assignment,method-assign]  # a call would raise
    assert people.resolve("national_id", "001194999009") is None
    assert len(calls) == 1
    with pytest.raises(BadIdentifier):
        people.resolve("national_id", "12345")


def test_both_writings_of_an_insurance_number_find_the_person(world: World) -> None:
    people = world.identity.people
    known = people.register(Profile("An", BORN), [Identifier("insurance_number", "DN4010123456789")])
    assert people.resolve("insurance_number", "0123456789") == known
    assert people.resolve("insurance_number", " dn4010123456789 ") == known
    assert people.resolve("insurance_number", "0123456780") is None


@pytest.mark.parametrize("number", ["", "12345678901", "1234567890123", "00119499900x", "٠٠١١٩٤٩٩٩٠٠١"])
def test_a_malformed_national_number_is_refused(number: str) -> None:
    with pytest.raises(BadIdentifier):
        normal_form("national_id", number)


@pytest.mark.parametrize("number", ["", "123456789", "XX9010123456789", "DN401012345678", "dn-4010123456789"])
def test_a_malformed_insurance_number_is_refused(number: str) -> None:
    with pytest.raises(BadIdentifier):
        look_up_key("insurance_number", number)


def test_century_sex_and_year_digits_are_compared_as_a_hint() -> None:
    assert fits_person(NUMBER, "female", BORN)
    assert fits_person("001212999001", "male", date(2012, 1, 1))
    assert not fits_person(NUMBER, "male", BORN)
    assert not fits_person(NUMBER, "female", date(2094, 3, 12))
    assert not fits_person(NUMBER, "female", date(1995, 3, 12))
    assert fits_person(NUMBER, "unknown", BORN)


def test_an_absent_citizen_is_unknown(world: World) -> None:
    with pytest.raises(CitizenUnknown):
        world.identity.people.profile("nobody")


def test_death_is_a_fact(world: World) -> None:
    people = world.identity.people
    known = people.register(Profile("An", BORN, "female", province="01"))
    assert not people.facts(known).deceased
    people.record_death(known, date(2026, 11, 1))
    assert people.facts(known).deceased
    assert people.facts(known).born == BORN


def test_personal_values_do_not_show_in_a_representation() -> None:
    shown = repr((told(), AN, Identifier("national_id", NUMBER)))
    for secret in (NUMBER, "Nguyễn", "1994", "9000"):
        assert secret not in shown
