"""Signatures by our signer are ordinary JWS for everyone else."""

from __future__ import annotations

import json

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from wallet_api.infra.crypto.errors import KeyUnavailable
from wallet_api.infra.crypto.framing import framed, from_base64url, to_base64url
from wallet_api.infra.crypto.jws import new_private_pem, public_jwk, sign_compact, signer_from_pem
from wallet_api.infra.crypto.keystore import MemoryKeyStore


def test_a_stock_library_verifies_our_jws_with_the_published_key():
    store = MemoryKeyStore()
    signer = store.signer("token")
    text = sign_compact(signer, json.dumps({"sub": "x"}).encode(), typ="at+jwt", header={"alg": "none"})
    key = jwt.PyJWK(store.jwks("token")["keys"][0])
    assert jwt.decode(text, key, algorithms=["ES256"]) == {"sub": "x"}
    assert jwt.get_unverified_header(text) == {"alg": "ES256", "kid": signer.kid, "typ": "at+jwt"}


def test_es256_signatures_are_64_raw_bytes_however_small_r_is():
    signer = MemoryKeyStore().signer("receipt")
    assert {len(signer.sign(b"%d" % number)) for number in range(300)} == {64}


def test_the_kid_is_the_rfc_7638_thumbprint():
    # RFC 8037, appendix A.3 gives this Ed25519 key and its thumbprint.
    x = from_base64url("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
    key = serialization.load_der_public_key(bytes.fromhex("302a300506032b6570032100") + x)
    assert public_jwk(key)["kid"] == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def _pem(key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        _pem(rsa.generate_private_key(65537, 2048)),
        _pem(ec.generate_private_key(ec.SECP384R1())),
    ],
)
def test_only_p256_and_ed25519_keys_are_taken(pem: bytes):
    with pytest.raises(KeyUnavailable):
        signer_from_pem(pem)


def test_a_key_registered_elsewhere_signs():
    signer = signer_from_pem(new_private_pem("ES256"))
    assert signer.alg == "ES256"
    assert len(signer.sign(b"x")) == 64


def test_frames_cannot_be_shifted():
    assert (
        len({framed("ab", "c"), framed("a", "bc"), framed("abc"), framed("ab", b"c"), framed("", "abc")}) == 5
    )
    assert framed("1") != framed(1) != framed(b"1")


@pytest.mark.parametrize("text", ["AB==", "A", "A+", "A/", "AB", "AA\n", " AA", "é"])
def test_base64url_has_one_spelling(text: str):
    with pytest.raises(ValueError, match="base64url"):
        from_base64url(text)
    assert from_base64url(to_base64url(b"\xff\xfe")) == b"\xff\xfe"
