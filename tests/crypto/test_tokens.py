"""Blind indexes, label tokens, ETags, references and cursors: each tells its holder nothing more."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_api.infra.crypto import cursors
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.cursors import CursorSealer
from wallet_api.infra.crypto.errors import BadCursor, BadReference
from wallet_api.infra.crypto.etags import EntityTags
from wallet_api.infra.crypto.framing import from_base64url
from wallet_api.infra.crypto.keystore import MemoryKeyStore, ShelfKeyStore
from wallet_api.infra.crypto.refs import References
from wallet_api.infra.crypto.shelf import MemoryShelf
from wallet_api.infra.ids import new_id

KEYS = MemoryKeyStore()
NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def test_equal_values_meet_within_one_field_only():
    index = BlindIndex(KEYS)
    assert index.of("number", "001099012345") == BlindIndex(KEYS).of("number", "001099012345")
    assert index.of("number", "001099012345") != index.of("phone", "001099012345")
    assert index.of("number", "001099012345") != BlindIndex(MemoryKeyStore()).of("number", "001099012345")
    assert index.label_token("hiv") != BlindIndex(MemoryKeyStore()).label_token("hiv")
    assert "001099012345" not in index.of("number", "001099012345")


def test_two_spellings_of_one_text_meet():
    index = BlindIndex(KEYS)
    assert index.of("name", "Ng\u1ecdc") == index.of("name", "Ngo\u0323c")
    assert index.label_token("Ng\u1ecdc") == index.label_token("Ngo\u0323c")


def test_a_new_index_key_is_written_and_the_old_one_still_found():
    shelf = MemoryShelf()
    old = BlindIndex(ShelfKeyStore(shelf, create=True)).of("number", "001099012345")
    shelf.put("index-2", b"2" * 32)
    fresh = BlindIndex(ShelfKeyStore(shelf, create=True))
    assert fresh.of("number", "001099012345").startswith("2.")
    assert fresh.candidates("number", "001099012345") == (fresh.of("number", "001099012345"), old)


def test_etags_differ_by_reader_content_and_key():
    tags = EntityTags(KEYS)
    seen = {
        tags.etag("an", b"body"),
        tags.etag("binh", b"body"),
        tags.etag("an", b"body2"),
        tags.etag("anb", b"ody"),
        tags.etag("an", "body"),
        EntityTags(MemoryKeyStore()).etag("an", b"body"),
    }
    assert len(seen) == 6
    assert tags.etag("an", b"body", 1) == tags.etag("an", b"body", 1)
    assert all(re.fullmatch(r"[\w-]{22}", tag) for tag in seen)


@given(st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=8))
def test_a_reference_opens_to_its_ids(raw):
    from wallet_api.infra.ids import id_from_bytes

    ids = tuple(id_from_bytes(one) for one in raw)
    refs = References(KEYS)
    assert refs.open("org1", "record", refs.seal("org1", "record", *ids)) == ids


def test_a_reference_is_stable_for_one_audience_and_unrelated_for_another():
    one, refs = new_id(), References(KEYS)
    assert refs.seal("org1", "record", one) == References(KEYS).seal("org1", "record", one)
    seen = [
        refs.seal("org1", "record", one),
        refs.seal("org2", "record", one),
        refs.seal("org1", "citizen", one),
        References(MemoryKeyStore()).seal("org1", "record", one),
    ]
    assert len(set(seen)) == 4
    assert all(one not in text and len(text) == 43 for text in seen)


def _spellings_of(text: str) -> list[str]:
    tail = [text[:-1] + letter for letter in ALPHABET if letter != text[-1]]
    middle = [text[:i] + ("A" if text[i] != "A" else "B") + text[i + 1 :] for i in range(len(text))]
    return [
        *tail,
        *middle,
        text + "A",
        text + "=",
        text + "\n",
        text[:-1],
        "",
        "é",
        "A" * 100_000,
        text.lower(),
    ]


def test_every_wrong_reference_gets_the_same_answer():
    refs, one = References(KEYS), new_id()
    text = refs.seal("org1", "record", one)
    asked = [("org1", "record", bad) for bad in _spellings_of(text)]
    asked += [("org2", "record", text), ("org1", "citizen", text), ("org1", "record", one)]
    asked += [("org1", "record", References(MemoryKeyStore()).seal("org1", "record", one))]
    answers = set()
    for audience, kind, bad in asked:
        with pytest.raises(BadReference) as refused:
            refs.open(audience, kind, bad)
        answers.add((str(refused.value), refused.value.__cause__))
    assert len(answers) == 1


@pytest.mark.parametrize("ids", [(), ("short",), tuple([new_id()] * 9)])
def test_only_ids_become_references(ids):
    with pytest.raises(ValueError):
        References(KEYS).seal("org1", "record", *ids)


BOUND = ("reader", "citizen", "filter", "7")


def _cursor(**state) -> str:
    return CursorSealer(KEYS).seal(state, bound_to=BOUND, expires=NOW + timedelta(minutes=5))


def test_a_cursor_brings_its_state_back():
    assert CursorSealer(KEYS).open(_cursor(after=["2026", "x"]), BOUND, NOW) == {"after": ["2026", "x"]}


def test_a_cursor_hides_its_state():
    assert b"hidden" not in from_base64url(_cursor(after="hidden"))


@pytest.mark.parametrize(
    "bound",
    [
        ("other", "citizen", "filter", "7"),
        ("reader", "other", "filter", "7"),
        ("reader", "citizen", "other", "7"),
        ("reader", "citizen", "filter", "8"),
        ("reader", "citizenfilter", "", "7"),
        ("reader", "citizen", "filter"),
    ],
)
def test_a_cursor_fits_its_own_question_only(bound):
    with pytest.raises(BadCursor):
        CursorSealer(KEYS).open(_cursor(after=1), bound, NOW)


def test_cursors_of_two_questions_share_no_key(monkeypatch):
    monkeypatch.setattr(cursors.os, "urandom", bytes)
    sealer, bounds = CursorSealer(KEYS), [BOUND, ("other", *BOUND[1:])]
    sealed = [from_base64url(sealer.seal({"a": 1}, bound_to=bound, expires=NOW)) for bound in bounds]
    assert sealed[0][12:-16] != sealed[1][12:-16]


def test_a_cursor_ends():
    text, sealer = _cursor(after=1), CursorSealer(KEYS)
    sealer.open(text, BOUND, NOW + timedelta(minutes=4, seconds=59))
    with pytest.raises(BadCursor, match="expired"):
        sealer.open(text, BOUND, NOW + timedelta(minutes=5))


def test_a_forged_cursor_is_refused():
    text = _cursor(after=1)
    for bad in _spellings_of(text):
        with pytest.raises(BadCursor):
            CursorSealer(KEYS).open(bad, BOUND, NOW)


def test_a_state_too_large_is_told_to_the_programmer():
    with pytest.raises(ValueError, match="too large"):
        _cursor(after="x" * 4000)
