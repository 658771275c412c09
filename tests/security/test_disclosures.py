"""No path, verb, filter, sort, page or total gives a record to whom the decision does not give it.

Every route of the application is found in its URL map and called with everything a caller could hold: what
is covered, withdrawn, another's, hidden, restricted, of another category or time. Each record carries a word
of its own; which words may come out follows from who calls, never from the route. A route added later is
called like the others, and one that discloses records must be named below.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.security.matrix import operations
from tests.world import (
    Doctor,
    Granted,
    Json,
    Person,
    World,
    bundle,
    condition,
    found_in,
    labelled,
    observation,
)
from wallet_api.infra.ids import new_id
from wallet_api.stores.compiled_predicate import CompiledPredicates

SEEN, OTHER_CATEGORY, OTHER_TIME = "zqseen", "zqcategory", "zqperiod"
RESTRICTED, FROM_PROVIDERS, FROM_GUARDIANS = "zqlabel", "zqprovider", "zqguardian"
WORDS = frozenset({SEEN, OTHER_CATEGORY, OTHER_TIME, RESTRICTED, FROM_PROVIDERS, FROM_GUARDIANS})
OF_PROVIDER = frozenset({SEEN, FROM_GUARDIANS})
OF_GUARDIAN = WORDS - {FROM_GUARDIANS}

DISCLOSING = {
    "GET /citizens/<citizen>/changes",
    "GET /citizens/<citizen>/records",
    "GET /citizens/<citizen>/records/<record_id>",
    "GET /citizens/<citizen>/records/<record_id>/versions",
    "GET /citizens/<citizen>/summary",
    "GET /provider/citizens/<citizen_ref>/summary",
    "GET /provider/citizens/<citizen_ref>/records",
    "GET /provider/citizens/<citizen_ref>/records/<record_ref>",
    "GET /provider/own-records",
}
"""Everything that hands out records. A new one is added here when its cases have been thought of."""
QUERIES = (
    "",
    "?limit=1",
    "?limit=100",
    "?category=condition",
    "?category=lab_result",
    "?from=2015-01-01&to=2030-12-31",
    "?to=2020-01-01",
    "?limit=1&cursor=forged",
    "?sort=occurred_on",
    "?sort=-labels&total=true",
    "?labels=PSY",
    "?_summary=count",
)
OWN_THINGS = {
    "name",
    "purpose",
    "organisation_id",
}
"""Arguments that name what is nobody's book."""


MOMENTS = {"next_cursor", "request_id", "recorded_at", "received_at"}
"""What differs between two answers to one question, in value but not in length."""

pytestmark = pytest.mark.usefixtures("sessions_read_once")


@dataclass(frozen=True)
class Book:
    """Somebody with a record of each kind, and what was granted of it to a hospital."""

    person: Person
    made: Granted
    records: dict[str, str]
    refs: dict[str, str]


@dataclass
class Places:
    """Two books of which one grant stands and one was withdrawn, and everybody who may call."""

    world: World
    standing: Book
    withdrawn: Book
    child: Book
    guardian: Person
    stranger: Person
    hospital: Doctor
    foreign: Doctor
    sessions: dict[str, str] = field(default_factory=dict)


def filled(world: World, person: Person, writer: Doctor, hospital: Doctor, owner: Person) -> Book:
    rows = [
        condition(SEEN, {"text": SEEN}, on="2026-03-01"),
        observation(OTHER_CATEGORY, on="2026-03-02", note=[{"text": OTHER_CATEGORY}]),
        condition(OTHER_TIME, {"text": OTHER_TIME}, on="2019-03-03"),
        labelled(condition(RESTRICTED, {"text": RESTRICTED}, on="2026-03-04"), "PSY"),
        condition(FROM_PROVIDERS, {"text": FROM_PROVIDERS}, on="2026-03-05"),
        condition(FROM_GUARDIANS, {"text": FROM_GUARDIANS}, on="2026-03-06"),
    ]
    report = world.send(writer, bundle(person, *rows))
    assert report["rejected"] == 0, report
    citizen = "me" if owner is person else person.id
    items = found_in(world.get(f"/citizens/{citizen}/records?limit=100", owner))["items"]
    records = {each["resource"]["id"]: each["id"] for each in items}
    asked = {"categories": ["condition"], "record_period": {"from": "2025-01-01", "to": None}}
    made = _grant(world, hospital, person, owner, citizen, asked)
    seal, organisation = world.services.references.seal, hospital.organisation_id
    refs = {word: seal(organisation, "record", person.id, name) for word, name in records.items()}
    for word, audience in ((FROM_PROVIDERS, "providers"), (FROM_GUARDIANS, "guardians")):
        world.services.book.readers._parts.records.set_hidden(person.id, records[word], audience, hidden=True)
    return Book(person, made, records, refs)


