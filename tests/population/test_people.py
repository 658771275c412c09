"""The made-up people and their books: repeatable, plausible, and as the intake would have them."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import date
from typing import Any

import pytest
import rfc8785

from notifications.vaccines import vaccine_for
from wallet_api.audit.chain import canonical
from wallet_api.identity.identifiers import fits_person, normal_form
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.keystore import MemoryKeyStore
from wallet_api.records.bundle import NATIONAL_ID, read_bundle
from wallet_api.wiring.population.books import book_of
from wallet_api.wiring.population.chance import told
from wallet_api.wiring.population.filling import Maker, content_of
from wallet_api.wiring.population.people import MOST, SHARD, Someone, people_of
from wallet_api.wiring.population.providers import providers

DAY = date(2026, 11, 23)
SHARDS = (0, 1, 2, 3)


@pytest.fixture(scope="module")
def everybody() -> list[Someone]:
    return [one for shard in SHARDS for one in people_of(1, shard, DAY)]


@pytest.fixture(scope="module")
def books(everybody: list[Someone]) -> list[tuple[Someone, list[Any]]]:
    whole = [(shard, one) for shard in SHARDS for one in everybody[shard * SHARD : (shard + 1) * SHARD]]
    return [(one, book_of(1, shard, one, DAY)) for shard, one in whole]


def test_the_same_seed_makes_the_same_contents_and_another_seed_others() -> None:
    keys = MemoryKeyStore()

    def digest(seed: int) -> str:
        made = Maker(BlindIndex(keys), seed, DAY).make(2, 40)
        return hashlib.sha256(content_of(made)).hexdigest()

    assert digest(7) == digest(7)
    assert digest(7) != digest(8)


def test_a_smaller_shard_is_the_beginning_of_a_larger() -> None:
    maker = Maker(BlindIndex(MemoryKeyStore()), 1, DAY)
    few, more = maker.make(0, 30), maker.make(0, 60)
    assert few.citizens == more.citizens[:30]
    assert few.newest == more.newest[: len(few.newest)]


def test_numbers_have_the_form_fit_the_person_and_are_kept_for_made_up_people(
    everybody: list[Someone],
) -> None:
    numbers = [one.number for one in everybody if one.number is not None]
    assert len(set(numbers)) == len(numbers) > 0.98 * len(everybody)
    for one in everybody:
        if one.number is not None:
            assert fits_person(normal_form("national_id", one.number), one.sex, one.born)
            assert "990000" <= one.number[6:] < "999000", "999xxx belongs to the demonstration"
            assert one.number[:3] in one.province.prefixes
    insured = [one.insurance for one in everybody if one.insurance is not None]
    assert len(set(insured)) == len(insured)
    assert all(normal_form("insurance_number", each) == each for each in insured)


def test_the_last_shard_has_numbers_of_its_own() -> None:
    last = MOST // SHARD - 1
    numbers = [one.number for one in people_of(1, last, DAY) if one.number is not None]
    assert all("990000" <= each[6:] < "999000" for each in numbers)
    assert not set(numbers) & {one.number for one in people_of(1, last - 1, DAY)}


def test_ages_follow_the_pyramid(everybody: list[Someone]) -> None:
    young = sum(one.age_on(DAY) < 15 for one in everybody) / len(everybody)
    old = sum(one.age_on(DAY) >= 65 for one in everybody) / len(everybody)
    women = sum(one.sex == "female" for one in everybody) / len(everybody)
    assert 0.18 < young < 0.29
    assert 0.06 < old < 0.13
    assert 0.45 < women < 0.56


def test_children_have_parents_of_a_fitting_age_and_mostly_their_fathers_name(
    everybody: list[Someone],
) -> None:
    named = children = 0
    for shard in SHARDS:
        there = everybody[shard * SHARD : (shard + 1) * SHARD]
        for child in (one for one in there if one.age_on(DAY) < 18):
            children += 1
            parents = [there[place] for place in child.guardians]
            assert all(15 <= (child.born - each.born).days / 365.25 <= 60 for each in parents)
            named += any(each.name.split()[0] == child.name.split()[0] for each in parents)
    assert children > 150
    assert named > 0.8 * children


def test_there_are_twenty_records_a_head_with_the_faults_of_real_life(
    books: list[tuple[Someone, list[Any]]],
) -> None:
    entries = [(one, entry) for one, book in books for entry in book]
    found: Counter[str] = Counter()
    for _, entry in entries:
        (resource, came), *later = entry.versions
        occurred = str(resource.get("occurrenceDateTime") or resource.get("effectiveDateTime") or "")
        found["corrected"] += bool(later)
        found["in error"] += any(
            each["status"] == "entered-in-error" for each, _ in later if "status" in each
        )
        found["month only"] += len(occurred) == 7
        if len(occurred) == 10:
            waited = (came.date() - max(date.fromisoformat(occurred), date(2024, 6, 1))).days
            found["months late"] += waited > 60
    for _, book in books:
        days = [str(entry.versions[0][0].get("effectiveDateTime", "")) for entry in book]
        said = [each for each in days if each]
        found["out of order"] += said != sorted(said)
    doses = Counter(
        (one.id, entry.versions[0][0]["occurrenceDateTime"], str(entry.versions[0][0]["vaccineCode"]))
        for one, entry in entries
        if entry.versions[0][0]["resourceType"] == "Immunization"
    )
    found["told twice"] = sum(count > 1 for count in doses.values())
    print(dict(found), f"of {len(entries)} records")
    assert 18 < len(entries) / len(books) < 22
    kinds = ("corrected", "in error", "month only", "months late", "out of order", "told twice")
    assert all(found[kind] for kind in kinds), found


def test_the_fingerprint_of_a_resource_is_the_one_the_intake_takes(
    books: list[tuple[Someone, list[Any]]],
) -> None:
    for _, book in books[::7]:
        for entry in book:
            for resource, _ in entry.versions:
                assert canonical(resource) == rfc8785.dumps(dict(resource))


def test_the_intake_takes_every_resource_as_it_is(books: list[tuple[Someone, list[Any]]]) -> None:
    taken = 0
    for one, book in books[::25]:
        for version in (0, -1):
            resources = [dict(entry.versions[version][0]) for entry in book]
            if not resources:
                continue
            subject = next(each.get("subject") or each.get("patient") for each in resources)["reference"]
            patient = {
                "resourceType": "Patient",
                "id": subject.removeprefix("Patient/"),
                "birthDate": one.born.isoformat(),
                "identifier": [{"system": NATIONAL_ID, "value": "001190999001"}],
            }
            sent = {"resourceType": "Bundle", "type": "collection"}
            sent["entry"] = [{"resource": each} for each in (patient, *resources)]
            entries = read_bundle(sent).entries
            filed = [each for each in entries if not each.supporting]
            assert [each.fault for each in filed] == [None] * len(resources)
            assert [each.resource for each in filed] == resources
            taken += len(filed)
    print(f"{taken} resources taken as they are")
    assert taken > 1000


def test_every_dose_counts_for_a_vaccine_the_planner_knows() -> None:
    for row in told("doses")["doses"]:
        assert vaccine_for([("http://hl7.org/fhir/sid/cvx", row["cvx"])]) is not None, row


def test_providers_are_told_apart_by_every_number() -> None:
    made = [each.organisation for each in providers()]
    assert len({each.id for each in made}) == len(made)
    assert len({each.gln for each in made}) == len(made)
    codes = [each.facility_code for each in made if each.facility_code]
    assert len(set(codes)) == len(codes)
    assert all(code.startswith("99") for code in codes)
