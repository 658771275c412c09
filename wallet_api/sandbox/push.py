"""The sandbox push receiver: `python -m wallet_api.sandbox.push --port P`.

Speaks FCM HTTP v1 (`POST /v1/projects/{project}/messages:send`) and its OAuth token endpoint, answers by
address (see `verdicts`), and shows what arrived like a phone's lock screen.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from flask import Flask, Response, jsonify, render_template, request

from wallet_api.infra.clock import VIETNAM, Now, clock_from, system_now
from wallet_api.infra.ids import new_id
from wallet_api.sandbox.fcm_schema import BadPayload, Target, check_send
from wallet_api.sandbox.server import (
    HOST,
    MarkerCheck,
    database_is_marked,
    give_up,
    require_sandbox,
    sandbox_app,
    serve,
)
from wallet_api.sandbox.service_account import GrantRefused, TokenDesk, keep_service_account
from wallet_api.sandbox.verdicts import Verdict, Verdicts, bad_request, failure, unauthenticated
from wallet_api.settings import Settings, SettingsError

KEPT = 10_000
SHOWN = 50
_HEADERS = ("Content-Type", "User-Agent", "X-Goog-Api-Format-Version", "X-Firebase-Client")


@dataclass(frozen=True)
class Received:
    """One message that got in, whatever it was answered."""

    id: str
    received_at: str
    address_kind: str
    address: str
    verdict: str
    status: int
    validate_only: bool
    body: dict[str, Any]
    headers: dict[str, str]


@dataclass(frozen=True)
class Receiver:
    """Everything the receiver's pages need."""

    project: str
    desk: TokenDesk
    verdicts: Verdicts
    now: Now
    hang_seconds: float
    received: deque[Received] = field(default_factory=lambda: deque(maxlen=KEPT))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, target: Target, body: dict[str, Any]) -> tuple[Received, Verdict]:
        """Note a message and choose its answer."""
        verdict = self.verdicts.for_address(target.value)
        note = Received(
            id=new_id(),
            received_at=self.now().isoformat().replace("+00:00", "Z"),
            address_kind=target.kind,
            address=target.value,
            verdict=verdict.name,
            status=verdict.status,
            validate_only=bool(body.get("validate_only") or body.get("validateOnly")),
            body=body,
            headers={name: request.headers[name] for name in _HEADERS if name in request.headers},
        )
        with self.lock:
            self.received.append(note)
        return note, verdict

    def seen(self) -> list[Received]:
        """What got in, oldest first."""
        with self.lock:
            return list(self.received)

    def forget(self) -> None:
        """Empty the list and start the "once" addresses over."""
        with self.lock:
            self.received.clear()
        self.verdicts.forget()


def push_app(receiver: Receiver) -> Flask:
    """The receiver's pages."""
    app = sandbox_app("sandbox_push")
    app.add_url_rule("/", "lock_screen", lambda: _lock_screen(receiver))
    app.add_url_rule("/token", "token", lambda: _token(receiver), methods=["POST"])
    app.add_url_rule(
        "/v1/projects/<project>/messages:send",
        "send",
        lambda project: _send(receiver, project),
        methods=["POST"],
    )
    app.add_url_rule("/received", "received", lambda: jsonify([asdict(one) for one in receiver.seen()]))
    app.add_url_rule("/received", "forget", lambda: _forget(receiver), methods=["DELETE"])
    app.register_error_handler(BadPayload, lambda why: (jsonify(bad_request(why.violation)), 400))
    app.register_error_handler(GrantRefused, _grant_refused)
    return app


def receiver_for(settings: Settings, port: int, *, retry_after: int, hang_seconds: float) -> Receiver:
    """A receiver whose service account file is in the sandbox folder."""
    account = keep_service_account(settings, f"http://{HOST}:{port}")
    return Receiver(
        project=account["project_id"],
        desk=TokenDesk(account, system_now),
        verdicts=Verdicts(retry_after),
        now=clock_from(settings),
        hang_seconds=hang_seconds,
    )


def _send(receiver: Receiver, project: str) -> Response | tuple[Response, int, dict[str, str]]:
    if not receiver.desk.knows(request.headers.get("Authorization", "")):
        return (
            jsonify(unauthenticated()),
            401,
            {"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/"'},
        )
    if project != receiver.project:
        said = f"Permission 'cloudmessaging.messages.create' denied on resource '{project}'"
        return jsonify(failure(403, "PERMISSION_DENIED", said)), 403, {}
    body = _body()
    note, verdict = receiver.take(check_send(body), body)
    if verdict.hold:
        time.sleep(receiver.hang_seconds)
    if verdict.error is None:
        return jsonify(
            name=f"projects/{project}/messages/{'fake_message_id' if note.validate_only else note.id}"
        )
    pause = {} if verdict.pause is None else {"Retry-After": str(verdict.pause)}
    return jsonify(verdict.error), verdict.status, pause


def _body() -> dict[str, Any]:
    try:
        found = json.loads(request.get_data())
    except (ValueError, RecursionError) as why:
        raise BadPayload(
            "body", "Invalid JSON payload received. Parsing terminated before end of input."
        ) from why
    if not isinstance(found, dict):
        raise BadPayload("body", "Invalid JSON payload received. Expected an object.")
    return found


def _token(receiver: Receiver) -> Response:
    token = receiver.desk.issue(request.form)
    return jsonify(access_token=token, expires_in=3599, token_type="Bearer")  # noqa: S106 - a kind, no secret


def _grant_refused(why: GrantRefused) -> tuple[Response, int]:
    return jsonify(error=why.code, error_description=why.description), 400


def _forget(receiver: Receiver) -> tuple[str, int]:
    receiver.forget()
    return "", 204


def _lock_screen(receiver: Receiver) -> str:
    latest = receiver.seen()[: -SHOWN - 1 : -1]
    delivered = [one for one in latest if one.status == 200 and not one.validate_only]
    return render_template(
        "push_lock_screen.html",
        delivered=delivered,
        refused=[one for one in latest if one.status != 200],
        clock=receiver.now().astimezone(VIETNAM).strftime("%H:%M"),
    )


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m wallet_api.sandbox.push", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--retry-after", type=int, default=30, help="seconds told with 429 and 503")
    parser.add_argument("--hang-seconds", type=float, default=10.0, help="how long `hang` addresses wait")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None, *, has_marker: MarkerCheck = database_is_marked) -> None:
    """Run the receiver until it is told to end."""
    options = _arguments(argv)
    try:
        settings = Settings.from_env(os.environ)
    except SettingsError as why:
        give_up(str(why))
    require_sandbox(settings, has_marker)
    receiver = receiver_for(
        settings, options.port, retry_after=options.retry_after, hang_seconds=options.hang_seconds
    )
    serve(push_app(receiver), options.port, "sandbox push receiver")


if __name__ == "__main__":
    main()
