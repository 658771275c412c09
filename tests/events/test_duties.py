"""A consent to keep copies ends: the holder owes an erasure, signs for it, and everybody sees who has not."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from joserfc.jwk import ECKey

from tests.events.holding import statement, types, whole_feed
from tests.world import Granted, Json, World, found_in
from wallet_api.events.model import Duty
from wallet_api.events.rules import RULES, load_rules
from wallet_api.infra.clock import vn_day


def stored(world: World, **asked: Any) -> Granted:
    """A grant under which copies may be kept."""
    return world.grant(world.doctor(), world.person(), mode="STORE", **asked)


def owed(made: Granted) -> list[Json]:
    answer = made.world.get("/provider/erasure-duties", made.doctor.system)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return list(found_in(answer)["items"])


def seen_by_citizen(made: Granted) -> list[Json]:
    world = made.world
    return list(found_in(world.get("/citizens/me/erasure-duties", world.signed_in(made.person)))["items"])


def overdue(world: World) -> list[str]:
    """Which organisations ops see as late."""
    found, cursor = [], ""
    while True:
        page = found_in(
            world.get(f"/ops/erasure-duties?overdue=true&limit=100{cursor}", world.ops("reviewer"))
        )
        found += [each["organisation"]["id"] for each in page["items"]]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def attest(made: Granted, text: str | None = None, **over: Any) -> Any:
    said = text or statement(made.world, made.doctor, made.outcome["grant_id"], **over)
    return made.world.post("/provider/erasure-attestations", made.doctor.system, {"attestation": said})


def test_a_consent_to_look_leaves_nothing_owed(world: World) -> None:
    made = world.grant(world.doctor(), world.person())
    made.withdraw()
    assert owed(made) == [] and seen_by_citizen(made) == []
    assert types(whole_feed(world, made.doctor)) == ["consent_granted", "consent_ended"]


def test_the_end_of_a_consent_to_keep_copies_begins_a_duty(world: World) -> None:
    made = stored(world)
    assert owed(made) == []
    made.withdraw()
    today = vn_day(world.now())
    (duty,) = owed(made)
    assert duty["grant_id"] == made.outcome["grant_id"] and duty["citizen_ref"] == made.citizen_ref
    assert duty["erase_by"] == str(today + timedelta(days=15))
    assert duty["others_by"] == str(today + timedelta(days=20))
    assert (duty["state"], duty["overdue"]) == ("owed", False)
    told = {each["type"]: each for each in whole_feed(world, made.doctor)}
    assert told["consent_ended"]["erase_by"] == told["erasure_due"]["erase_by"] == duty["erase_by"]
    (seen,) = seen_by_citizen(made)
    assert seen["organisation"]["id"] == made.doctor.organisation_id
    assert seen["grant_id"] == made.grant["id"] and seen["state_text"]


def test_a_consent_that_ran_out_leaves_a_duty_without_any_sweeper(world: World) -> None:
    made = stored(world)
    world.forward(days=32)
    (seen,) = seen_by_citizen(made)
    ended = world.now() - timedelta(days=2)
    assert seen["erase_by"] == str(vn_day(ended) + timedelta(days=15))
    assert len(owed(made)) == 1


def test_overdue_holders_are_seen_by_the_citizen_by_ops_and_in_the_feed_and_the_log(world: World) -> None:
    made = stored(world)
    made.withdraw()
    world.forward(days=15)
    assert not seen_by_citizen(made)[0]["overdue"] and made.doctor.organisation_id not in overdue(world)
    world.forward(days=1)
    assert seen_by_citizen(made)[0]["overdue"] and owed(made)[0]["overdue"]
    assert overdue(world).count(made.doctor.organisation_id) == 1
    told = whole_feed(world, made.doctor)
    assert types(told)[-1] == "erasure_overdue" and types(told).count("erasure_overdue") == 1
    log = found_in(world.get("/citizens/me/access-log", world.signed_in(made.person)))["items"]
    (row,) = [each for each in log if each["action"] == "erasure:overdue"]
    assert row["organisation"]["id"] == made.doctor.organisation_id
    assert made.doctor.organisation_id not in str(row["text"]) and "Bệnh viện Thử" in row["text"]


def test_a_signed_statement_settles_the_duty_and_stands_in_the_log(world: World) -> None:
    made = stored(world)
    made.withdraw()
    world.forward(days=3)
    text = statement(world, made.doctor, made.outcome["grant_id"])
    first = attest(made, text)
    assert first.status_code == 201 and found_in(first)["state"] == "erased"
    world.forward(days=20)
    again = attest(made, text)
    assert again.status_code == 201 and found_in(again) == found_in(first), "the same statement, once more"
    assert owed(made) == [] and made.doctor.organisation_id not in overdue(world)
    (seen,) = seen_by_citizen(made)
    assert seen["state"] == "erased" and not seen["overdue"] and seen["attested_at"]
    assert "erasure_overdue" not in types(whole_feed(world, made.doctor))
    log = found_in(world.get("/citizens/me/access-log", world.signed_in(made.person)))["items"]
    assert [each["action"] for each in log].count("erasure:attested") == 1
    kept = list(world.db["erasure_attestations"].find({"grant_id": made.grant["id"]}))
    assert [each["text"] for each in kept] == [text] and kept[0]["key"]["kid"] == "k1"


def test_own_copies_first_and_those_of_others_within_five_days_more(world: World) -> None:
    made = stored(world)
    made.withdraw()
    assert found_in(attest(made, extent="own_copies"))["state"] == "own_erased"
    world.forward(days=16)
    assert not owed(made)[0]["overdue"], "the day for own copies has passed, but they are gone"
    world.forward(days=5)
    assert owed(made)[0]["overdue"] and types(whole_feed(world, made.doctor))[-1] == "erasure_overdue"
    assert found_in(attest(made))["state"] == "erased"
    assert found_in(attest(made, extent="own_copies"))["state"] == "erased", "less than said before"


def test_a_narrowing_leaves_a_duty_for_what_was_cut_off(world: World) -> None:
    made = stored(world)
    path = f"/citizens/me/grants/{made.grant['id']}"
    answer = world.call(
        "PATCH", path, made.person, {"categories": ["condition"]}, headers={"If-Match": '"1"'}
    )
    assert answer.status_code == 200
    (duty,) = owed(made)
    granted = [each for each in whole_feed(world, made.doctor) if each["type"] == "consent_granted"]
    assert duty["superseded_by"] in {each["grant_id"] for each in granted} - {duty["grant_id"]}


def test_a_block_that_is_lifted_takes_the_duty_back(world: World) -> None:
    made = stored(world)
    path = f"/citizens/me/blocked-organisations/{made.doctor.organisation_id}"
    assert world.call("PUT", path, made.person).status_code == 204
    assert len(owed(made)) == 1
    assert world.call("DELETE", path, made.person).status_code == 204
    assert owed(made) == [] and seen_by_citizen(made) == []
    made.withdraw()
    assert len(owed(made)) == 1


@pytest.mark.parametrize(
    ("part", "over"),
    [
        ("iss", {"iss": "somebody-else"}),
        ("aud", {"aud": "https://another.example"}),
        ("aud", {"aud": ["http://127.0.0.1:8080"]}),
        ("iat", {"iat": 0}),
        ("iat", {"iat": 4_000_000_000}),
        ("iat", {"iat": "now"}),
        ("iat", {"iat": 10**20}),
        ("erased_at", {"erased_at": 4_000_000_000}),
        ("erased_at", {"erased_at": 1_600_000_000}),
        ("claims", {"extent": "some"}),
        ("claims", {"extent": ["everything"]}),
        ("claims", {"grant_id": None}),
        ("claims", {"grant_id": 7}),
        ("claims", {"more": 1}),
        ("header", {"head": {"typ": "JWT"}}),
        ("header", {"head": {"kid": None}}),
        ("header", {"head": {"jku": "https://evil.example"}}),
        ("signature", {"head": {"kid": "k2"}}),
        ("signature", {"key": ECKey.generate_key("P-256", {"kid": "k1"})}),
    ],
)
def test_a_statement_that_does_not_hold_settles_nothing(world: World, part: str, over: Any) -> None:
    made = _one(world)
    answer = attest(made, **over)
    assert answer.status_code == 422, answer.get_data(as_text=True)
    body = found_in(answer)
    assert body["code"] == "attestation_invalid" and body["errors"][0]["pointer"] == f"/attestation/{part}"
    assert owed(made)[0]["state"] == "owed"


def test_each_byte_of_a_statement_counts(world: World) -> None:
    made = _one(world)
    text = statement(world, made.doctor, made.outcome["grant_id"])
    for place in range(0, len(text), 37):
        flipped = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        assert attest(made, flipped).status_code == 422, place
    assert owed(made)[0]["state"] == "owed"


def test_nobody_signs_for_another(world: World) -> None:
    made, other = _one(world), world.doctor()
    foreign = statement(world, other, made.outcome["grant_id"])
    unknown = world.services.references.seal(other.organisation_id, "grant", made.person.id, made.person.id)
    for text in (foreign, statement(world, other, unknown), statement(world, other, "x" * 43)):
        answer = world.post("/provider/erasure-attestations", other.system, {"attestation": text})
        assert (answer.status_code, found_in(answer)["code"]) == (404, "not_found")
    theirs = statement(world, made.doctor, made.outcome["grant_id"])
    answer = world.post("/provider/erasure-attestations", other.system, {"attestation": theirs})
    assert answer.status_code == 422, "signed by a key that is not the caller's"
    attest(made, theirs)
    answer = world.post("/provider/erasure-attestations", other.system, {"attestation": theirs})
    assert answer.status_code == 422, "what was taken from one is nothing to another"


def test_days_come_from_the_file_and_are_the_law_of_the_day(world: World) -> None:
    assert RULES.erase_by(date(2026, 11, 3)) == (date(2026, 11, 18), date(2026, 11, 23))
    for raw in ("{}", '{"erasure": [], "states": {}}', '{"erasure": [{"days": 1}], "states": {}}'):
        with pytest.raises(ValueError, match="erasure"):
            load_rules(raw)
    at = world.now()
    duty = Duty("g", "o", "c", at, date(2026, 11, 18), date(2026, 11, 23))
    last = at.replace(day=18, hour=16, minute=59, second=59)
    assert not duty.overdue(last) and duty.overdue(last + timedelta(seconds=2)), "midnight in Viet Nam"


_MADE: dict[int, Granted] = {}


def _one(world: World) -> Granted:
    """One duty that none of these statements settles, for all of them."""
    if id(world) not in _MADE:
        made = stored(world)
        made.withdraw()
        _MADE[id(world)] = made
    return _MADE[id(world)]
