"""Events hold ids, codes and counts, in a form the log can always store and hash."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from tests.audit.events import NOW, an_event
from wallet_api.audit.chain import canonical, seal_event
from wallet_api.audit.model import Action, ActorKind, event_from_json

CODES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)
DETAILS = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9_]{0,39}", fullmatch=True),
    CODES | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1),
    max_size=16,
)


@given(
    at=st.datetimes(
        datetime.fromisoformat("0001-01-03"),
        datetime.fromisoformat("9999-12-29"),
        timezones=st.just(timezone(timedelta(hours=7))),
    ),
    action=st.sampled_from(Action),
    kind=st.sampled_from(ActorKind),
    text=CODES,
    categories=st.lists(CODES, max_size=64),
    detail=DETAILS,
)
def test_an_event_comes_back_from_its_stored_form(at, action, kind, text, categories, detail):
    event = an_event(
        at=at,
        action=action,
        actor_kind=kind,
        reason=text,
        categories=categories,
        detail=detail,
        acting_for=text,
    )
    stored = json.loads(json.dumps(event.to_json()))
    assert event_from_json(stored) == event
    assert seal_event(stored).leaf == seal_event(event.to_json()).leaf
    assert canonical(stored) == rfc8785.dumps(stored)


def test_what_is_absent_is_left_out():
    assert an_event().to_json().keys().isdisjoint({"practitioner_id", "client_id", "acting_for"})


def test_time_is_kept_in_utc_to_the_millisecond_the_database_holds():
    there = timezone(timedelta(hours=7))
    event = an_event(at=datetime(2026, 11, 21, 15, 0, 0, 123_999, there))
    assert event.to_json()["at"] == "2026-11-21T08:00:00.123Z"


@pytest.mark.parametrize(
    "changes",
    [
        {"at": NOW.replace(tzinfo=None)},
        {"action": "record:guessed"},
        {"actor_kind": "robot"},
        {"decision": "maybe"},
        {"reason": "x" * 201},
        {"actor_id": "a\0b"},
        {"citizen_id": "\ud800"},
        {"record_count": 2**53},
        {"categories": ["c"] * 65},
        {"categories": [1.5]},
        {"detail": {"Not a name": 1}},
        {"detail": {"$where": 1}},
        {"detail": {"a.b": 1}},
        {"detail": {"value": 1.5}},
        {"detail": {"value": b"x"}},
        {"detail": {"value": {"nested": 1}}},
        {"detail": {"value": None}},
        {"detail": {"value": "\ud800"}},
        {"detail": {f"n{number}": 1 for number in range(17)}},
    ],
)
def test_what_could_stop_the_log_or_does_not_belong_there_is_refused(changes):
    with pytest.raises(ValueError):
        an_event(**changes)


def test_details_cannot_be_changed_after_the_check():
    given_detail = {"version": 1}
    event = an_event(detail=given_detail)
    given_detail["version"] = 2
    assert event.detail == {"version": 1}
    with pytest.raises(TypeError):
        event.detail["version"] = 3


@pytest.mark.parametrize("spoiled", [{}, {"at": "yesterday"}, {"stranger": 1}])
def test_what_is_no_event_is_not_read_as_one(spoiled):
    body = {**an_event().to_json(), **spoiled} if spoiled else {}
    with pytest.raises(ValueError):
        event_from_json(body)
