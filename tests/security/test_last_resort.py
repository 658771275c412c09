"""What nobody expected: the database's own errors get the answer that fits, and nothing tells its details."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask, abort
from pymongo import errors as mongo
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import HTTPException, ServiceUnavailable, TooManyRequests, Unauthorized

from tests.world import World, found_in
from wallet_api.app import create_app

SECRET = "079090123456 Nguyễn Bí Mật"
PASSING = (
    mongo.AutoReconnect(SECRET),
    mongo.NetworkTimeout(SECRET),
    mongo.ServerSelectionTimeoutError(SECRET),
    mongo.NotPrimaryError(SECRET),
    mongo.WaitQueueTimeoutError(SECRET),
    mongo.ExecutionTimeout(SECRET, 50),
    mongo.WTimeoutError(SECRET, 64),
    mongo.OperationFailure(SECRET, 1),  # a full disk, on the embedded server
    mongo.OperationFailure(SECRET, 14031),
    mongo.OperationFailure(SECRET, 112),
    mongo.OperationFailure(SECRET),
    mongo.BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": 64, "errmsg": SECRET}]}),
    mongo.BulkWriteError({"writeErrors": [{"code": 11000}, {"code": 112}]}),
    mongo.PyMongoError(SECRET),
)
CLASHES = (
    mongo.DuplicateKeyError(SECRET, 11000, {"keyValue": {"name": SECRET}}),
    mongo.BulkWriteError({"writeErrors": [{"code": 11000, "errmsg": SECRET}]}),
)
OURS = (
    mongo.DocumentTooLarge(SECRET),
    mongo.InvalidOperation(SECRET),
    mongo.InvalidName(SECRET),
    mongo.ConfigurationError(SECRET),
    mongo.OperationFailure(SECRET, 9),
    mongo.OperationFailure(SECRET, 121),
    mongo.WriteError(SECRET, 2),
    mongo.BulkWriteError({"writeErrors": [{"code": 11000}, {"code": 121}]}),
    ValueError(SECRET),
    KeyError(SECRET),
    OverflowError(SECRET),
    UnicodeEncodeError("utf-8", "\ud800", 0, 1, SECRET),
    RecursionError(SECRET),
    MemoryError(SECRET),
    AssertionError(SECRET),
)


@pytest.fixture
def raising(world: World) -> Callable[[Exception], Flask]:
    """An application with one route that raises."""

    def made(error: Exception) -> Flask:
        app = create_app(world.settings, world.services)

        def fail() -> str:
            raise error

        app.add_url_rule("/fail", "fail", fail)
        return app

    return made


@pytest.mark.parametrize(
    ("errors", "status", "code"),
    [(PASSING, 503, "unavailable"), (CLASHES, 409, "conflict"), (OURS, 500, "internal_error")],
    ids=["passing", "clashes", "ours"],
)
def test_an_error_gets_another_answer_or_tells_its_details(
    raising: Callable[[Exception], Flask],
    errors: tuple[Exception, ...],
    status: int,
    code: str,
) -> None:
    app = raising(errors[0])
    for error in errors:
        app.view_functions["fail"] = _raiser(error)
        answer = app.test_client().get("/fail")
        assert (answer.status_code, found_in(answer)["code"]) == (status, code), repr(error)
        assert ("Retry-After" in answer.headers) == (status == 503)
        for told in (answer.get_data(as_text=True), str(answer.headers)):
            assert SECRET not in told and "Traceback" not in told and "pymongo" not in told, repr(error)


def _raiser(error: Exception) -> Callable[[], str]:
    def fail() -> str:
        raise error

    return fail


def test_what_the_framework_refuses_loses_its_headers(raising: Callable[[Exception], Flask]) -> None:
    kept: tuple[tuple[HTTPException, str, str], ...] = (
        (TooManyRequests(retry_after=7), "Retry-After", "7"),
        (ServiceUnavailable(retry_after=9), "Retry-After", "9"),
        (
            Unauthorized(www_authenticate=WWWAuthenticate("dpop", {"error": "use_dpop_nonce"})),
            "WWW-Authenticate",
            "Dpop error=use_dpop_nonce",
        ),
    )
    for error, name, value in kept:
        answer = raising(error).test_client().get("/fail")
        assert answer.headers.getlist(name) == [value]
        assert answer.mimetype == "application/problem+json"


def test_an_unusual_status_has_no_words(raising: Callable[[Exception], Flask]) -> None:
    app = raising(ValueError())
    for status in (408, 410, 411, 414, 416, 417, 418, 431, 451, 501, 502, 504):
        app.view_functions["fail"] = _aborter(status)
        answer = app.test_client().get("/fail")
        assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
        assert found_in(answer)["code"] == "http_error"


def _aborter(status: int) -> Callable[[], str]:
    return lambda: abort(status)
