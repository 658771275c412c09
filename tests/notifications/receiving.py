"""The bench's receiver in a thread: real HTTP/2 over TLS, answers by what stands in the body."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.push_ground import certificate
from bench.receiver import Receiver, Said, serve, tls
from wallet_api.infra.machine import free_port

FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"


def refusal(
    status: int, state: str, code: str, kind: str = FCM_ERROR, retry_after: int | None = None
) -> Said:
    """An error as FCM words it."""
    details = [{"@type": kind, "errorCode": code}] if code else []
    error = {"code": status, "message": state, "status": state, "details": details}
    return Said(status, json.dumps({"error": error}).encode(), retry_after)


ANSWERS: dict[str, Said] = {
    "fine": Said(),
    "gone": refusal(404, "NOT_FOUND", "UNREGISTERED"),
    "mismatch": refusal(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"),
    "bad-address": refusal(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
    "bad-payload": refusal(400, "INVALID_ARGUMENT", "", BAD_REQUEST),
    "apns": refusal(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"),
    "bearer": refusal(401, "UNAUTHENTICATED", ""),
    "forbidden": refusal(403, "PERMISSION_DENIED", ""),
    "quota": refusal(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"),
    "quota-37": refusal(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", retry_after=37),
    "internal": refusal(500, "INTERNAL", "INTERNAL"),
    "unavailable": refusal(503, "UNAVAILABLE", "UNAVAILABLE"),
    "unavailable-9": refusal(503, "UNAVAILABLE", "UNAVAILABLE", retry_after=9),
    "gateway": Said(502, b"<html>bad gateway</html>"),
    "garbage": Said(200, b"<html>welcome to our hotel</html>"),
    "garbage-404": Said(404, b"<html>nobody here"),
    "garbage-429": Said(429, b"[]"),
    "hang": Said(hang=True),
    "cut": Said(cut=True),
}


def by_address(body: bytes) -> Said:
    """The answer an address asks for by its name: `gone..12` gets the answer `gone`."""
    message = json.loads(body)["message"]
    return ANSWERS[str(message.get("fid") or message["token"]).split("::")[0]]


@contextmanager
def receiving(folder: Path, receiver: Receiver, *, secure: bool = True) -> Iterator[str]:
    """Serve in a thread of its own; the URL. `receiver.crt` in the folder is whom to believe."""
    loop, port = asyncio.new_event_loop(), free_port()
    context = tls(*certificate(folder)) if secure else None
    server = loop.run_until_complete(serve(receiver, port, context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http{'s' if secure else ''}://127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(_end(server, receiver), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(server: asyncio.Server, receiver: Receiver) -> None:
    server.close()
    for line in list(receiver.lines):
        line.abort()
    await asyncio.sleep(0.01)
