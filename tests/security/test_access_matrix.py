"""Eleven identities x every operation x {own, other's, formerly granted, absent}: the policy, 100 %."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

import pytest
from flask import after_this_request, g

from consent import access
from consent.decision import Decision, decide_own
from consent.predicate import own_eyes
from tests.security.matrix import Matrix, operations
from tests.security.matrix_cast import Cast
from tests.security.matrix_table import IDENTITIES, rows
from tests.world import World, found_in, without_request_id
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import open_database
from wallet_api.records import windows
from wallet_api.routes import guarded


@pytest.fixture(scope="module")
def cast(embedded_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cast]:
    """A wallet of our own, with everybody in place."""
    db = open_database(embedded_uri, f"matrix_{new_id()}")
    world = World(db, tmp_path_factory.mktemp("matrix"))
    yield Cast(world)
    world.services.log.close()
    db.client.close()


def test_every_operation_has_a_row(cast: Cast) -> None:
    assert sorted(operations(cast.world.app)) == sorted(row.name for row in rows())


def test_every_cell_answers_as_the_policy_says(
    cast: Cast, record_property: Callable[[str, object], None]
) -> None:
    found = Matrix(cast).run(rows())
    said = f"{found.cells} cells, {found.calls} calls, {found.twins} pairs of other's and absent"
    print(f"access matrix: {len(rows())} operations x {len(IDENTITIES)} identities: {said}")
    record_property("access_matrix", said)
    assert not found.faults, "\n".join(found.faults)


def test_what_is_not_there_is_all_that_a_stranger_learns(cast: Cast) -> None:
    """The table itself: other's is absent, and 403 within a part is for what the caller was told exists."""
    for row in rows():
        for identity, letters in row.cells.items():
            if len(letters) == 4:
                assert letters[1] == letters[3] or "-" in letters, (row.name, identity)
            told = letters[:1] + letters[2:3]
            assert "E" not in letters or ("E" in told and "E" not in letters[1::2]), (row.name, identity)


def test_a_reference_sealed_by_the_organisation_itself_tells_nothing(cast: Cast) -> None:
    """References are nobody's to make; even so one of a real person is answered like one of nobody."""
    world, hospital = cast.world, cast.hospital
    session = cast.given["doctor", 0].session
    for path, headers in (("/records", {"Access-Session": session}), ("/records", {})):
        seen = set()
        for whose in (cast.people["other"].id, cast.people["former"].id, new_id()):
            reference = world.services.references.seal(hospital.organisation_id, "citizen", whose)
            answer = world.get(f"/provider/citizens/{reference}{path}", hospital, headers=headers)
            seen.add(without_request_id(answer))
        assert len(seen) == 1 and found_in(answer)["code"] == "access_session_invalid"


# --- the matrix can fail ---------------------------------------------------------------------------------

Patch = pytest.MonkeyPatch


def anybody_signed_in(patch: Patch, cast: Cast) -> None:
    patch.setattr(guarded, "_only", lambda kind: setattr(g, "caller", guarded._caller()))


def every_role(patch: Patch, cast: Cast) -> None:
    only = guarded._only

    def guard(kind: str) -> None:
        only(kind)
        g.caller = replace(g.caller, roles=frozenset({"registrar", "operator", "reviewer"}))

    patch.setattr(guarded, "_only", guard)


def everybody_is_a_guardian(patch: Patch, cast: Cast) -> None:
    patch.setattr(cast.world.services.identity.family, "acts_for", lambda *_: True)
    patch.setattr(cast.world.services.identity.family, "books_of", lambda *_: ())


def former_guardians_stay(patch: Patch, cast: Cast) -> None:
    family = cast.world.services.identity.family
    patch.setattr(
        family, "acts_for", lambda guardian, ward, now: bool(family._guardianships.for_pair(guardian, ward))
    )
    patch.setattr(family, "books_of", lambda *pair: () if family.acts_for(*pair) else None)


def a_companion_sees_all(patch: Patch, cast: Cast) -> None:
    patch.setattr(windows, "decide_guardian", lambda acts_for: decide_own())


def nobody_need_be_named(patch: Patch, cast: Cast) -> None:
    patch.setattr(sys.modules["wallet_api.routes.provider"], "practitioner_only", lambda: None)


def consent_never_ends(patch: Patch, cast: Cast) -> None:
    patch.setattr(
        access, "decide", lambda ask, standing, licence: Decision(True, "granted", ("g",), own_eyes())
    )


def a_header_tells_who_exists(patch: Patch, cast: Cast) -> None:
    people = {each.id for each in cast.people.values()}

    def books_of(guardian: str, ward: str, now: datetime) -> tuple[str, ...] | None:
        if ward in people:
            after_this_request(lambda answer: answer.headers.set("Vary", "Citizen") or answer)
        return standing(guardian, ward, now)

    standing = cast.world.services.identity.family.books_of
    patch.setattr(cast.world.services.identity.family, "books_of", books_of)


RECORD = "GET /citizens/<citizen>/records/<record_id>"
GRANTED = "GET /provider/citizens/<citizen_ref>/records"
DESK = "GET /ops/guardianships"


@pytest.mark.parametrize(
    ("sabotage", "where", "told"),
    [
        (anybody_signed_in, DESK, "403 forbidden expected"),
        (every_role, DESK, "403 role_missing expected"),
        (everybody_is_a_guardian, RECORD, "as citizen on other's"),
        (former_guardians_stay, RECORD, "as citizen on formerly granted"),
        (a_companion_sees_all, RECORD, "as companion on own"),
        (nobody_need_be_named, GRANTED, "403 practitioner_needed expected"),
        (consent_never_ends, GRANTED, "403 consent_ended expected"),
        (a_header_tells_who_exists, RECORD, "and absent"),
    ],
)
def test_the_matrix_sees_a_guard_taken_away(
    cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
    sabotage: Callable[[Patch, Cast], None],
    where: str,
    told: str,
) -> None:
    """In the row of one operation that the guard stands before."""
    few = [row for row in rows() if row.name == where]
    sabotage(monkeypatch, cast)
    assert any(told in fault for fault in Matrix(cast, watched=False).run(few).faults)
