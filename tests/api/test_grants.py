"""The life of a grant over HTTP: given without a request, tried before, narrowed, reviewed, withdrawn."""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifications.channels.fcm_wire import push_body
from notifications.outgoing import Address
from notifications.reminders import shard_of
from tests.examples import MANY, examples
from tests.words import says
from tests.world import Doctor, Granted, Person, World, bundle, condition, found_in, immunization
from wallet_api.infra.logs import JsonLines

Json = dict[str, Any]


def standing(world: World, doctor: Doctor, **over: Any) -> Json:
    """What the app sends to give a doctor access that nobody has asked for."""
    return {
        "organisation_id": doctor.organisation_id,
        "purpose": "TREAT",
        "categories": ["condition"],
        "expires_at": (world.now() + timedelta(days=200)).isoformat(),
        **world.answer_to({"purpose": "TREAT"}),
    } | over


def give(world: World, person: Person, doctor: Doctor, **over: Any) -> Json:
    answer = world.post("/citizens/me/grants", person, standing(world, doctor, **over))
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return found_in(answer)


def seen_by(world: World, doctor: Doctor, person: Person) -> list[str]:
    """The sender's ids of what a doctor reads in a session of their own."""
    reference = world.services.references.seal(doctor.organisation_id, "citizen", person.id)
    opened = world.post("/provider/access-sessions", doctor, {"citizen_ref": reference, "purpose": "TREAT"})
    if opened.status_code != 201:
        return [found_in(opened)["code"]]
    headers = {"Access-Session": found_in(opened)["id"]}
    read = found_in(world.get(f"/provider/citizens/{reference}/records?limit=100", doctor, headers=headers))
    return sorted(each["resource"]["id"] for each in read["items"])


# --- without a request -----------------------------------------------------------------------------------


def test_a_standing_grant_opens_what_its_preview_shows(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition("c1"), condition("c2", on="2025-01-01"), immunization()))
    tried = world.post("/citizens/me/grants/preview", an, standing(world, doctor))
    assert (tried.status_code, found_in(tried)["total"]) == (200, 2)
    assert seen_by(world, doctor, an) == ["not_found"], "a dry run opens nothing"
    made = give(world, an, doctor)
    assert (made["kind"], made["state"], made["request_id"]) == ("standing", "granted", None)
    assert seen_by(world, doctor, an) == ["c1", "c2"]
    assert found_in(world.get(f"/citizens/me/grants/{made['id']}/receipt", an))["receipt"].count(".") == 2


def test_single_records_and_a_single_doctor_are_all_that_opens(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition("c1"), condition("c2", on="2025-01-01")))
    first = found_in(world.get("/citizens/me/records", an))["items"][0]
    give(world, an, doctor, record_ids=[first["id"]], practitioner=doctor.practitioner_id)
    assert seen_by(world, doctor, an) == [first["resource"]["id"]]
    assert seen_by(world, world.colleague(doctor), an) == ["not_covered"]


@pytest.mark.parametrize(
    ("over", "status", "code"),
    [
        ({"organisation_id": "a" * 26}, 404, "not_found"),
        ({"practitioner": "nobody"}, 422, "unknown_code"),
        ({"purpose": "HRESCH"}, 403, "not_licensed"),
        ({"categories": ["imaging"]}, 403, "not_licensed"),
        ({"record_ids": []}, 422, "invalid_fields"),
        ({"mode": "QUERY"}, 422, "invalid_fields"),
        ({"expires_at": "2028-01-01T00:00:00Z"}, 422, "unknown_code"),
        ({"notice": {"version": "1999-01-01", "locale": "vi"}}, 409, "notice_outdated"),
        ({"citizen_id": "x"}, 422, "invalid_fields"),
        ({"kind": "emergency"}, 422, "invalid_fields"),
    ],
)
def test_a_bad_standing_grant_is_refused(world: World, over: Json, status: int, code: str) -> None:
    an, doctor = world.person(), world.doctor()
    answer = world.post("/citizens/me/grants", an, standing(world, doctor, **over))
    assert (answer.status_code, found_in(answer)["code"]) == (status, code)
    assert found_in(world.get("/citizens/me/grants", an))["items"] == []