def _grant(
    world: World, hospital: Doctor, person: Person, owner: Person, citizen: str, asked: Json
) -> Granted:
    reference = world.ask(hospital, person, **asked)
    request = found_in(world.get(f"/citizens/{citizen}/consent-requests", owner))["items"][0]
    path = f"/citizens/{citizen}/consent-requests/{request['id']}/approval"
    made = world.post(path, owner, world.answer_to(request))
    assert made.status_code == 201, made.get_data(as_text=True)
    outcome = found_in(world.get(f"/provider/consent-requests/{reference}", hospital))
    return Granted(world, hospital, owner, found_in(made), outcome, reference)


@pytest.fixture(scope="module")
def places(shared_world: World) -> Places:
    world = shared_world
    writer, hospital, foreign = world.doctor(), world.doctor(), world.doctor()
    an, binh, guardian = world.person(), world.person(), world.person()
    child = world.child_of(guardian)
    standing = filled(world, an, writer, hospital, an)
    withdrawn = filled(world, binh, writer, hospital, binh)
    made = Places(
        world, standing, withdrawn, filled(world, child, writer, hospital, guardian), guardian,
        world.person(), hospital, foreign,
    )  # fmt: skip
    made.sessions = {"standing": standing.made.session(), "withdrawn": withdrawn.made.session()}
    assert withdrawn.made.withdraw().status_code == 200
    return made


def paths(places: Places, path: str, arguments: list[str], book: Book, word: str) -> str:
    """A path with everything in it that names a thing of a book; what is nobody's is absent."""
    person, made = book.person, book.made
    known = {
        "citizen": person.id,
        "citizen_ref": made.citizen_ref,
        "record_id": book.records[word],
        "record_ref": book.refs[word],
        "request_id": made.grant["request_id"],
        "request_ref": made.request_ref,
        "grant_id": made.grant["id"],
        "organisation_id": places.hospital.organisation_id,
        "name": "purposes",
        "purpose": "TREAT",
    }
    for name in arguments:
        path = path.replace(f"<{name}>", known.get(name) or new_id())
    return path


@dataclass(frozen=True)
class Call:
    """Who calls with what, and the words that may come out."""

    who: str
    caller: str
    book: Book
    session: str
    allowed: frozenset[str]


def callers(places: Places) -> list[Call]:
    """Everybody who holds something, and who holds nothing, on every book."""
    an, binh, child = places.standing, places.withdrawn, places.child
    live, over, nothing = places.sessions["standing"], places.sessions["withdrawn"], frozenset[str]()
    hospital, foreign = places.hospital.token, places.foreign.token
    return [
        Call("owner", an.person.token, an, "", WORDS),
        Call("guardian", places.guardian.token, child, "", OF_GUARDIAN),
        Call("stranger", places.stranger.token, an, "", nothing),
        Call("granted", hospital, an, live, OF_PROVIDER),
        Call("granted, another's session", hospital, binh, live, nothing),
        Call("withdrawn", hospital, binh, over, nothing),
        Call("foreign", foreign, an, live, nothing),
        Call("foreign without session", foreign, an, "", nothing),
        Call("nobody", "", an, live, nothing),
    ]


def words_in(answer: Any) -> frozenset[str]:
    text = answer.get_data(as_text=True) + str(answer.headers)
    return frozenset(word for word in WORDS if word in text)


def said(places: Places, call: Call, method: str, path: str, body: object = None) -> Any:
    headers = {"Access-Session": call.session, "If-Match": '"1"'}
    return places.world.call(method, path, call.caller or None, body, headers=headers)


