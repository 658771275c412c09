"""Every error has a status and a text in both languages; every text helps and gives nothing away."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from marshmallow import Schema, fields, validate

from tests.world import World, found_in
from wallet_api import errors as edge
from wallet_api.errors import _HTTP_CODES, LANGUAGES, STATUS, codes, field_texts, texts

PACKAGES = {
    "consent.errors": "ConsentError",
    "notifications.errors": "NotificationError",
    "wallet_api.audit.errors": "AuditError",
    "wallet_api.breaches.errors": "BreachError",
    "wallet_api.identity.errors": "IdentityError",
    "wallet_api.infra.crypto.errors": "CryptoError",
    "wallet_api.records.errors": "RecordError",
    "wallet_api.exports.errors": "ExportError",
}
NEVER_ANSWERED = {
    "BadProgramme": "a programme file that cannot be read stops the start",
    "BadTemplate": "a text file that cannot be read stops the start",
    "BadChannel": "the worker's own set-up is wrong; no request sees it",
    "StaleExport": "a file was taken away while it was made: the worker sees it, no request does",
    "ExportEnded": "a file ceased to be somebody's while it was made: the worker sees it, no request does",
    "LeaseLost": "another worker has taken a batch over; the worker that lost it sees it, no request does",
    "BadCheckpoint": "raised by the verifier on the command line",
    "KekInUse": "raised by key work on the command line",
    "SealBroken": "somebody changed the database: an unexpected error, and to be looked at",
}


ROOT = Path(edge.__file__).parent.parent
# Where a code of one field or row stands among the arguments of what carries it.
CARRIERS = {
    "refuse_rows": 1,
    "Fault": 1,
    "wrong": 1,
    "tried": 1,
    "BundleRefused": 1,
    "CardRefused": 1,
    "EntryRefused": 1,
    "MalformedBody": 0,
    "Row": 2,
    "Unreadable": 0,
    "_Unreadable": 1,
    "_fault": 2,
}
NOT_A_FAULT = {"accepted"}


def nodes() -> Iterator[ast.AST]:
    """Every piece of the product's code."""
    for package in ("consent", "notifications", "wallet_api"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def constant(node: ast.AST | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def called(node: ast.AST) -> tuple[str, list[ast.expr]]:
    if not isinstance(node, ast.Call):
        return "", []
    return getattr(node.func, "id", getattr(node.func, "attr", "")), node.args


def field_code(node: ast.AST) -> str | None:
    """The code of one field or row that this piece of code names, if it does."""
    if isinstance(node, ast.Dict):
        told = {constant(key): value for key, value in zip(node.keys, node.values, strict=True) if key}
        return constant(told.get("code")) if {"pointer", "code"} <= told.keys() else None
    name, given = called(node)
    at = CARRIERS.get(name, len(given))
    return constant(given[at]) if at < len(given) else None


def kinds() -> list[type[Exception]]:
    found: list[type[Exception]] = []
    for module, root in PACKAGES.items():
        waiting = list(getattr(import_module(module), root).__subclasses__())
        while waiting:
            kind = waiting.pop()
            found.append(kind)
            waiting += kind.__subclasses__()
    return found


def test_every_error_of_every_package_has_a_status() -> None:
    assert len(kinds()) > 40
    unmapped = {kind.__name__ for kind in kinds() if kind not in STATUS}
    assert unmapped == set(NEVER_ANSWERED)


def test_every_error_has_a_stable_code_of_its_own_words() -> None:
    for kind in kinds():
        code: Any = kind.code  # type: ignore[attr-defined]  # that it has one is what is tested
        assert re.fullmatch(r"[a-z][a-z_]+", code), kind


def test_one_code_has_one_meaning() -> None:
    seen: dict[str, set[int]] = {}
    for kind, status in STATUS.items():
        seen.setdefault(kind.code, set()).add(status)  # type: ignore[attr-defined]  # every class here has one
    # Two packages keep versions: to a request without If-Match a moved one is a conflict.
    assert {code for code, statuses in seen.items() if len(statuses) > 1} <= {"stale_version"}


@pytest.mark.parametrize("locale", LANGUAGES)
def test_every_code_has_a_text_and_every_text_a_code(locale: str) -> None:
    assert set(texts(locale)) == codes()


@pytest.mark.parametrize("locale", LANGUAGES)
def test_texts_are_whole_sentences_without_placeholders(locale: str) -> None:
    for code, text in texts(locale).items():
        assert set(text) == {"title", "detail"}, code
        for part in text.values():
            assert not re.search(r"[{}<>%$]|TODO|lorem|\bXXX\b", part), code
            assert part == part.strip() and len(part) > 3, code
        assert text["detail"].endswith((".", "?")), code


def test_the_languages_say_different_things() -> None:
    vi, en = texts("vi"), texts("en")
    assert [code for code in vi if vi[code]["detail"] == en[code]["detail"]] == []


def test_every_status_of_the_framework_has_a_code() -> None:
    assert {400, 401, 403, 404, 405, 409, 413, 415, 422, 428, 429, 500, 503} <= set(_HTTP_CODES)


def test_a_code_is_listed_that_no_answer_carries() -> None:
    foreign = {kind.code for kind, status in STATUS.items() if status == 404} - {"not_found"}
    assert foreign and not foreign & codes()
    assert "lease_lost" not in codes()


@pytest.mark.parametrize("locale", LANGUAGES)
def test_every_field_code_has_a_text_and_every_text_a_code(locale: str) -> None:
    written = {code for node in nodes() if (code := field_code(node))}
    assert {"exactly_one", "not_json", "type_not_kept", "not_licensed", "entry_count"} <= written
    meant = {code for _, code in edge._MEANINGS} | {"invalid"}
    assert set(field_texts(locale)) == (written | meant) - NOT_A_FAULT


@pytest.mark.parametrize("locale", LANGUAGES)
def test_field_texts_are_whole_sentences_of_their_language(locale: str) -> None:
    for code, text in field_texts(locale).items():
        assert text.endswith(".") and text == text.strip() and not re.search(r"[{}<>%$]|TODO", text), code
    assert not set(field_texts("vi").values()) & set(field_texts("en").values())


def test_every_sentence_of_a_schema_has_a_field_code() -> None:
    told = [
        sentence
        for node in nodes()
        if called(node)[0] == "ValidationError"
        and called(node)[1]
        and (sentence := constant(called(node)[1][0]))
    ]
    assert len(told) > 5
    assert [sentence for sentence in told if edge._meaning(sentence) == "invalid"] == []


def test_every_sentence_of_marshmallow_has_a_field_code() -> None:
    schema, sent = (
        Schema.from_dict(
            {
                "needed": fields.String(required=True),
                "text": fields.String(),
                "short": fields.String(validate=validate.Length(max=1)),
                "long": fields.String(validate=validate.Length(min=2)),
                "both": fields.String(validate=validate.Length(2, 3)),
                "number": fields.Integer(validate=validate.Range(1, 2)),
                "many": fields.Integer(),
                "code": fields.String(validate=validate.OneOf(["a"])),
                "form": fields.String(validate=validate.Regexp("a")),
                "list": fields.List(fields.String()),
                "yes": fields.Boolean(),
                "inner": fields.Nested(Schema.from_dict({})),
                "null": fields.String(),
            }
        ),
        {
            "text": 1,
            "short": "ab",
            "long": "a",
            "both": "a",
            "number": 3,
            "many": "x",
            "code": "b",
            "form": "b",
            "list": 1,
            "yes": "maybe",
            "inner": 1,
            "null": None,
            "unknown": 1,
        },
    )
    told = {
        each["pointer"][1:]: each["code"] for each in edge._field_errors({"json": schema().validate(sent)})
    }
    assert told == {
        "needed": "missing",
        "text": "type",
        "short": "length",
        "long": "length",
        "both": "length",
        "number": "range",
        "many": "type",
        "code": "not_listed",
        "form": "form",
        "list": "type",
        "yes": "type",
        "inner": "type",
        "null": "null",
        "unknown": "unsupported",
    }


@pytest.mark.parametrize("locale", LANGUAGES)
def test_a_field_error_is_told_in_the_readers_language(world: World, locale: str) -> None:
    an, said = world.person(), {"Accept-Language": locale}
    query = found_in(world.get("/organisations?query=a&more=1", an, headers=said))
    absent = found_in(world.get("/organisations", an, headers=said))
    body = found_in(world.post("/citizens/me/visit-codes", an, raw=b"{", headers=said))
    told = [
        (each["pointer"], each["code"], each["message"])
        for one in (query, absent, body)
        for each in one["errors"]
    ]
    text = field_texts(locale)
    assert told == [
        ("/more", "unsupported", text["unsupported"]),
        ("/query", "missing", text["missing"]),
        ("", "not_json", text["not_json"]),
    ]
