"""Making health cards over HTTP, and reading them by the standard's own rules."""

from __future__ import annotations

import json
import zlib
from typing import Any

from werkzeug.test import TestResponse

from tests.world import Json, Person, World, found_in
from wallet_api.infra.crypto.framing import from_base64url

IMMUNIZATION: Json = {"kind": "immunization"}


def make(world: World, who: Person, whose: str = "me", **over: Any) -> TestResponse:
    return world.post(f"/citizens/{whose}/cards", who, IMMUNIZATION | over)


def made(world: World, who: Person, whose: str = "me", **over: Any) -> Json:
    answer = make(world, who, whose, **over)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    assert answer.headers["Cache-Control"] == "no-store"
    return found_in(answer)


def claims(jws: str) -> Json:
    """What a card says, unverified."""
    told: Json = json.loads(zlib.decompress(from_base64url(jws.split(".")[1]), -15))
    return told


def resources(jws: str) -> list[Json]:
    entries = claims(jws)["vc"]["credentialSubject"]["fhirBundle"]["entry"]
    return [each["resource"] for each in entries]


def vaccines(card: Json) -> list[str]:
    """The CVX codes on a card, in their order."""
    doses = resources(card["card"])[1:]
    return [str(each["vaccineCode"]["coding"][0]["code"]) for each in doses]


def told(answer: Json) -> list[str]:
    """The CVX codes on all cards of an answer."""
    return [code for each in answer["cards"] for code in vaccines(each)]
