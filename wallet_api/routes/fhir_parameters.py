"""The body of a FHIR operation that is called with POST and takes no parameters (FHIR R4, operations)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from flask import request

from wallet_api.errors import Refusal, pointer_to
from wallet_api.routes.guarded import body_json

_MEMBERS: Final = frozenset({"resourceType", "id", "parameter"})
_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")


def no_parameters() -> None:
    """Read a body that may be absent, or a Parameters resource without parameters.

    A parameter that is not understood is refused even with `Prefer: handling=lenient`: whoever sends one
    asks for another document than would be answered.

    Raises:
        Refusal: 400 with every parameter that was sent, or because it is no Parameters resource.
        MalformedBody: no JSON. HTTPException: 415, another type.
    """
    if not request.get_data():
        return
    faults = list(_faults(body_json()))
    if faults:
        told = [{"pointer": pointer, "code": code, "message": ""} for pointer, code in faults]
        raise Refusal("malformed_request", 400, told)


def _faults(body: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(body, dict) or body.get("resourceType") != "Parameters":
        yield "/resourceType", "invalid"
        return
    for name in body:
        if name not in _MEMBERS:
            yield pointer_to(name), "unsupported"
    named = body.get("id", "none")
    if not isinstance(named, str) or not _ID.fullmatch(named):
        yield "/id", "invalid"
    sent = body.get("parameter", [])
    if not isinstance(sent, list):
        yield "/parameter", "invalid"
        return
    for place, _ in enumerate(sent):
        yield f"/parameter/{place}", "unsupported"
