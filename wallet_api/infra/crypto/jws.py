"""Signing keys and JSON Web Signatures (RFC 7515, 7517, 7638): ES256 and Ed25519."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from wallet_api.infra.crypto.errors import KeyUnavailable
from wallet_api.infra.crypto.framing import to_base64url

PrivateKey = ec.EllipticCurvePrivateKey | Ed25519PrivateKey
PublicKey = ec.EllipticCurvePublicKey | Ed25519PublicKey

_ES256 = ec.ECDSA(SHA256())


@dataclass(frozen=True)
class Signer:
    """One signing key seen from outside: its id, its JWS algorithm and the act of signing.

    `sign` returns 64 raw bytes: r and s for ES256, the Ed25519 signature for EdDSA.
    """

    kid: str
    alg: str
    sign: Callable[[bytes], bytes] = field(repr=False)


def public_jwk(key: PublicKey) -> dict[str, str]:
    """Describe a public key as a JWK with `alg`, `use` and `kid` (its RFC 7638 thumbprint)."""
    if isinstance(key, Ed25519PublicKey):
        bare = {"crv": "Ed25519", "kty": "OKP", "x": to_base64url(key.public_bytes_raw())}
        alg = "EdDSA"
    else:
        numbers = key.public_numbers()
        x, y = (to_base64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        bare, alg = {"crv": "P-256", "kty": "EC", "x": x, "y": y}, "ES256"
    print_of = json.dumps(bare, sort_keys=True, separators=(",", ":")).encode()
    return {**bare, "alg": alg, "use": "sig", "kid": to_base64url(hashlib.sha256(print_of).digest())}


def new_private_pem(alg: str) -> bytes:
    """Make a new private key for "ES256" or "EdDSA", as an unencrypted PKCS 8 PEM."""
    key: PrivateKey = (
        Ed25519PrivateKey.generate() if alg == "EdDSA" else ec.generate_private_key(ec.SECP256R1())
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_private_key(pem: bytes) -> PrivateKey:
    """Read a P-256 or Ed25519 private key. Raises KeyUnavailable for anything else."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnavailable("A signing key is not an unencrypted private key in PEM form.") from error
    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise KeyUnavailable("A signing key is neither P-256 nor Ed25519.")


def signer_of(key: PrivateKey) -> Signer:
    """Wrap a private key as a Signer; its kid is the thumbprint of the public key."""
    jwk = public_jwk(key.public_key())
    return Signer(jwk["kid"], jwk["alg"], _signing(key))


def signer_from_pem(pem: bytes) -> Signer:
    """Read a PEM private key (say, of a client registered elsewhere) as a Signer."""
    return signer_of(load_private_key(pem))


def _signing(key: PrivateKey) -> Callable[[bytes], bytes]:
    if isinstance(key, Ed25519PrivateKey):
        return key.sign

    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(message, _ES256))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return sign


def sign_compact(
    signer: Signer, payload: bytes, *, typ: str, header: Mapping[str, object] | None = None
) -> str:
    """Sign a payload as a compact JWS whose header names the algorithm, the key and the type."""
    head = {**(header or {}), "alg": signer.alg, "kid": signer.kid, "typ": typ}
    first = to_base64url(json.dumps(head, separators=(",", ":"), sort_keys=True).encode())
    signed = f"{first}.{to_base64url(payload)}"
    return f"{signed}.{to_base64url(signer.sign(signed.encode()))}"
