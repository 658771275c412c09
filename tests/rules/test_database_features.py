"""Which commands, operators, index kinds and options of MongoDB are used: docs/mongodb.md says, this looks.

Whoever brings in a new one sees it here, adds its line, and so asks whether a real cluster allows it.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from tests.rules.test_queries import requests
from tests.world import World, bundle, condition, found_in, immunization
from wallet_api.infra import mongo
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import open_database
from wallet_api.wiring.indexes import ALL_INDEXES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "mongodb.md"
DRIVER = frozenset(
    {"$db", "lsid", "txnNumber", "$clusterTime", "$readPreference", "cursor", "txnRetryCounter"}
)
"""What the driver adds to commands by itself; a cursor is asked for with every aggregation."""
HANDSHAKE = frozenset({"saslStart", "saslContinue", "hello", "isMaster", "ismaster", "endSessions"})
"""What the driver says by itself when it connects, signs in and leaves."""


class Census(CommandListener):
    """Every command with its options, every operator with its kind, and what transactions touch."""

    def __init__(self) -> None:
        self.commands: dict[str, set[str]] = defaultdict(set)
        self.operators: dict[str, set[str]] = defaultdict(set)
        self.collections: set[str] = set()
        self.in_transactions: set[str] = set()
        self.deaf = False
        self.before: set[str] = set()
        self.after: set[str] = set()

    def started(self, event: CommandStartedEvent) -> None:
        if self.deaf or event.command_name in HANDSHAKE:
            return
        command = dict(event.command)
        verb = event.command_name
        self.commands[verb] |= set(command) - DRIVER - {verb}
        if isinstance(command.get(verb), str) and verb not in ("getMore", "killCursors"):
            self.collections.add(command[verb])
            if "autocommit" in command:
                self.in_transactions.add(command[verb])
        self._query(command.get("filter", {}))
        self._query(command.get("query", {}))
        for each in command.get("updates", ()):
            self.commands[verb] |= {name for name in ("upsert", "multi") if each.get(name)}
            self._query(each["q"])
            self._walk("update", each["u"])
        for each in command.get("deletes", ()):
            self._query(each["q"])
        for stage in command.get("pipeline", ()):
            self._stage(stage)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        pass

    def failed(self, event: CommandFailedEvent) -> None:
        pass

    def _query(self, value: Any) -> None:
        self._walk("query", value)

    def _stage(self, stage: Mapping[str, Any]) -> None:
        for name, inner in stage.items():
            self.operators[name].add("stage")
            self._walk("query" if name == "$match" else "expression", inner)

    def _walk(self, kind: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                if key.startswith("$"):
                    self.operators[key].add(kind)
                # A filter inside an update ($pull) speaks the language of queries.
                self._walk("query" if key == "$pull" else kind, inner)
        elif isinstance(value, list | tuple):
            for each in value:
                self._walk(kind, each)


def played(embedded_uri: str, folder: Path, census: Census) -> tuple[set[str], set[str]]:
    """The main flows on a wallet of their own; (collections after the start, collections at the end)."""
    with pytest.MonkeyPatch.context() as patch:
        kept = mongo.MongoClient
        patch.setattr(mongo, "MongoClient", lambda *a, **more: kept(*a, event_listeners=[census], **more))
        db = open_database(embedded_uri, f"features_{new_id()}")
    world = World(db, folder)
    there = collections(db, census)
    try:
        _play(world)
        return there, collections(db, census)
    finally:
        world.services.log.close()
        db.client.close()


def collections(db: Any, census: Census) -> set[str]:
    """What is there now; the test's own question is no use of the product's."""
    census.deaf = True
    found = {name for name in db.list_collection_names() if not name.startswith("system.")}
    census.deaf = False
    return found


def _play(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    child = world.child_of(an)
    world.send(doctor, bundle(an, condition(), immunization(), condition("c2", on="2025")))
    world.send(doctor, bundle(an, condition("c2", on="2025-06")))
    world.send(doctor, bundle(an, condition(), number="001190999777"))
    made = world.grant(doctor, an, frequency="once")
    made = world.grant(doctor, an)
    world.ask(doctor, an)
    for _, call in requests(made):
        assert call().status_code < 300
    _act(world, an, child, doctor)
    _sign_in(world, an)
    world.services.reminding.dispatch.plan_day(date(2026, 11, 3))
    _deliver(world)


def _deliver(world: World) -> None:
    """What the worker asks of the outbox; the channel itself speaks to no database."""
    outbox, now = world.services.reminding.outbox, world.now()
    found = [outbox.claim(shard, now + timedelta(hours=1), timedelta(minutes=2)) for shard in range(64)]
    assert found
    world.services.reminding.figures()


def _act(world: World, an: Any, child: Any, doctor: Any) -> None:
    """Everything a citizen, a guardian, a provider and ops do that is no hot read."""
    registrar = world.ops("registrar", "operator", "reviewer")
    item = found_in(world.get("/citizens/me/records", an))["items"][0]["id"]
    code = found_in(world.post("/citizens/me/visit-codes", an))["visit_code"]
    world.ask(doctor, an, citizen={"visit_code": code}, only_me=True)
    request = world.newest_request(an)["id"]
    phone = new_id()
    app = {"platform": "ios", "address_kind": "fid", "address": "a" * 22}
    acts: list[tuple[str, str, Any, Any]] = [
        ("PUT", f"/citizens/me/records/{item}/visibility", an, {"audience": "providers", "hidden": True}),
        ("PUT", f"/citizens/me/records/{item}/visibility", an, {"audience": "providers", "hidden": False}),
        ("POST", f"/citizens/me/consent-requests/{request}/refusal", an, {}),
        ("PUT", f"/citizens/me/blocked-organisations/{doctor.organisation_id}", an, None),
        ("DELETE", f"/citizens/me/blocked-organisations/{doctor.organisation_id}", an, None),
        ("PUT", f"/citizens/me/devices/{phone}", an, app),
        ("DELETE", f"/citizens/me/devices/{phone}", an, None),
        ("PUT", "/citizens/me/notification-preferences", an, {"from_hour": 8}),
        ("GET", f"/citizens/{child.id}/forecast", an, None),
        ("GET", f"/citizens/{child.id}/reminders", an, None),
        ("GET", "/organisations?query=thu", an, None),
        ("GET", "/ops/delivery", registrar, None),
        ("GET", "/ops/guardianships", registrar, None),
        ("GET", "/healthz", None, None),
        ("GET", "/readyz", None, None),
    ]
    for method, path, who, body in acts:
        answer = world.call(method, path, who, body)
        assert answer.status_code < 300, (path, answer.get_data(as_text=True))


def _sign_in(world: World, an: Any) -> None:
    """Signing out: one session, then all."""
    second = world.signed_in(an)
    assert world.call("DELETE", f"/citizens/me/sessions/{second.session_id}", an).status_code == 204
    assert world.call("DELETE", "/citizens/me/sessions", world.signed_in(an)).status_code == 204


@pytest.fixture(scope="module")
def census(embedded_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Census:
    """What was seen when the main flows were played once."""
    found = Census()
    found.before, found.after = played(embedded_uri, tmp_path_factory.mktemp("features"), found)
    return found


def literals() -> set[str]:
    """Operators written as texts in the modules that speak to the database."""
    found = set()
    for folder in ("wallet_api/stores", "wallet_api/infra", "wallet_api/migrations"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                keys = node.keys if isinstance(node, ast.Dict) else ()
                for key in keys:
                    if isinstance(key, ast.Constant) and re.fullmatch(r"\$[a-zA-Z]+", str(key.value)):
                        found.add(str(key.value))
    return found


def index_kinds() -> dict[str, set[str]]:
    """Kind or option of an index -> the collections that have one."""
    found: dict[str, set[str]] = defaultdict(set)
    for index in ALL_INDEXES:
        kinds = {
            "single field": len(index.keys) == 1,
            "compound": len(index.keys) > 1,
            "descending key": any(not isinstance(key, str) and key[1] < 0 for key in index.keys),
            "unique": index.unique,
            "partialFilterExpression": index.partial is not None,
            "expireAfterSeconds": index.ttl is not None,
        }
        for kind, has in kinds.items():
            if has:
                found[kind].add(index.collection)
    return found


def listed(heading: str) -> list[str]:
    """The table rows under a heading of the page, without head and rule, cells joined by ` | `."""
    page = PAGE.read_text(encoding="utf-8")
    part = page.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [" | ".join(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


def differences(heading: str, seen: Iterator[str] | list[str]) -> list[str]:
    """Which lines to add to the page, and which to take away."""
    has, wants = set(listed(heading)), set(seen)
    added = [f"docs/mongodb.md, {heading}: add    | {line} |" for line in sorted(wants - has)]
    return added + [f"docs/mongodb.md, {heading}: remove | {line} |" for line in sorted(has - wants)]


def quoted(names: set[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names)) or "-"


def test_a_command_is_not_on_the_page(census: Census) -> None:
    seen = [f"`{verb}` | {quoted(options)}" for verb, options in census.commands.items()]
    assert not differences("Commands", seen), "\n".join(differences("Commands", seen))


def test_an_operator_is_not_on_the_page(
    census: Census, record_property: Callable[[str, object], None]
) -> None:
    seen = [f"`{name}` | {', '.join(sorted(kinds))}" for name, kinds in census.operators.items()]
    print(f"{len(census.commands)} commands, {len(seen)} operators, {len(ALL_INDEXES)} indexes")
    record_property("database_features", f"{len(census.commands)} commands, {len(seen)} operators")
    assert not differences("Operators", seen), "\n".join(differences("Operators", seen))


def test_an_operator_is_only_in_the_code(census: Census) -> None:
    """Met in no flow played here, yet written in a store."""
    unmet = [f"`{name}`" for name in literals() - set(census.operators)]
    heading = "Operators of rarer work"
    assert not differences(heading, unmet), "\n".join(differences(heading, unmet))


def test_an_index_kind_is_not_on_the_page() -> None:
    seen = [f"{kind} | {quoted(where)}" for kind, where in index_kinds().items()]
    assert not differences("Indexes", seen), "\n".join(differences("Indexes", seen))


def test_the_page_grants_less_than_the_database_user_needs(census: Census) -> None:
    needed = {
        verb for verb in census.commands if verb in ("mapReduce", "eval", "getParameter", "setParameter")
    }
    assert not needed
    assert not {"$where", "$function", "$accumulator", "$expr"} & (set(census.operators) | literals())


def test_a_collection_is_first_made_inside_a_transaction(census: Census) -> None:
    assert len(census.in_transactions) > 5
    missing = sorted((census.in_transactions | census.after) - census.before)
    assert not missing, f"no start makes {missing}: a migration must, before any transaction does"


def test_a_collection_is_without_a_shard_key_on_the_page(census: Census) -> None:
    seen = {f"`{name}`" for name in census.after}
    named = {cell for line in listed("Sharding") for cell in line.split(" | ")[0].split(", ")}
    assert named == seen, f"add {sorted(seen - named)}, remove {sorted(named - seen)}"
