"""RSA keys a provider signs messages with: registered beside its own, and good for nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc.jwk import RSAKey

from tests.checkup_messages import public_jwk, rsa_key
from tests.identity.world import World
from wallet_api.identity.clients import message_keys
from wallet_api.identity.errors import BadClient


def registered(world: World, *keys: dict[str, Any]) -> None:
    world.identity.clients.change_keys("his", {"keys": list(keys)})


@pytest.fixture
def own(world: World) -> dict[str, Any]:
    return dict(world.provider_key.as_dict(private=False))


def test_a_key_stands_beside_the_systems_own(world: World, own: dict[str, Any]) -> None:
    registered(world, own, public_jwk(rsa_key()))
    (found,) = message_keys(world.identity.clients.get("his"))
    assert found.public_numbers() == rsa_key().public_key().public_numbers()
    assert world.provider_token()[0] == 200


def test_a_weak_private_or_nameless_key_is_registered(world: World, own: dict[str, Any]) -> None:
    good = public_jwk(rsa_key())
    wrong = {
        "short": [own, public_jwk(rsa_key(1024))],
        "exponent 3": [own, public_jwk(rsa_key(2048, 3))],
        "too long to verify": [own, public_jwk(rsa_key(2048), n="_" * 1024)],
        "for something else": [own, good | {"alg": "RS512"}],
        "no alg": [own, {name: value for name, value in good.items() if name != "alg"}],
        "private": [
            own,
            dict(RSAKey.import_key(rsa_key()).as_dict(private=True)) | {"kid": "x", "alg": "RS256"},
        ],
        "no kid": [own, good | {"kid": ""}],
        "one kid twice": [own, good | {"kid": own["kid"]}],
        "alone": [good],
    }
    for what, keys in wrong.items():
        with pytest.raises(BadClient):
            registered(world, *keys)
            pytest.fail(what)


def test_a_system_proves_itself_with_it(world: World, own: dict[str, Any]) -> None:
    key = RSAKey.import_key(rsa_key())
    registered(world, own, public_jwk(rsa_key()))
    forged = world.assertion(key, {"alg": "RS256", "kid": "message-1"})  # type: ignore[arg-type]  # no EC key
    assert world.provider_token(forged) == (401, world.provider_token(forged)[1])
    named = world.assertion(None, {"kid": "message-1"})
    assert world.provider_token(named)[0] == 401
    assert world.provider_token()[0] == 200
