"""Nobody sets what the server sets: every field of every answer, sent to every operation with a body."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from marshmallow import EXCLUDE

from tests.security.matrix import BODIES, BODILESS, Matrix
from tests.security.matrix_cast import Cast
from tests.security.matrix_table import CITIZENS, OPS, PROVIDERS, Row, rows
from tests.world import Json, World, found_in
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import open_database
from wallet_api.routes.guarded import StrictParser

WRITES = ("POST", "PUT", "PATCH")
EXTRA = (
    "role",
    "roles",
    "is_admin",
    "subject_id",
    "citizen_id",
    "_id",
    "version",
    "revoked",
    "auth_time",
    "acr",
)
"""What no schema names, and what attackers try all the same."""
HEARD = "AKNGO"
"""Letters of the matrix for whoever a body is read from, whatever comes of it."""
FREE = {
    "POST /fhir/<kind>/_search",
    "POST /fhir/Consent",
    "POST /fhir/Patient/_search",
    "POST /fhir/Patient/<patient_id>/$summary",
    "POST /provider/intake/fhir-bundles",
    "POST /citizens/<citizen>/family/<guardianship_id>/evidence",
    "POST /provider/intake/checkups",
    "POST /citizens/<citizen>/correction-requests/<correction_id>/evidence",
    "POST /provider/intake/immunizations",
    "POST /provider/intake/insurance-xml",
    "PUT /ops/campaigns/<campaign_id>/list",
}
"""A search, which changes nothing; a FHIR document, whose own rules say what it may hold
(tests/api/test_intake.py, test_fhir.py, tests/ips/test_summary.py); a file."""


pytestmark = pytest.mark.usefixtures("sessions_read_once")


@pytest.fixture(scope="module")
def cast(embedded_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cast]:
    """The callers of the access matrix with what is their own, in a wallet of their own."""
    db = open_database(embedded_uri, f"fields_{new_id()}")
    world = World(db, tmp_path_factory.mktemp("fields"))
    yield Cast(world, books=("citizen",))
    world.services.log.close()
    db.client.close()


def published(cast: Cast) -> Json:
    """The OpenAPI document, as anybody can read it."""
    return found_in(cast.world.get("/api/openapi.json"))


def answered_fields(document: Json) -> set[str]:
    """Every property of every schema that an answer is made of, however deep."""
    names: set[str] = set()
    seen: set[str] = set()

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            reference = part.get("$ref")
            if isinstance(reference, str) and reference not in seen:
                seen.add(reference)
                walk(document["components"][reference.split("/")[-2]][reference.split("/")[-1]])
            names.update(part.get("properties") or {})
            for inner in part.values():
                walk(inner)
        elif isinstance(part, list):
            for inner in part:
                walk(inner)

    for operations in document["paths"].values():
        for one in operations.values():
            if isinstance(one, dict):
                walk(one.get("responses", {}))
    return names


def taken_fields(document: Json, row: Row) -> set[str]:
    """The fields an operation takes itself."""
    path = "/api/v1" + row.path.replace("<", "{").replace(">", "}")
    content = document["paths"][path][row.method.lower()].get("requestBody", {}).get("content", {})
    for each in content.values():
        schema = each["schema"]
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].split("/")[-1]]
        return set(schema.get("properties") or {})
    return set()


def writes() -> list[tuple[Row, str]]:
    """Every operation that takes a JSON body, with somebody who may do it."""
    able = {
        row.name: next((who for who in (*CITIZENS, *PROVIDERS, *OPS) if row.cells[who][0] in HEARD), "")
        for row in rows()
    }
    return [
        (row, able[row.name])
        for row in rows()
        if row.method in WRITES and row.name not in BODILESS | FREE and able[row.name]
    ]


def batched(names: list[str]) -> list[list[str]]:
    """At most as many at a time as an answer tells faults."""
    return [names[start : start + 90] for start in range(0, len(names), 90)]


def accepted(cast: Cast, fields: set[str], document: Json) -> tuple[int, list[str]]:
    """(fields sent, those not refused at their own place). All at once, then the likely ones alone."""
    matrix, tried, got_in = Matrix(cast), 0, []
    for row, identity in writes():
        target = cast.target(identity, 0)
        make = BODIES.get(row.name)
        body: Any = make(cast, target.meant) if make is not None else {}
        path = row.path
        for argument in matrix.arguments[row.name]:
            path = path.replace(f"<{argument}>", target.path[argument])
        headers = {"If-Match": '"1"'}
        foreign = sorted(fields - taken_fields(document, row))
        for names in (*batched(foreign), *([name] for name in foreign if name in EXTRA)):
            tried += len(names)
            sent = body | dict.fromkeys(names, "x")
            answer = cast.world.call(row.method, path, cast.token(identity), sent, headers=headers)
            told = answer.get_json(silent=True) or {}
            where = {each["pointer"].lstrip("/") for each in told.get("errors", ())}
            refused = (answer.status_code, told.get("code")) == (422, "invalid_fields")
            got_in += [f"{row.name} takes {name}" for name in names if not refused or name not in where]
    return tried, got_in


def test_a_field_of_an_answer_is_taken_from_a_caller(
    cast: Cast, record_property: Callable[[str, object], None]
) -> None:
    document = published(cast)
    fields = answered_fields(document) | set(EXTRA)
    matrix = Matrix(cast)
    for identity in (*CITIZENS, *PROVIDERS, *OPS):
        cast.token(identity)
    before = matrix.stored()
    tried, got_in = accepted(cast, fields, document)
    said = f"{len(writes())} operations x {len(fields)} fields: {tried} tried, {len(got_in)} taken"
    print(f"server-set fields: {said}")
    record_property("server_set_fields", said)
    assert len(fields) > 60 and len(writes()) > 10
    assert not got_in, "\n".join(got_in)
    assert matrix.stored() == before


def test_every_operation_with_a_body_is_among_them(cast: Cast) -> None:
    taking = {
        f"{method.upper()} {path.removeprefix('/api/v1').replace('{', '<').replace('}', '>')}"
        for path, operations in published(cast)["paths"].items()
        for method, one in operations.items()
        if isinstance(one, dict) and "requestBody" in one and path.startswith("/api/v1")
    }
    assert taking - FREE == {row.name for row, _ in writes()}


def test_the_check_sees_a_schema_that_lets_fields_through(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard taken away: unknown fields are dropped in silence, as marshmallow can be told to."""
    document = published(cast)
    lenient = StrictParser.DEFAULT_UNKNOWN_BY_LOCATION | {"json": EXCLUDE}
    monkeypatch.setattr(StrictParser, "DEFAULT_UNKNOWN_BY_LOCATION", lenient)
    assert accepted(cast, {"state"}, document)[1]
