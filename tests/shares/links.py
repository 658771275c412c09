"""A viewer of share links by the published protocol, and the steps that lead to a link."""

from __future__ import annotations

import json
import zlib
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from werkzeug.test import TestResponse

from tests.world import Json, Person, World, bundle, condition, found_in, immunization, labelled
from wallet_api.infra.crypto.framing import from_base64url

PASSCODE = "hoa-sen-1954"
PLAIN, DOSE, SECRET = "I10", "08", "B20"


def filled(world: World, **more: Any) -> Person:
    """Somebody with a plain condition, a vaccination and a restricted condition."""
    return fill(world, world.person(**more))


def fill(world: World, who: Person) -> Person:
    world.send(
        world.doctor(),
        bundle(
            who, condition("plain"), immunization("dose"), labelled(condition("secret", code=SECRET), "HIV")
        ),
    )
    return who


def wish(world: World, **over: Any) -> Json:
    return {
        "kind": "categories",
        "categories": ["condition", "immunization"],
        "expires_at": (world.now() + timedelta(days=1)).isoformat(),
        "use_limit": 5,
    } | over


def make(world: World, who: Person, whose: str = "me", **over: Any) -> TestResponse:
    return world.post(f"/citizens/{whose}/shares", world.signed_in(who), wish(world, **over))


def made(world: World, who: Person, whose: str = "me", **over: Any) -> Json:
    answer = make(world, who, whose, **over)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return found_in(answer)


def payload(share: Json) -> Json:
    """What is in a link."""
    scheme, _, text = str(share["link"]).partition("/")
    assert scheme == "shlink:"
    told: Json = json.loads(from_base64url(text))
    return told


def path_of(share: Json) -> str:
    return urlsplit(payload(share)["url"]).path


def ask(world: World, share: Json, passcode: str | None = None, **more: Any) -> TestResponse:
    """The manifest of a link, as a viewer asks for it."""
    said: Json = {"recipient": "BS. Lan"} | ({} if passcode is None else {"passcode": passcode}) | more
    return world.post(path_of(share), None, said)


def opened(share: Json, jwe: str) -> Json:
    """A compact JWE opened with the key of the link, as RFC 7516 and the standard say."""
    head, encrypted_key, nonce, body, tag = jwe.split(".")
    named = json.loads(from_base64url(head))
    assert (named["alg"], named["enc"], encrypted_key) == ("dir", "A256GCM", "")
    assert named["cty"] == "application/fhir+json"
    sealed = from_base64url(body) + from_base64url(tag)
    cipher = AESGCM(from_base64url(payload(share)["key"]))
    plain = cipher.decrypt(from_base64url(nonce), sealed, head.encode())
    told: Json = json.loads(zlib.decompress(plain, -15) if named.get("zip") == "DEF" else plain)
    return told


def shown(world: World, share: Json, passcode: str | None = None, **more: Any) -> Json:
    """The bundle behind a link; it must be shown."""
    answer = ask(world, share, passcode, **more)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    (file,) = found_in(answer)["files"]
    return opened(share, file["embedded"])


def codes_of(shared: Json) -> set[str]:
    """The codes of the records in a bundle."""
    resources = [each["resource"] for each in shared["entry"]]
    return {code_of(each) for each in resources if each["resourceType"] != "Patient"}


def code_of(resource: Json) -> str:
    concept = resource.get("code") or resource["vaccineCode"]
    return str(concept["coding"][0]["code"])


def record_of(world: World, who: Person, code: str) -> str:
    """The id of a record by its code."""
    items = found_in(world.get("/citizens/me/records", who))["items"]
    return next(str(each["id"]) for each in items if code_of(each["resource"]) == code)


def as_kept(world: World, share: Json, who: Person) -> Json:
    """A share as its maker sees it now."""
    return found_in(world.get(f"/citizens/me/shares/{share['id']}", who))


def revoke(world: World, share: Json, who: Person, whose: str = "me") -> TestResponse:
    return world.call("DELETE", f"/citizens/{whose}/shares/{share['id']}", who)


def lines(world: World, who: Person, whose: str = "me", locale: str = "vi") -> list[Json]:
    """The lines about shares in an access log, newest first."""
    answer = world.get(f"/citizens/{whose}/access-log?limit=100", who, headers={"Accept-Language": locale})
    return [each for each in found_in(answer)["items"] if each["action"].startswith("share:")]