def reads(places: Places, call: Call, name: str, arguments: list[str]) -> Iterator[tuple[str, Any]]:
    """Every way of asking for one path: each record where one is named, each filter where none is."""
    method, _, path = name.partition(" ")
    single = {"record_id", "record_ref"} & set(arguments)
    for word in sorted(WORDS) if single else [SEEN]:
        whole = paths(places, path, arguments, call.book, word)
        for query in QUERIES if not single else QUERIES[:1]:
            answer = said(places, call, method, whole + query)
            yield f"{method} {path}{query} of {word}", answer
            if query and answer.status_code in (400, 422) and "cursor" not in query:
                continue
            if query == QUERIES[0] and answer.status_code not in (200, 422):
                break  # who is refused without a filter is asked no more


def rest_of_pages(places: Places, call: Call, path: str) -> Iterator[Any]:
    cursor: str | None = ""
    while cursor is not None:
        answer = said(places, call, "GET", f"{path}?limit=1" + (f"&cursor={cursor}" if cursor else ""))
        if answer.status_code != 200:
            return
        cursor = found_in(answer)["next_cursor"]
        yield answer


def test_no_path_gives_out_more_than_the_decision(places: Places, record_property: Any) -> None:
    faults, calls, disclosed = list[str](), 0, set[str]()
    of_app = operations(places.world.app)
    for name, arguments in of_app.items():
        if not name.startswith("GET "):
            continue
        books = set(arguments) - OWN_THINGS
        for call in callers(places):
            if not books and call.who not in ("owner", "granted", "nobody"):
                continue
            for what, answer in reads(places, call, name, arguments):
                calls += 1
                out = words_in(answer)
                if out:
                    disclosed.add(name)
                if out - call.allowed:
                    faults.append(f"{what} as {call.who}: {sorted(out - call.allowed)}")
    record_property("disclosures", f"{calls} calls, {len(of_app)} operations")
    print(f"disclosures: {calls} reads of {len(of_app)} operations, {len(disclosed)} disclose records")
    assert not faults, "\n".join(faults)
    assert disclosed <= DISCLOSING, f"name and think over: {disclosed - DISCLOSING}"
    assert disclosed >= DISCLOSING - {"GET /provider/own-records"}


def test_no_verb_gives_out_what_is_not_the_callers(places: Places) -> None:
    """What changes things is called by those who may not, with the names of real things."""
    faults = []
    for name, arguments in operations(places.world.app).items():
        method, _, path = name.partition(" ")
        if method == "GET" or not set(arguments) - OWN_THINGS:
            continue
        for call in callers(places):
            if call.allowed:
                continue
            whole = paths(places, path, arguments, call.book, SEEN)
            for sent in (
                {},
                {"limit": 100, "categories": ["condition"], "citizen_ref": call.book.made.citizen_ref},
            ):
                answer = said(places, call, method, whole, sent if method != "DELETE" else None)
                out = words_in(answer)
                if out or answer.status_code < 400:
                    faults.append(f"{name} as {call.who}: {answer.status_code} {sorted(out)}")
    assert not faults, "\n".join(faults)


def test_c13_pages_to_the_end_hold_what_one_page_holds(places: Places) -> None:
    for call in callers(places):
        if not call.allowed:
            continue
        if call.session:
            path = f"/provider/citizens/{call.book.made.citizen_ref}/records"
        else:
            path = f"/citizens/{call.book.person.id}/records"
        pages = list(rest_of_pages(places, call, path))
        assert frozenset().union(*map(words_in, pages)) == call.allowed, call.who
        assert all(len(found_in(each)["items"]) == 1 for each in pages), (
            "no page is shorter for what is hidden"
        )


# --- the search oracle: nothing that is withheld moves a bit of any answer -------------------------------


@pytest.fixture(scope="module")
def twins(shared_world: World) -> tuple[World, Granted, Granted]:
    """Two people whose visible records are the same; the second has three times as many withheld."""
    world = shared_world
    writer, hospital = world.doctor(), world.doctor()
    made = []
    for withheld in (False, True):
        person = world.person()
        rows = [condition(f"v{n}", {"text": "same"}, on=f"2026-0{n}-11") for n in range(1, 6)]
        hidden = [condition(f"h{n}", {"text": "kept"}, on=f"2026-0{n}-2{n}") for n in range(1, 6)]
        more = [
            labelled(condition(f"l{n}", {"text": "kept"}, on=f"2026-0{n}-01"), "PSY") for n in range(1, 6)
        ]
        others = [observation(f"o{n}", on=f"2026-0{n}-12") for n in range(1, 6)]
        world.send(writer, bundle(person, *rows, *(hidden + more + others if withheld else [])))
        if withheld:
            items = found_in(world.get("/citizens/me/records?limit=100", person))["items"]
            for each in items:
                if each["resource"]["id"].startswith("h"):
                    path = f"/citizens/me/records/{each['id']}/visibility"
                    body = {"audience": "providers", "hidden": True}
                    assert world.call("PUT", path, person, body).status_code == 204
        made.append(world.grant(hospital, person, categories=["condition"]))
    return world, made[0], made[1]


