"""The token endpoint for people: one-time codes, PKCE, refresh tokens and their retry rule."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from tests.examples import examples
from tests.identity.world import START, Clock, World
from wallet_api.identity.errors import TokenRefused
from wallet_api.identity.memory_oauth import MemorySessions
from wallet_api.identity.oauth.model import Client, SignedIn, digest
from wallet_api.identity.sessions import Sessions

OTHER = "https://app.example.vn/other"


def test_a_code_works_once_and_its_replay_ends_what_it_gave(world: World) -> None:
    code, verifier = world.code()
    status, body = world.exchange(code, verifier)
    assert status == 200
    assert world.exchange(code, verifier)[1]["error"] == "invalid_grant"
    with pytest.raises(TokenRefused):
        world.identity.authenticator.caller(body["access_token"])
    assert world.refresh(body["refresh_token"])[0] == 400


def test_a_replay_ends_the_session_even_with_a_wrong_verifier(world: World) -> None:
    code, verifier = world.code()
    body = world.exchange(code, verifier)[1]
    assert world.exchange(code, "w" * 43)[1]["error"] == "invalid_grant"
    with pytest.raises(TokenRefused):
        world.identity.authenticator.caller(body["access_token"])


def test_two_who_both_saw_the_code_unused_are_told_apart(world: World) -> None:
    code, verifier = world.code()
    codes = world.identity.oauth.server.desk.codes
    unused = codes.get(digest(code))
    body = world.exchange(code, verifier)[1]
    codes.get = lambda _: unused
    assert world.exchange(code, verifier)[1]["error"] == "invalid_grant"
    with pytest.raises(TokenRefused):
        world.identity.authenticator.caller(body["access_token"])


def test_a_replay_before_the_session_was_born_ends_it_too(world: World) -> None:
    code, verifier = world.code()
    codes = world.identity.oauth.server.desk.codes
    use = codes.use
    codes.use = lambda found: (use(found), codes.mark_replayed(found))[0]
    assert world.exchange(code, verifier)[1]["error"] == "invalid_grant"
    assert all(one.ended_at for one in world.identity.sessions._sessions._rows.values())


def test_sixteen_at_once_with_one_code_leave_at_most_one_session(world: World) -> None:
    code, verifier = world.code()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: world.exchange(code, verifier), range(16)))
    assert sum(status == 200 for status, _ in answers) <= 1
    live = [
        one for one in world.identity.oauth.server.desk.sessions._sessions._rows.values() if not one.ended_at
    ]
    assert live == []


@pytest.mark.parametrize("wrong", ["w" * 43, "short", "", "é" * 43])
def test_a_wrong_verifier_gives_nothing(world: World, wrong: str) -> None:
    code, verifier = world.code()
    assert world.exchange(code, wrong)[0] == 400
    assert world.exchange(code, verifier)[0] == 200


def test_a_code_is_bound_to_client_and_redirect_address(world: World) -> None:
    code, verifier = world.code()
    assert world.exchange(code, verifier, client="other-app")[1]["error"] == "invalid_grant"
    assert world.exchange(code, verifier, uri=OTHER)[1]["error"] == "invalid_grant"
    assert world.exchange(code, verifier, client="his")[1]["error"] == "invalid_client"
    assert world.exchange(code, verifier)[0] == 200


def test_a_code_lives_sixty_seconds(world: World) -> None:
    code, verifier = world.code()
    world.clock.forward(seconds=60)
    assert world.exchange(code, verifier)[1]["error"] == "invalid_grant"


def test_token_answers_are_never_stored_and_errors_repeat_nothing(world: World) -> None:
    answer = world.browser().post("/oauth/token", data={"grant_type": "<script>", "client_id": "app"})
    assert (answer.status_code, answer.headers["Cache-Control"]) == (400, "no-store")
    assert answer.get_json()["error"] == "unsupported_grant_type"
    assert "<" not in answer.get_data(as_text=True)
    assert answer.content_type == "application/json"


@pytest.mark.parametrize("form", [{}, {"grant_type": "password"}, {"grant_type": "é"}, {"grant_type": '"'}])
def test_odd_grants_are_refused(world: World, form: dict[str, str]) -> None:
    assert world.post("/oauth/token", form)[0] == 400


def test_a_repeated_form_field_is_refused(world: World) -> None:
    body = "grant_type=refresh_token&client_id=app&refresh_token=a&refresh_token=b"
    answer = world.browser().post("/oauth/token", data=body, content_type="application/x-www-form-urlencoded")
    assert answer.get_json()["error"] == "invalid_request"


def test_a_refresh_token_is_rotated(world: World) -> None:
    first = world.signed_in()["refresh_token"]
    status, body = world.refresh(first)
    assert status == 200
    assert body["refresh_token"] != first
    assert world.identity.authenticator.caller(body["access_token"]).kind == "citizen"


def test_a_lost_answer_may_be_asked_for_again_and_voids_the_earlier_successor(world: World) -> None:
    first = world.signed_in()["refresh_token"]
    lost = world.refresh(first)[1]["refresh_token"]
    status, kept = world.refresh(first)
    assert status == 200
    assert world.refresh(lost)[1]["error"] == "invalid_grant"
    assert world.refresh(kept["refresh_token"])[0] == 200
    assert world.stolen == []


def test_a_replay_after_the_successor_was_used_ends_the_session_and_tells(world: World) -> None:
    body = world.signed_in()
    second = world.refresh(body["refresh_token"])[1]
    third = world.refresh(second["refresh_token"])[1]
    assert world.refresh(body["refresh_token"])[1]["error"] == "invalid_grant"
    assert world.refresh(third["refresh_token"])[1]["error"] == "invalid_grant"
    with pytest.raises(TokenRefused):
        world.identity.authenticator.caller(third["access_token"])
    assert len(world.stolen) == 1


def test_a_void_successor_presented_after_its_sibling_was_used_is_theft(world: World) -> None:
    first = world.signed_in()["refresh_token"]
    void = world.refresh(first)[1]["refresh_token"]
    live = world.refresh(first)[1]["refresh_token"]
    last = world.refresh(live)[1]["refresh_token"]
    assert world.refresh(void)[0] == 400
    assert world.refresh(last)[0] == 400
    assert len(world.stolen) == 1


@pytest.mark.parametrize("retry", [False, True])
def test_a_sixteen_way_race_leaves_exactly_one_usable_line(world: World, retry: bool) -> None:
    token = world.signed_in()["refresh_token"]
    if retry:
        world.refresh(token)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: world.refresh(token), range(16)))
    assert [status for status, _ in answers] == [200] * 16
    assert sum(world.refresh(body["refresh_token"])[0] == 200 for _, body in answers) == 1


def test_another_client_cannot_refresh_nor_end_the_session_by_trying(world: World) -> None:
    token = world.signed_in()["refresh_token"]
    assert world.refresh(token, client="other-app")[1]["error"] == "invalid_grant"
    assert world.refresh(token)[0] == 200


def test_thirty_idle_days_end_the_line(world: World) -> None:
    token = world.signed_in()["refresh_token"]
    world.clock.forward(days=30)
    assert world.refresh(token)[0] == 400


def test_ninety_days_end_the_line_however_busy(world: World) -> None:
    token = world.signed_in()["refresh_token"]
    for _ in range(4):
        world.clock.forward(days=20)
        token = world.refresh(token)[1]["refresh_token"]
    world.clock.forward(days=10)
    assert world.refresh(token)[0] == 400


class RefreshLines(RuleBasedStateMachine):
    """Whatever is presented in whatever order, at most one token moves the line on."""

    tokens = Bundle("tokens")

    def __init__(self) -> None:
        super().__init__()
        self.store, self.told = MemorySessions(), []
        self.sessions = Sessions(
            self.store,
            Clock(),
            lambda *_: True,
            tell=self.told.append,
            tell_crowded=self.told.append,
            tell_started=lambda session: None,
        )
        opened = self.sessions.open(
            "s", SignedIn("citizen", "c", "2", START), Client("app", "app", "App", ("https://a.vn/",))
        )
        self.first, self.used, self.waiting = opened.refresh_token, None, opened.refresh_token
        self.parent: dict[str, str | None] = {opened.refresh_token: None}
        self.ended = False

    @rule(target=tokens)
    def begin(self) -> str:
        return self.first

    @rule(target=tokens, token=tokens)
    def present(self, token: str) -> str:
        try:
            fresh = self.sessions.refresh(token, "app").refresh_token
        except TokenRefused:
            assert self.ended or token not in (self.used, self.waiting)
            self.ended = self.ended or self.parent[token] != self.used
            return token
        assert not self.ended
        assert token in (self.used, self.waiting)
        self.used, self.waiting = token, fresh
        self.parent[fresh] = token
        return fresh

    @invariant()
    def ended_exactly_when_theft_was_seen(self) -> None:
        session = self.store.get("s")
        assert session is not None
        assert (session.ended_at is not None) == self.ended == bool(self.told)


TestRefreshLines = RefreshLines.TestCase
TestRefreshLines.settings = hypothesis_settings(
    max_examples=examples(30, 600), stateful_step_count=25, deadline=None
)
