"""What the ports of clients, sessions and sign-ins promise, asked of memory and database alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.identity.stores import stores_for, winners
from wallet_api.identity.errors import StaleVersion, Taken
from wallet_api.identity.model import Session
from wallet_api.identity.oauth.model import AuthorizationCode, Client, LoginAttempt, RefreshLine, SignedIn
from wallet_api.identity.service import IdentityStores
from wallet_api.infra.ids import new_id

AT = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)


@pytest.fixture(params=["memory", "embedded", "mongodb"])
def stores(request: pytest.FixtureRequest) -> Iterator[IdentityStores]:
    yield from stores_for(request)


def test_clients_come_back_whole(stores: IdentityStores) -> None:
    one = Client("his", "provider", "System", (), {"keys": [{"kid": "1", "kty": "EC"}]}, "h")
    stores.clients.add(one)
    assert stores.clients.get("his") == one
    with pytest.raises(Taken):
        stores.clients.add(one)
    stores.clients.save(replace(one, status="suspended", version=2), expected=1)
    assert stores.clients.of_organisation("h")[0].status == "suspended"
    assert [one.id for one in stores.clients.all()] == sorted(one.id for one in stores.clients.all())
    assert "suspended" in {one.status for one in stores.clients.all()}
    with pytest.raises(StaleVersion):
        stores.clients.save(one, expected=1)
    assert stores.clients.get("nobody") is None


def session(**over: Any) -> Session:
    roles = frozenset({"operator"})
    base = Session(new_id(), "ops", "subject", "app", "Phone", AT, AT, AT, "2", roles)  # type: ignore[arg-type]  # a role
    return replace(base, **over)


def test_a_session_comes_back_and_ends_once(stores: IdentityStores) -> None:
    one, other = session(), session(subject_id="other")
    stores.sessions.add(one, "d1")
    stores.sessions.add(other, "d2")
    with pytest.raises(Taken):
        stores.sessions.add(one, "d3")
    assert stores.sessions.get(one.id) == one
    assert stores.sessions.of("subject") == [one]
    assert winners(lambda _: stores.sessions.end(one.id, AT)) == 1
    found = stores.sessions.get(one.id)
    assert found is not None
    assert (found.ended_at, found.version) == (AT, 2)
    assert stores.sessions.of("subject") == []
    assert stores.sessions.end_all("other", AT) == 1
    assert stores.sessions.end_all("other", AT) == 0
    assert stores.sessions.get("nobody") is None


def test_a_session_used_since_it_was_looked_at_does_not_end(stores: IdentityStores) -> None:
    one = session()
    stores.sessions.add(one, "d1")
    stores.sessions.rotate(
        one.id, before=RefreshLine(None, "d1"), after=RefreshLine("d1", "d2"), at=AT + timedelta(hours=1)
    )
    assert not stores.sessions.end(one.id, AT, unused_since=AT)
    assert stores.sessions.of("subject") != []
    assert stores.sessions.end(one.id, AT, unused_since=AT + timedelta(hours=1))
    assert not stores.sessions.end(one.id, AT, unused_since=AT + timedelta(hours=1))


def test_a_refresh_line_moves_from_where_it_is_for_one_of_sixteen(stores: IdentityStores) -> None:
    one = session()
    stores.sessions.add(one, "d1")
    start = RefreshLine(None, "d1")

    def move(number: int) -> bool:
        after = RefreshLine("d1", f"n{number}")
        return stores.sessions.rotate(one.id, before=start, after=after, at=AT + timedelta(hours=1))

    assert winners(move) == 1
    first = stores.sessions.issued("d1")
    assert first is not None
    assert (first.line.used, first.successor_of) == ("d1", None)
    fresh = stores.sessions.issued(first.line.waiting)
    assert fresh is not None
    assert fresh.successor_of == "d1"
    assert fresh.session.last_used_at == AT + timedelta(hours=1)
    assert stores.sessions.issued("nobody's") is None
    stores.sessions.end(one.id, AT)
    assert not stores.sessions.rotate(one.id, before=first.line, after=RefreshLine("x", "y"), at=AT)


def test_an_attempt_is_taken_by_one_of_sixteen(stores: IdentityStores) -> None:
    one = LoginAttempt("s", "b", "vneid", "app", "https://app.vn/x", "state", "challenge", AT)
    stores.attempts.add(one)
    assert stores.attempts.take("other") is None
    taken: list[LoginAttempt | None] = []
    assert winners(lambda _: bool(taken.append(stores.attempts.take("s"))) or taken[-1] is not None) >= 0
    assert [found for found in taken if found is not None] == [one]


def test_a_code_is_used_by_one_of_sixteen(stores: IdentityStores) -> None:
    person = SignedIn("ops", "p", "2", AT, frozenset({"operator"}))
    one = AuthorizationCode("d", "app", "https://app.vn/x", "challenge", person, "session", AT)
    stores.codes.add(one)
    assert stores.codes.get("d") == one
    assert winners(lambda _: stores.codes.use("d")) == 1
    stores.codes.mark_replayed("d")
    assert stores.codes.get("d") == replace(one, used=True, replayed=True)
    assert stores.codes.get("nobody's") is None
    assert not stores.codes.use("nobody's")


def test_an_assertion_id_is_good_once_for_each_client(stores: IdentityStores) -> None:
    assert winners(lambda _: stores.jtis.use("his", "j", AT)) == 1
    assert stores.jtis.use("other", "j", AT)
    assert not stores.jtis.use("his", "j", AT + timedelta(days=1))
