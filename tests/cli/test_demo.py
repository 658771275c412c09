"""The demonstration: made once, whole, and never over somebody's real data."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from wallet_api.context import Services
from wallet_api.infra.clock import FileClock
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import open_database
from wallet_api.settings import Settings
from wallet_api.wiring import build_services
from wallet_api.wiring.demo import (
    REDIRECTS,
    already_seeded,
    demo_marked,
    demo_organisations,
    demo_patients,
    provider_key,
    seed_demo,
)

Db = Database[dict[str, Any]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_env({"WALLET_ENV": "dev", "WALLET_DATA_DIR": str(tmp_path)})


@pytest.fixture(scope="module")
def seeded_db(embedded_uri: str) -> Iterator[Db]:
    db = open_database(embedded_uri, f"demo_{new_id()}")
    yield db
    db.client.close()


@pytest.fixture(scope="module")
def seeded(seeded_db: Db, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A demonstration that is only looked at: made once."""
    assert demo_marked(seeded_db)
    folder = tmp_path_factory.mktemp("demo")
    settings = Settings.from_env({"WALLET_ENV": "dev", "WALLET_DATA_DIR": str(folder)})
    services = build_services(settings, seeded_db)
    seed_demo(services, seeded_db, settings)
    yield services
    services.log.close()


def test_an_empty_database_is_marked_and_one_with_data_never(embedded_db: Db) -> None:
    embedded_db["citizens"].insert_one({"_id": "somebody"})
    assert not demo_marked(embedded_db)
    embedded_db["citizens"].delete_one({"_id": "somebody"})
    assert demo_marked(embedded_db)
    embedded_db["citizens"].insert_one({"_id": "somebody"})
    assert demo_marked(embedded_db), "the mark stays"


def test_a_database_without_the_marker_is_never_seeded(settings: Settings, embedded_db: Db) -> None:
    services = build_services(settings, embedded_db)
    with pytest.raises(ValueError, match="not a demonstration"):
        seed_demo(services, embedded_db, settings)
    services.log.close()
    assert embedded_db["citizens"].count_documents({}) == 0


def test_seeding_again_adds_nothing(seeded: Services, seeded_db: Db) -> None:
    names = ("citizens", "records", "organisations", "guardianships", "oauth_clients")
    before = {name: seeded_db[name].count_documents({}) for name in seeded_db.list_collection_names()}
    assert already_seeded(seeded_db)
    seed_demo(seeded, seeded_db, seeded.settings)
    after = {name: seeded_db[name].count_documents({}) for name in before}
    grown = {name for name in after if after[name] != before[name]}
    assert grown <= {"audit_log", "intakes"}, names


def test_only_the_measles_rubella_dose_of_the_child_is_late(seeded: Services) -> None:
    child = demo_patients(seeded.settings, seeded.now)["minh"]
    child_id = seeded.identity.people.resolve("national_id", child.number)
    assert child_id is not None
    items = seeded.reminding.planning.forecast(child_id)
    late = {
        (each.series_id, each.dose)
        for each in items
        if each.remindable and each.status.value in ("due", "overdue")
    }
    assert late == {("mr", 2)}


def test_every_demo_record_finds_its_person_before_any_sign_in(seeded: Services) -> None:
    people = seeded.identity.people
    for patient in demo_patients(seeded.settings, seeded.now).values():
        found = people.resolve("national_id", patient.number)
        assert found is not None and people.facts(found).born == patient.birth_date


def test_the_mother_acts_for_the_child(seeded: Services) -> None:
    patients = demo_patients(seeded.settings, seeded.now)
    mother, child = (
        seeded.identity.people.resolve("national_id", patients[one].number) for one in ("an", "minh")
    )
    assert mother is not None and child is not None
    assert seeded.identity.family.acts_for(mother, child, seeded.now())
    assert not seeded.identity.family.acts_for(child, mother, seeded.now())


def test_provider_keys_are_for_their_owner_alone(seeded: Services) -> None:
    for organisation in demo_organisations():
        path = provider_key(seeded.settings, organisation)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_apps_are_sent_back_to_this_machine_alone(seeded: Services) -> None:
    for client_id, redirect in REDIRECTS.items():
        assert seeded.identity.clients.get(client_id).redirect_uris == (redirect,)
        assert redirect.startswith("http://127.0.0.1/")


def test_the_books_are_the_same_for_the_same_seed_day(tmp_path: Path) -> None:
    clock = FileClock(tmp_path / "clock")
    one, other = (
        demo_patients(
            Settings.from_env({"WALLET_ENV": "dev", "WALLET_DATA_DIR": str(tmp_path / name)}), clock
        )
        for name in ("one", "other")
    )
    assert one == other and one["minh"].birth_date < date(2200, 1, 1)
