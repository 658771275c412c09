"""Who looked: every attempt of a provider stands in the log, before anything is handed over."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import wallet_api.context
from tests.logged import logged
from tests.world import Granted, World, bundle, condition, found_in, immunization
from wallet_api.audit.errors import LogUnavailable
from wallet_api.audit.model import Action
from wallet_api.infra.ids import new_id
from wallet_api.routes import log_lines
from wallet_api.stores.audit_log import MongoAuditLog
from wallet_api.stores.records import MongoRecords


@pytest.fixture
def made(world: World) -> Granted:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition(), immunization()))
    return world.grant(doctor, an)


def rows(world: World, citizen_id: str) -> list[dict[str, Any]]:
    """The log as it stands in the database, oldest first."""
    return sorted(logged(world.db, citizen_id), key=lambda row: int(row["seq"]))


def test_a_permitted_look_is_logged_without_who_what_and_why(world: World, made: Granted) -> None:
    session = made.session()
    answer = made.read(session)
    row = rows(world, made.person.id)[-1]
    assert row["request_id"] == answer.headers["Request-Id"]
    expected = {
        "action": "record:searched",
        "decision": "permit",
        "reason": "granted",
        "actor_kind": "practitioner",
        "actor_id": made.doctor.practitioner_id,
        "organisation_id": made.doctor.organisation_id,
        "practitioner_id": made.doctor.practitioner_id,
        "client_id": made.doctor.client_id,
        "purpose": "TREAT",
        "grant_id": made.grant["id"],
        "record_count": 2,
        "categories": ["condition", "immunization"],
    }
    assert {name: row.get(name) for name in expected} == expected
    started = rows(world, made.person.id)[-2]
    assert (started["action"], started["grant_id"]) == ("access:started", made.grant["id"])


def refusals(world: World, made: Granted) -> Iterator[tuple[str, Any, str]]:
    """Each way for a provider to be refused: its name, the answer, the actor the log must name."""
    doctor, other = made.doctor, world.colleague(made.doctor)
    session = made.session()
    me, colleague, system = doctor.practitioner_id, other.practitioner_id, doctor.organisation_id
    yield "other purpose", made.open(purpose="HRESCH"), str(me)
    yield "no practitioner, opening", made.open(doctor.system), system
    yield "no practitioner, reading", made.read(session, doctor.system), system
    yield "forged session", made.read(f"{session}A"), str(me)
    yield "no session", made.read(""), str(me)
    yield "a colleague's session", made.read(session, other), str(colleague)
    yield "forged session, one record", made.read("x", path="/x"), str(me)
    made.withdraw()
    yield "withdrawn, reading", made.read(session), str(me)
    yield "withdrawn, one record", made.read(session, path="/x"), str(me)
    yield "withdrawn, opening", made.open(), str(me)


def test_a_refused_attempt_is_missing_from_the_log(world: World, made: Granted) -> None:
    missing = []
    for name, answer, actor in refusals(world, made):
        assert answer.status_code == 403, name
        mine = [
            row for row in rows(world, made.person.id) if row["request_id"] == answer.headers["Request-Id"]
        ]
        told = [(row["decision"], row["actor_id"], row["organisation_id"]) for row in mine]
        if told != [("refuse", actor, made.doctor.organisation_id)]:
            missing.append((name, told))
    assert missing == []


def test_a_refused_attempt_of_an_organisation_never_granted_anything_is_missing(world: World) -> None:
    an, stranger = world.person(), world.doctor()
    reference = world.services.references.seal(stranger.organisation_id, "citizen", an.id)
    body = {"citizen_ref": reference, "purpose": "TREAT"}
    assert world.post("/provider/access-sessions", stranger, body).status_code == 404
    lines = found_in(world.get("/citizens/me/access-log", an))["items"]
    refused = [each for each in lines if each["organisation"]]
    assert [(each["decision"], each["organisation"]["id"]) for each in refused] == [
        ("refuse", stranger.organisation_id)
    ]
    assert "từ chối" in refused[0]["text"]


def test_data_is_handed_over_before_the_log_has_it(
    world: World, made: Granted, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, seen = made.session(), []
    release = world.services.access.__class__.still_holds

    def look_first(self: Any, fence: Any) -> bool:
        # The last thing before an answer leaves: by now the entry must be in the database.
        seen.append(rows(world, made.person.id)[-1]["action"])
        return release(self, fence)

    monkeypatch.setattr(world.services.access.__class__, "still_holds", look_first)
    assert made.read(session).status_code == 200
    assert seen == ["record:searched"]


def test_data_is_shown_though_the_log_is_down(
    world: World, made: Granted, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, record = made.session(), made.seen()[0]["id"]
    own = found_in(world.get("/citizens/me/records", made.person))["items"][0]["id"]
    an = made.person

    def fail(self: MongoAuditLog, new: Any) -> None:
        raise ConnectionError("planted")

    with monkeypatch.context() as patch:
        patch.setattr(MongoAuditLog, "append", fail)
        for answer in (
            made.read(session),
            made.read(session, path=f"/{record}"),
            made.open(),
            world.get("/citizens/me/records", an),
            world.get(f"/citizens/me/records/{own}", an),
            world.get(f"/citizens/me/records/{own}/versions", an),
            world.get("/citizens/me/forecast", an),
            world.get("/citizens/me/reminders", an),
            world.get("/provider/own-records", made.doctor),
            world.get(f"/citizens/me/grants/{made.grant['id']}/receipt", an),
        ):
            assert (answer.status_code, found_in(answer)["code"]) == (503, "log_unavailable")
            assert answer.headers["Retry-After"] and b"I10" not in answer.get_data()
            assert set(found_in(answer)) == {"type", "title", "status", "code", "detail", "request_id"}
    assert made.read(session).status_code == 200, "back by itself"


def test_a_withdrawal_waits_for_the_log(world: World, made: Granted, monkeypatch: pytest.MonkeyPatch) -> None:
    session = made.session()
    with monkeypatch.context() as patch:
        patch.setattr(world.services.log.__class__, "append", raise_unavailable)
        assert made.withdraw().status_code == 503
    assert made.read(session).status_code == 403, "it was effective all the same"
    assert made.withdraw().status_code == 200


def raise_unavailable(self: Any, event: Any) -> str:
    raise LogUnavailable("planted")


def test_a_look_that_finds_nothing_is_not_logged(world: World, made: Granted) -> None:
    session = made.session()
    absent = world.services.references.seal(made.doctor.organisation_id, "record", made.person.id, new_id())
    answer = made.read(session, path=f"/{absent}")
    row = rows(world, made.person.id)[-1]
    assert (answer.status_code, row["request_id"]) == (404, answer.headers["Request-Id"])
    assert (row["record_count"], row["categories"]) == (0, [])


def test_hidden_rows_leave_the_database(world: World, made: Granted, monkeypatch: pytest.MonkeyPatch) -> None:
    items = found_in(world.get("/citizens/me/records", made.person))["items"]
    path = f"/citizens/me/records/{items[0]['id']}/visibility"
    world.call("PUT", path, made.person, {"audience": "providers", "hidden": True})
    opened: list[str] = []
    record = MongoRecords._record

    def note(self: MongoRecords, found: Any) -> Any:
        opened.append(found["_id"])
        return record(self, found)

    monkeypatch.setattr(MongoRecords, "_record", note)
    made.seen()
    assert opened == [items[1]["id"]]


def test_the_log_is_read_in_pages_with_gaps_or_by_others(world: World, made: Granted) -> None:
    for _ in range(3):
        made.seen()
    path = "/citizens/me/access-log"
    whole = found_in(world.get(f"{path}?limit=100", made.person))["items"]
    times = [datetime.fromisoformat(each["at"]) for each in whole]
    assert len(whole) >= 8 and times == sorted(times, reverse=True)
    found: list[Any] = []
    cursor = ""
    while cursor is not None:
        page = found_in(world.get(f"{path}?limit=3{cursor}", made.person))
        found += page["items"]
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    assert [each["id"] for each in found] == [each["id"] for each in whole]
    first = found_in(world.get(f"{path}?limit=3", made.person))["next_cursor"]
    stranger = world.get(f"{path}?limit=3&cursor={first}", world.person())
    assert (stranger.status_code, found_in(stranger)["code"]) == (400, "bad_cursor")
    world.forward(hours=1)
    late = world.get(f"{path}?cursor={first}", world.signed_in(made.person))
    assert late.status_code == 400


def test_the_log_is_told_in_one_language_only(world: World, made: Granted) -> None:
    made.seen()
    path = "/citizens/me/access-log?limit=1"
    vi = found_in(world.get(path, made.person))["items"][0]
    en = found_in(world.get(path, made.person, headers={"Accept-Language": "en-GB"}))["items"][0]
    assert vi["text"] == "BS. Khánh, Bệnh viện Thử xem danh sách hồ sơ"
    assert en["text"] == "BS. Khánh, Test Hospital read the list of records"
    assert vi["actor"]["name"] == "BS. Khánh" and vi["organisation"]["name_vi"] == "Bệnh viện Thử"


def test_a_consent_line_does_not_say_to_whom(world: World, made: Granted) -> None:
    made.withdraw()
    lines = found_in(world.get("/citizens/me/access-log", made.person))["items"]
    told = {each["action"]: (each["text"], (each["organisation"] or {}).get("id")) for each in lines}
    whom = made.doctor.organisation_id
    assert told["consent:granted"] == ("Bạn đồng ý cho Bệnh viện Thử xem hồ sơ", whom)
    assert told["consent:withdrawn"] == ("Bạn rút lại sự đồng ý đã cho Bệnh viện Thử", whom)


def test_a_refused_opening_is_logged_as_a_read(world: World, made: Granted) -> None:
    for answer in (made.open(made.doctor.system), made.open(purpose="HRESCH")):
        (row,) = [
            each for each in rows(world, made.person.id) if each["request_id"] == answer.headers["Request-Id"]
        ]
        assert (row["action"], row["decision"]) == ("access:started", "refuse")


NEVER_ABOUT_A_CITIZEN = {
    Action.ORGANISATION_CHANGED,
    Action.ROSTER_CHANGED,
    Action.COVERAGE_READ,
    Action.ERASURES_READ,
    Action.CAMPAIGN_PREPARED,
    Action.CAMPAIGN_SENT,
    Action.BREACH_OPENED,
    Action.BREACH_READ,
    Action.BREACH_ASSESSED,
    Action.BREACH_NOTIFIED,
    Action.BREACH_CLOSED,
    Action.REBUILD_ASKED,
    Action.REBUILD_READ,
    Action.REBUILD_DECIDED,
}


def acts_of_the_product() -> Iterator[tuple[Action, bool]]:
    """Each action that the product names, and whether it is written there without a citizen."""
    root = Path(wallet_api.context.__file__).parent
    for path in sorted(root.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = {
            id(each.args[0]): each for each in ast.walk(tree) if isinstance(each, ast.Call) and each.args
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute) or ast.unparse(node.value) != "Action":
                continue
            call = calls.get(id(node))
            whose = call.args[1] if call is not None and len(call.args) > 1 else None
            # The breach register writes through one function of its own, never about one citizen.
            nobody = isinstance(whose, ast.Constant) and whose.value is None
            yield Action[node.attr], nobody or path.name == "breaches.py"


def test_an_act_is_told_as_something_else() -> None:
    named = set(acts_of_the_product())
    about_citizens = {action for action, without_citizen in named if not without_citizen}
    assert len(about_citizens) > 20 and not about_citizens & NEVER_ABOUT_A_CITIZEN
    assert {str(each) for each in set(Action) - NEVER_ABOUT_A_CITIZEN} == set(log_lines._VERBS)
    for locale in ("vi", "en"):
        said = [verb[locale] for verb in log_lines._VERBS.values()]
        assert len(set(said)) == len(said) and log_lines._OTHER[locale] not in said


def test_a_dismissed_practitioner_becomes_a_riddle_in_the_log(world: World, made: Granted) -> None:
    made.seen()
    organisations = world.services.identity.organisations
    practitioner = str(made.doctor.practitioner_id)
    organisations.dismiss(made.doctor.organisation_id, practitioner)
    world.forward(days=3)
    an = world.signed_in(made.person, ago=timedelta(0))
    lines = found_in(world.get("/citizens/me/access-log", an))["items"]
    looked = [each for each in lines if each["action"] == "record:searched"]
    assert looked[0]["actor"]["name"] == "BS. Khánh"