def test_a_standing_grant_needs_a_fresh_sign_in_and_an_organisation_that_is_not_blocked(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    stale = world.signed_in(an, ago=timedelta(minutes=6))
    answer = world.post("/citizens/me/grants", stale, standing(world, doctor))
    assert found_in(answer)["code"] == "insufficient_user_authentication"
    path = f"/citizens/me/blocked-organisations/{doctor.organisation_id}"
    assert world.call("PUT", path, an).status_code == 204
    answer = world.post("/citizens/me/grants", an, standing(world, doctor))
    assert (answer.status_code, found_in(answer)["code"]) == (409, "organisation_blocked")


def test_the_same_key_gives_one_standing_grant(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    sent = standing(world, doctor)
    made = [
        found_in(world.post("/citizens/me/grants", an, sent, headers={"Idempotency-Key": "k"}))["id"]
        for _ in range(2)
    ]
    assert made[0] == made[1]
    assert len(found_in(world.get("/citizens/me/grants", an))["items"]) == 1


# --- looking before withdrawing, and again every 90 days --------------------------------------------------


def test_a_grants_preview_tells_what_goes_with_it(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition("c1"), condition("c2", on="2025-01-01"), immunization()))
    narrow = give(world, an, doctor, record_period={"from": "2026-01-01", "to": None})
    wide = give(world, an, doctor, categories=["condition", "immunization"])

    def told(grant: Json) -> tuple[int, int, int]:
        body = found_in(world.get(f"/citizens/me/grants/{grant['id']}/preview", an))
        return body["total"], len(body["records"]), body["lost"]

    assert (told(narrow), told(wide)) == ((1, 1, 0), (3, 3, 2))
    before = seen_by(world, doctor, an)
    lost = told(wide)[2]
    assert world.post(f"/citizens/me/grants/{wide['id']}/withdrawal", an).status_code == 200
    assert len(before) - len(seen_by(world, doctor, an)) == lost
    assert told(wide) == (0, 0, 0)


def test_a_review_tells_who_still_has_access_and_when_it_was_used(world: World) -> None:
    an, doctor, other = world.person(), world.doctor(), world.doctor()
    used, unused = give(world, an, doctor), give(world, an, other)
    ended = give(world, an, other, categories=["immunization"])
    world.post(f"/citizens/me/grants/{ended['id']}/withdrawal", an)
    world.forward(hours=1)
    seen_by(world, doctor, an)

    def review() -> dict[str, tuple[bool, bool]]:
        items = found_in(world.get("/citizens/me/grants/review", world.signed_in(an)))["items"]
        return {each["id"]: (each["last_used_at"] is not None, each["review_due"]) for each in items}

    assert review() == {used["id"]: (True, False), unused["id"]: (False, False)}
    world.forward(days=90)
    assert review() == {used["id"]: (True, True), unused["id"]: (False, True)}
    kept = world.post(f"/citizens/me/grants/{used['id']}/confirmation", world.signed_in(an))
    assert (kept.status_code, found_in(kept)["expires_at"]) == (200, used["expires_at"])
    assert review() == {used["id"]: (True, False), unused["id"]: (False, True)}
    over = world.post(f"/citizens/me/grants/{ended['id']}/confirmation", world.signed_in(an))
    assert (over.status_code, found_in(over)["code"]) == (409, "grant_not_in_force")


def test_lists_go_on_after_their_first_page_for_their_reader_alone(world: World) -> None:
    an, doctor, other = world.person(), world.doctor(), world.person()
    made = [give(world, an, doctor)["id"] for _ in range(5)]
    for _ in range(5):
        world.ask(world.doctor(), an)
    for name in ("grants", "consent-requests"):
        found, path = list[str](), f"/citizens/me/{name}?limit=2"
        cursor: str | None = ""
        while cursor is not None:
            page = found_in(world.get(f"{path}&cursor={cursor}" if cursor else path, an))
            found += [each["id"] for each in page["items"]]
            cursor = page["next_cursor"]
        assert len(found) == len(set(found)) == 5
        assert name != "grants" or set(found) == set(made)
        first = found_in(world.get(path, an))["next_cursor"]
        stolen = world.get(f"{path}&cursor={first}", other)
        assert (stolen.status_code, found_in(stolen)["code"]) == (400, "bad_cursor")
        elsewhere = "consent-requests" if name == "grants" else "grants"
        assert world.get(f"/citizens/me/{elsewhere}?cursor={first}", an).status_code == 400


# --- every answer once, never more than asked ------------------------------------------------------------


def at_once(world: World, calls: list[tuple[str, Person, Json]]) -> Counter[int]:
    with ThreadPoolExecutor(10) as pool:
        made = [pool.submit(world.post, path, who, body) for path, who, body in calls]
        return Counter(each.result().status_code for each in made)


def test_c02_fifty_answers_at_once_make_one_grant_and_one_event(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.ask(doctor, an)
    request = world.newest_request(an)
    path = f"/citizens/me/consent-requests/{request['id']}"
    yes = (f"{path}/approval", an, world.answer_to(request))
    no = (f"{path}/refusal", an, {})
    told = at_once(world, [yes if number % 5 else no for number in range(50)])
    assert told[200] + told[201] == 1 and told[409] == 49, told
    grants = found_in(world.get("/citizens/me/grants", an))["items"]
    log = found_in(world.get("/citizens/me/access-log?limit=100", an))["items"]
    events = Counter(line["action"] for line in log)
    assert len(grants) == told[201] and events["consent:refused"] == told[200]
    # What opens is logged first: who had come so far and then lost to a later answer stands in the log too.
    # Nobody who lost has a grant, and no grant lacks its line.
    assert events["consent:granted"] >= told[201]
    stored = world.services.consent.request(an.id, request["id"])
    answers = [step.event for step in stored.history if step.event != "consent:request:created"]
    assert len(answers) == 1


def test_c02_withdrawing_and_narrowing_at_once_leaves_nothing_in_force(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    made = give(world, an, doctor, categories=["condition", "immunization"])
    path = f"/citizens/me/grants/{made['id']}"

    def narrow() -> int:
        body, seen = {"categories": ["condition"]}, {"If-Match": '"1"'}
        return world.call("PATCH", path, an, body, headers=seen).status_code

    with ThreadPoolExecutor(10) as pool:
        narrowed = [pool.submit(narrow) for _ in range(10)]
        withdrawn = [pool.submit(world.post, f"{path}/withdrawal", an) for _ in range(10)]
    assert Counter(each.result() for each in narrowed)[200] <= 1
    assert {each.result().status_code for each in withdrawn} == {200}
    states = Counter(each["state"] for each in found_in(world.get("/citizens/me/grants", an))["items"])
    assert states["granted"] == (1 if states["superseded"] else 0)
    assert states["granted"] + states["withdrawn"] == 1


bodies = st.fixed_dictionaries(
    {},
    optional={
        "categories": st.lists(
            st.sampled_from(["condition", "immunization", "visit"]), min_size=1, unique=True
        ),
        "record_period": st.sampled_from(
            [
                {"from": "2024-01-01", "to": None},
                {"from": "2025-06-01", "to": "2026-06-01"},
                {"from": "2025-01-01", "to": "2026-12-31"},
                {"from": None, "to": None},
            ]
        ),
        "expires_at": st.sampled_from(
            ["2026-11-04T00:00:00Z", "2026-12-03T03:00:00Z", "2026-12-03T03:00:01Z"]
        ),
        "frequency": st.sampled_from(["once", "up_to_5", "up_to_20", "unlimited"]),
        "labels": st.lists(st.sampled_from(["HIV", "PSY"]), unique=True),
        "record_ids": st.lists(st.sampled_from(["a" * 26, "b" * 26]), min_size=1, unique=True),
        "mode": st.sampled_from(["VIEW", "STORE"]),
    },
)
ASKED = {
    "categories": ["condition", "immunization"],
    "record_period": {"from": "2025-01-01", "to": "2026-12-31"},
    "frequency": "up_to_5",
    "labels": ["HIV"],
    "mode": "VIEW",
}
MOST = {"once": 1, "up_to_5": 5, "up_to_20": 20, "unlimited": None}


def within(given_: Json, asked: Json) -> bool:
    """Grant within request, one line a dimension, from what both look like outside."""
    uses, most = given_["uses"], asked["uses"]
    named, allowed = given_["record_ids"], asked["record_ids"]
    return all(
        (
            given_["organisation"]["id"] == asked["organisation"]["id"],
            given_["purpose"] == asked["purpose"],
            set(given_["categories"]) <= set(asked["categories"]),
            _starts(asked) <= _starts(given_) and _ends(given_) <= _ends(asked),
            _instant(given_) <= _instant(asked),
            most is None or (uses is not None and uses <= most),
            set(given_["labels"]) <= set(asked["labels"]),
            allowed is None or (named is not None and set(named) <= set(allowed)),
            given_["mode"] == "VIEW" or asked["mode"] == "STORE",
        )
    )


def _instant(scope: Json) -> datetime:
    return datetime.fromisoformat(scope["expires_at"])  # as text, a whole second comes after its own parts


def _starts(scope: Json) -> str:
    return scope["record_period"]["from"] or "0000"


def _ends(scope: Json) -> str:
    return scope["record_period"]["to"] or "9999"


@settings(
    max_examples=examples(10, 150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=not MANY,
)
@given(bodies, bodies)
def test_c03_c04_a_grant_is_within_its_request_and_changing_it_never_widens(
    shared_world: World, said: Json, then: Json
) -> None:
    world = shared_world
    an, doctor = _asked_person(world)
    world.ask(doctor, an, **ASKED)
    request = world.newest_request(an)
    path = f"/citizens/me/consent-requests/{request['id']}/approval"
    answer = world.post(path, an, world.answer_to(request, **said))
    wanted = request | {name: value for name, value in said.items() if name != "frequency"}
    wanted |= {"uses": MOST[said["frequency"]]} if "frequency" in said else {}
    assert (answer.status_code == 201) is within(wanted, request), answer.get_data(as_text=True)
    if answer.status_code != 201:
        assert found_in(answer)["code"] == "scope_widened"
        assert world.newest_request(an)["state"] == "requested"
        return
    made = found_in(answer)
    assert within(made, request)
    changed = world.call("PATCH", f"/citizens/me/grants/{made['id']}", an, then, headers={"If-Match": '"1"'})
    assert changed.status_code != 200 or within(found_in(changed), made)
    live = [
        each for each in found_in(world.get("/citizens/me/grants", an))["items"] if each["state"] == "granted"
    ]
    assert len(live) == 1 and within(live[0], request)
    world.post(f"/citizens/me/grants/{live[0]['id']}/withdrawal", an)


_ASKED: dict[int, tuple[datetime, Person, Doctor]] = {}


def _asked_person(world: World) -> tuple[Person, Doctor]:
    """Somebody whose sign-in is minutes old at most, and who asks them."""
    found = _ASKED.get(id(world))
    if found is None or not timedelta(0) <= world.now() - found[0] < timedelta(minutes=2):
        _ASKED[id(world)] = world.now(), world.person(), world.doctor()
    return _ASKED[id(world)][1:]


# --- what is told: to the asker the truth of now, to the citizen all -------------------------------------


def outcome(made: Granted) -> Json:
    return found_in(made.world.get(f"/provider/consent-requests/{made.request_ref}", made.doctor))


def test_the_asker_follows_a_narrowing_and_is_told_every_end_alike(world: World) -> None:
    doctor = world.doctor()
    ends = []
    for number in range(3):
        an = world.person()
        made = world.grant(doctor, an)
        assert outcome(made)["state"] == "granted"
        path = f"/citizens/me/grants/{made.grant['id']}"
        body, seen = {"categories": ["condition"]}, {"If-Match": '"1"'}
        narrower = found_in(world.call("PATCH", path, an, body, headers=seen))
        told = outcome(made)
        assert told["state"] == "granted" and told["grant_id"] != made.outcome["grant_id"]
        old = found_in(world.get(path, an))
        assert (old["state"], old["replaced_by"]) == ("superseded", narrower["id"])
        if number == 0:
            world.post(f"/citizens/me/grants/{narrower['id']}/withdrawal", an, {"reason": "too_much"})
            history = found_in(world.get(f"/citizens/me/grants/{narrower['id']}", an))["history"]
            assert [each["event"] for each in history][-1] == "consent:grant:withdrawn"
            assert (history[-1]["reason"], history[-1]["by_me"]) == ("too_much", True)
        elif number == 1:
            blocked = f"/citizens/me/blocked-organisations/{doctor.organisation_id}"
            assert world.call("PUT", blocked, an).status_code == 204
        else:
            world.services.consent.suspend(an.id, narrower["id"], "custody_ended", "registry")
            assert found_in(world.get(f"/citizens/me/grants/{narrower['id']}", an))["state"] == "suspended"
            assert made.open().status_code == 403
        ends.append(outcome(made) | {"id": ""})
    assert ends[0] == ends[1] == ends[2] == {"id": "", "state": "ended"}


def test_a_suspended_grant_works_again_with_the_uses_it_had_left(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    made = world.grant(doctor, an, frequency="up_to_5")
    made.session()
    consent = world.services.consent
    consent.suspend(an.id, made.grant["id"], "custody_ended", "registry")
    consent.suspend(an.id, made.grant["id"], "custody_ended", "registry")
    assert made.open().status_code == 403
    grant = consent.grant(an.id, made.grant["id"])
    assert [step.event for step in grant.history].count("consent:grant:suspended") == 1
    consent.resume(an.id, grant.id, _actor(an), world.now() + timedelta(days=1))
    assert made.open().status_code == 201
    (live,) = consent._consents.standing(an.id, doctor.organisation_id).live
    assert live.uses_left == 3
    world.forward(days=1)
    assert made.open().status_code == 403, "and holds no longer than it was said to"
    assert consent.withdraw(an.id, grant.id, None, _actor(an)).state == "withdrawn"


def _actor(person: Person) -> Any:
    from consent.model import Actor, Evidence

    return Actor(Evidence(person.id, "self", person.session_id, "app", person.world.now(), "2"), person.born)


def test_a_copy_may_be_kept_only_where_that_was_granted(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    viewing = world.grant(doctor, an)
    body = {"citizen_ref": viewing.citizen_ref, "purpose": "TREAT", "mode": "STORE"}
    refused = world.post("/provider/access-sessions", doctor, body)
    assert (refused.status_code, found_in(refused)["code"]) == (403, "not_covered")
    assert viewing.read(viewing.session()).headers["Cache-Control"] == "no-store"
    keeping = world.grant(doctor, an, mode="STORE")
    session = found_in(world.post("/provider/access-sessions", doctor, body))["id"]
    assert keeping.read(session).headers["Cache-Control"] == "private, no-cache"


# --- somebody opened your records ------------------------------------------------------------------------


def inbox(world: World, person: Person) -> list[Json]:
    items = found_in(world.get("/citizens/me/inbox", world.signed_in(person)))["items"]
    return [each for each in items if each["topic"] == "access"]


def test_a_person_is_told_once_a_day_by_whom_their_records_were_opened(world: World) -> None:
    an, doctor, other = world.person(), world.doctor(name="Viện Một"), world.doctor(name="Viện Hai")
    made, second = world.grant(doctor, an), world.grant(other, an)
    for each in (made, made, second):
        each.session()
    found = inbox(world, an)
    assert sorted("Viện Một" in each["body"] for each in found) == [False, True]
    pushed = [each["pushes"] for each in world.db["outbox"].find({})]
    assert pushed and all("Viện" not in str(each) for each in pushed)
    world.forward(days=1)
    made.session()
    assert len(inbox(world, an)) == 3
    chosen = {"opted_out": ["access"], "from_hour": 8, "to_hour": 20, "locale": "vi"}
    path = "/citizens/me/notification-preferences"
    assert world.call("PUT", path, world.signed_in(an), chosen).status_code == 200
    world.forward(days=1)
    made.session()
    assert len(inbox(world, an)) == 3


def test_telling_that_fails_keeps_no_doctor_waiting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    an, doctor = world.person(), world.doctor()
    made = world.grant(doctor, an)

    def broken(*args: Any) -> Any:
        raise RuntimeError("inbox")

    with monkeypatch.context() as patch:
        patch.setattr(type(world.services.reminding.alerts), "send", broken)
        made.session()
    assert inbox(world, an) == []
    made.session()
    assert len(inbox(world, an)) == 1


# --- counted uses, and what leaves the house beside an answer --------------------------------------------


def test_c18_sixty_at_once_open_one_use_once_and_a_retry_is_the_same_use(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    made = world.grant(doctor, an, frequency="once")
    body, token = {"citizen_ref": made.citizen_ref, "purpose": "TREAT"}, doctor.token

    def opened(number: int) -> tuple[int, str]:
        headers = {"Idempotency-Key": f"act-{number}"}
        answer = world.post("/provider/access-sessions", token, body, headers=headers)
        return answer.status_code, headers["Idempotency-Key"]

    with ThreadPoolExecutor(10) as pool:
        told = list(pool.map(opened, range(60)))
    assert Counter(status for status, _ in told) == {201: 1, 403: 59}
    (winner,) = [key for status, key in told if status == 201]
    again = world.post("/provider/access-sessions", token, body, headers={"Idempotency-Key": winner})
    assert again.status_code == 201
    assert made.read(found_in(again)["id"]).status_code == 200
    (live,) = world.services.consent._consents.standing(an.id, doctor.organisation_id).live
    assert live.uses_left == 0


class Kept(logging.Handler):
    """Log lines as they would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.setFormatter(JsonLines())

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def test_c24_no_push_and_no_log_line_tells_who_what_or_where(world: World) -> None:
    name, place, illness = "Trần Canh Gác", "Viện Canh Gác", "F32.1"
    an, doctor, kept = world.person(name=name), world.doctor(name=place), Kept()
    told_by = logging.getLogger("wallet")
    level = told_by.level
    told_by.addHandler(kept)
    told_by.setLevel(logging.DEBUG)
    try:
        world.send(doctor, bundle(an, condition("canh-gac", illness)))
        made = world.grant(doctor, an, labels=["PSY"])
        made.read(made.session())
        made.withdraw()
        made.open()
    finally:
        told_by.removeHandler(kept)
        told_by.setLevel(level)
    secrets = {name, place, illness, an.number, an.phone, an.id, doctor.organisation_id, "PSY", "canh-gac"}
    secrets |= {"condition", "TREAT", made.grant["id"], "psych", "HIV"}
    assert kept.lines, "nothing was logged, so nothing was seen"
    told = {secret for secret in secrets for line in kept.lines if secret in line}
    assert told == set(), told
    now, address = world.now(), Address("installation", an.id, "fid", "f" * 22, 1)
    outbox, shard, pushed = world.services.reminding.outbox, shard_of(an.id), []
    while (batch := outbox.claim(shard, now + timedelta(days=1), timedelta(minutes=1))) is not None:
        pushed += [push for push in batch.pushes if push.recipient_id == an.id]
    assert pushed, "the person is told"
    for push in pushed:
        body = push_body(address, push.nid, "vi", now + timedelta(days=1), now).decode()
        assert not {secret for secret in secrets if says(body, secret)}, body
