"""Organisations: their codes are checked, their names are found without marks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.identity.world import World
from wallet_api.identity.errors import BadOrganisation, OrganisationUnknown, StaleVersion, Taken
from wallet_api.identity.model import Organisation
from wallet_api.identity.organisations import folded_words

HUE = Organisation("hue", "Trạm Y tế xã Đông Hoà", "Dong Hoa Station", "commune_station", gln="8934285008135")


@pytest.mark.parametrize("code", ["", "1234", "123456", "12 45", "é1234"])
def test_a_malformed_facility_code_is_refused(world: World, code: str) -> None:
    with pytest.raises(BadOrganisation):
        world.identity.organisations.add(replace(HUE, facility_code=code))


@pytest.mark.parametrize(
    "gln", ["", "8934285008136", "893428500813", "89342850081350", "12345", "٨934285008135"]
)
def test_a_malformed_gln_is_refused(world: World, gln: str) -> None:
    with pytest.raises(BadOrganisation):
        world.identity.organisations.add(replace(HUE, gln=gln))


@pytest.mark.parametrize(
    "query", ["tram y te", "Trạm", "dong hoa", "ĐÔNG HÒA", "y te xa", "station", "hoa tr"]
)
def test_a_name_is_found_without_marks_and_by_beginnings(world: World, query: str) -> None:
    world.identity.organisations.add(HUE)
    assert [one.id for one in world.identity.organisations.search(query)] == ["hue"]


@pytest.mark.parametrize("query", ["", " ", "?", "am", "tram hospital", ".*"])
def test_what_begins_no_word_finds_nothing(world: World, query: str) -> None:
    world.identity.organisations.add(HUE)
    assert world.identity.organisations.search(query) == []


def test_a_suspended_one_is_not_found_but_known(world: World) -> None:
    world.identity.organisations.add(HUE)
    world.identity.organisations.set_status("hue", "suspended")
    assert world.identity.organisations.search("tram") == []
    assert world.identity.organisations.get("hue").status == "suspended"


def test_codes_belong_to_one_organisation(world: World) -> None:
    organisations = world.identity.organisations
    organisations.add(HUE)
    with pytest.raises(Taken):
        organisations.add(replace(HUE, id="other"))
    with pytest.raises(StaleVersion):
        organisations.change(HUE, expected=7)
    with pytest.raises(OrganisationUnknown):
        organisations.get("nobody")
    with pytest.raises(BadOrganisation):
        organisations.add(replace(HUE, id="x", gln=None, name_en=""))


def test_folding_keeps_letters_and_digits_only() -> None:
    assert folded_words("Bệnh viện Đa khoa số 2, Hoà-Bình") == (
        "benh",
        "vien",
        "da",
        "khoa",
        "so",
        "2",
        "hoa",
        "binh",
    )