def shape(answer: Any) -> object:
    """All of an answer that could tell something: names that are random are masked, their length kept."""
    body = json.loads(answer.get_data() or b"{}")

    def masked(part: Any, name: str = "") -> Any:
        if isinstance(part, dict):
            return {key: masked(value, key) for key, value in part.items()}
        if isinstance(part, list):
            return [masked(each) for each in part]
        random_name = name in MOMENTS or re.fullmatch(r"[A-Za-z0-9_-]{26,}", str(part))
        return "-" * len(part) if isinstance(part, str) and random_name else part

    headers = {key: value for key, value in answer.headers if key not in ("Request-Id", "Date", "ETag")}
    return answer.status_code, masked(body), sorted(headers.items())


def questions() -> Iterator[str]:
    """A binary search for a withheld day or kind, in every way the list can be asked."""
    for month in range(1, 7):
        for day in (1, 11, 12, 20 + min(month, 5)):
            yield f"?from=2026-0{month}-{day:02d}&to=2026-0{month}-{day:02d}"
        yield f"?to=2026-0{month}-15"
    for limit in (1, 4, 5, 6, 100):
        yield f"?limit={limit}"
    for category in ("condition", "lab_result", "immunization"):
        yield f"?category={category}"
        yield f"?category={category}&limit=1&from=2026-02-01"
    yield "?sort=first_day"
    yield "?total=true"
    yield "?labels=PSY"


def test_c12_no_question_tells_two_books_apart_by_what_is_withheld(
    twins: tuple[World, Granted, Granted],
) -> None:
    _, plain, withholding = twins
    sessions = plain.session(), withholding.session()
    bits = []
    for asked in questions():
        answers = [made.read(session, query=asked) for made, session in zip(twins[1:], sessions, strict=True)]
        if shape(answers[0]) != shape(answers[1]):
            bits.append((asked, shape(answers[0]), shape(answers[1])))
    assert bits == [], str(bits[0])
    cursors: list[str | None] = ["", ""]
    for _ in range(9):
        asks = [f"?limit=1&cursor={cursor}" if cursor else "?limit=1" for cursor in cursors]
        answers = [
            made.read(session, query=ask)
            for made, session, ask in zip(twins[1:], sessions, asks, strict=True)
        ]
        assert shape(answers[0]) == shape(answers[1])
        cursors = [found_in(each)["next_cursor"] for each in answers]
        if None in cursors:
            break
    assert cursors == [None, None]


def test_c12_a_withheld_record_is_answered_like_none_at_all(twins: tuple[World, Granted, Granted]) -> None:
    world, _plain, withholding = twins
    items = found_in(world.get("/citizens/me/records?limit=100", withholding.person))["items"]
    session, seal = withholding.session(), world.services.references.seal
    whose, organisation = withholding.person.id, withholding.doctor.organisation_id
    seen = set()
    for name in [*[each["id"] for each in items if each["resource"]["id"][0] in "hlo"][:6], new_id()]:
        answer = withholding.read(session, path=f"/{seal(organisation, 'record', whose, name)}")
        seen.add(json.dumps(shape(answer)))
    assert len(seen) == 1 and '"not_found"' in seen.pop()


def test_the_checks_see_a_predicate_that_is_left_out(
    places: Places, twins: tuple[World, Granted, Granted], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard taken away: the store asks for everything of the book."""
    monkeypatch.setattr(CompiledPredicates, "query", lambda self, predicate: {})
    monkeypatch.setattr(CompiledPredicates, "query_within", lambda self, predicate, bounds: {})
    call = next(each for each in callers(places) if each.who == "granted")
    path = f"/provider/citizens/{call.book.made.citizen_ref}/records?limit=100"
    assert words_in(said(places, call, "GET", path)) - call.allowed
    answers = [made.read(made.session()) for made in twins[1:]]
    assert shape(answers[0]) != shape(answers[1])
