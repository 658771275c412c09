"""C14, C15, C17: no two readers share an answer, nothing is not everything, and what fails stays shut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo.errors import AutoReconnect, PyMongoError

from consent.codes import CATEGORIES, LABELS
from consent.decision import Ask, decide
from consent.model import Licence, Period, RecordFacts, Standing
from consent.predicate import NOTHING, granted_eyes
from tests.consent.builders import ALL_CATEGORIES, LICENCE, NOW, make_live, make_scope, make_standing
from tests.consent.world import World as InMemory
from tests.world import Granted, World, bundle, condition, found_in, immunization
from wallet_api.audit.errors import LogUnavailable
from wallet_api.infra.crypto.errors import KeyUnavailable

# --- C14: whose answer it is -------------------------------------------------------------------------------


def test_c14_two_practitioners_and_two_purposes_never_share_an_answer(world: World) -> None:
    an = world.person()
    khanh = world.doctor(purposes=("TREAT", "HPAYMT"))
    binh = world.colleague(khanh)
    world.send(khanh, bundle(an, condition(), immunization()))
    first = world.grant(khanh, an, only_me=True, categories=["condition"])
    second = world.grant(binh, an, only_me=True, categories=["immunization"])
    paid = world.grant(khanh, an, purpose="HPAYMT", categories=["condition", "immunization"])
    sessions = {
        "khanh": (khanh, str(found_in(first.open(khanh))["id"])),
        "binh": (binh, str(found_in(second.open(binh))["id"])),
        "paying": (khanh, str(found_in(paid.open(khanh, "HPAYMT"))["id"])),
    }
    for _ in range(2):  # whatever the first round may have left behind
        seen = {
            name: sorted(each["category"] for each in found_in(first.read(session, who))["items"])
            for name, (who, session) in sessions.items()
        }
        assert seen == {
            "khanh": ["condition"],
            "binh": ["immunization"],
            "paying": ["condition", "immunization"],
        }
    assert first.read(sessions["binh"][1], khanh).status_code == 403
    assert first.open(world.colleague(khanh)).status_code == 403


def test_c14_two_guardians_and_the_owner_have_pages_and_tags_of_their_own(world: World) -> None:
    mother, father, doctor = world.person(), world.person(), world.doctor()
    baby = world.child_of(mother)
    world.guard(father, baby)
    world.send(doctor, bundle(baby, condition("a"), condition("b"), condition("c")))
    path = f"/citizens/{baby.id}/records?limit=1"
    pages = {who.id: world.get(path, who) for who in (mother, father)}
    cursors = {name: found_in(page)["next_cursor"] for name, page in pages.items()}
    assert world.get(f"{path}&cursor={cursors[mother.id]}", mother).status_code == 200
    assert world.get(f"{path}&cursor={cursors[mother.id]}", father).status_code == 400
    whole = {who.id: world.get(f"/citizens/{baby.id}/records", who) for who in (mother, father)}
    tags = [page.headers.get("ETag") for page in whole.values()]
    assert None in tags or len(set(tags)) == len(tags)


def test_c14_the_epoch_and_the_licence_are_one_organisations_own() -> None:
    world = InMemory()
    world.grant()
    world.grant(organisation_id="other")
    world.consent.block("citizen", "other", blocked=True)
    assert world.access.open_session("citizen", "org", "dr", "TREAT")
    assert world.store.standing("citizen", "other").blocked
    assert not world.store.standing("citizen", "org").blocked
    assert world.store.standing("somebody", "org") == Standing()


# --- C15: nothing is not everything ------------------------------------------------------------------------

facts = st.builds(
    RecordFacts,
    category=st.sampled_from(sorted(CATEGORIES.codes)),
    first_day=st.just(NOW.date()),
    last_day=st.just(NOW.date()),
    organisation_id=st.sampled_from(["org", "other", None]),
    labels=st.sets(st.sampled_from(sorted(LABELS.codes))).map(frozenset),
)


@given(facts, st.sampled_from([frozenset(), frozenset({"everything"}), frozenset({"dental"})]))
def test_c15_a_grant_of_nothing_opens_nothing(record: RecordFacts, categories: frozenset[str]) -> None:
    live = make_live(categories=categories, record_period=Period(), labels=frozenset(LABELS.codes))
    said = decide(Ask("org", "dr", "TREAT", NOW), make_standing(live), LICENCE)
    assert not said.permit and not said.predicate.admits(record)
    assert granted_eyes("org", (live,), ALL_CATEGORIES) == NOTHING
    named = make_live(record_ids=frozenset(), record_period=Period(), labels=frozenset(LABELS.codes))
    assert not decide(Ask("org", "dr", "TREAT", NOW), make_standing(named), LICENCE).predicate.admits(record)


def test_c15_an_empty_list_is_refused_when_asked_and_when_granted(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    answer = world.post("/provider/consent-requests", doctor, world.proposal(an, categories=[]))
    assert answer.status_code == 422
    world.ask(doctor, an)
    request = world.newest_request(an)
    path = f"/citizens/me/consent-requests/{request['id']}/approval"
    for over in ({"categories": []}, {"record_ids": []}, {"categories": ["everything"]}):
        assert world.post(path, an, world.answer_to(request) | over).status_code == 422, over
    assert found_in(world.get("/citizens/me/grants", an))["items"] == []


def test_c15_a_filter_emptied_by_the_licence_shows_no_record(world: World) -> None:
    """What was covered when the session was opened, and is licensed no more: zero rows, never all."""
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition(), immunization()))
    granted = world.grant(doctor, an)
    session = granted.session()
    with licence_of(world, Licence(frozenset({"TREAT"}), frozenset({"dental"}))):
        answer = granted.read(session)
        assert answer.status_code == 403 and "items" not in found_in(answer)
    with licence_of(world, Licence(frozenset({"TREAT"}), frozenset({"immunization"}))):
        assert [each["category"] for each in found_in(granted.read(session))["items"]] == ["immunization"]


@contextmanager
def licence_of(world: World, licence: Licence) -> Iterator[None]:
    """While it lasts, every organisation has this licence."""
    access = world.services.access
    before = access._licence_of
    access._licence_of = lambda organisation_id: licence
    try:
        yield
    finally:
        access._licence_of = before


# --- C17: what fails stays shut ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def granted(shared_world: World) -> Granted:
    """A grant that would show two records."""
    an, doctor = shared_world.person(), shared_world.doctor()
    shared_world.send(doctor, bundle(an, condition(), immunization()))
    return shared_world.grant(doctor, an)


def shut(answer: Any) -> bool:
    """Whether an answer refuses, and holds no record."""
    said = answer.get_data(as_text=True)
    return answer.status_code >= 400 and "resource" not in said and "Condition" not in said


@pytest.mark.parametrize("why", [AutoReconnect("x"), PyMongoError("x"), TimeoutError("x")], ids=repr)
def test_c17_a_database_that_fails_at_the_last_look_shows_nothing(
    world: World, granted: Granted, monkeypatch: pytest.MonkeyPatch, why: Exception
) -> None:
    session = granted.session()
    assert len(found_in(granted.read(session))["items"]) == 2

    def fails(*_: object) -> Standing:
        raise why

    store = world.services.access._consents
    for name in ("settled_standing", "standing"):
        with monkeypatch.context() as broken:
            broken.setattr(store, name, fails)
            assert shut(granted.read(session)), name
    assert len(found_in(granted.read(session))["items"]) == 2


def test_c17_a_log_that_fails_shows_nothing(
    world: World, granted: Granted, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = granted.session()

    def fails(*_: object, **__: object) -> None:
        raise LogUnavailable("x")

    monkeypatch.setattr(world.services.log, "append", fails)
    assert shut(granted.read(session))
    assert shut(granted.open())


def test_c17_a_key_that_is_gone_shows_nothing(
    world: World, granted: Granted, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = granted.session()

    def fails(*_: object, **__: object) -> None:
        raise KeyUnavailable("x")

    for name in ("secret", "kek"):
        with monkeypatch.context() as broken:
            broken.setattr(world.services.keys, name, fails)
            answer = granted.read(session)
        assert shut(answer) or answer.status_code == 200, name
    monkeypatch.setattr(world.services.keys, "secret", fails)
    assert shut(granted.read(session)) and shut(granted.open())


def test_c17_an_organisation_that_is_suspended_or_unknown_has_no_licence(
    world: World, granted: Granted
) -> None:
    with licence_of(world, Licence()):
        assert shut(granted.open())
    said = decide(Ask("org", "dr", "TREAT", NOW), make_standing(make_live()), Licence())
    assert (said.permit, said.reason) == (False, "not_licensed")


def test_c17_a_block_survives_whatever_is_granted_beside_it() -> None:
    world = InMemory()
    request = world.ask()
    world.consent.block("citizen", "org", blocked=True)
    assert world.store.standing("citizen", "org").blocked
    live = tuple(make_live(f"g{at}", labels=frozenset(LABELS.codes)) for at in range(5))
    said = decide(Ask("org", "dr", "TREAT", NOW), make_standing(*live, blocked=True), LICENCE)
    assert (said.reason, said.predicate) == ("blocked", NOTHING)
    assert request.scope == make_scope()
