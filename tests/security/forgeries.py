"""Access tokens that are not ours, or not any more: each a function from a genuine one."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from wallet_api.infra.crypto.jws import Signer, load_private_key, new_private_pem, public_jwk, signer_of
from wallet_api.infra.crypto.keystore import KeyStore

Claims = dict[str, Any]


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def opened(token: str) -> tuple[Claims, Claims]:
    first, second, _ = token.split(".")
    return (*(json.loads(base64.urlsafe_b64decode(part + "==")) for part in (first, second)),)


@dataclass(frozen=True)
class Genuine:
    """A genuine token taken apart, and the keys of the wallet that issued it.

    Most forgeries are signed with the wallet's own key, so that nothing but the check in question refuses
    them: a thief of the key is not the point, each check standing alone is.
    """

    token: str
    keys: KeyStore
    head: Claims
    claims: Claims

    @classmethod
    def of(cls, token: str, keys: KeyStore) -> Genuine:
        return cls(token, keys, *opened(token))

    def signed(
        self, claims: Claims | bytes, head: Claims | bytes | None = None, by: Signer | None = None
    ) -> str:
        parts = [
            part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode()
            for part in (self.head if head is None else head, claims)
        ]
        signed = ".".join(b64(part) for part in parts)
        return f"{signed}.{b64((by or self.keys.signer('token')).sign(signed.encode()))}"

    def with_claims(self, **over: Any) -> str:
        return self.signed({name: value for name, value in (self.claims | over).items() if value is not None})

    def with_head(self, **over: Any) -> str:
        head = {name: value for name, value in (self.head | over).items() if value is not None}
        return self.signed(self.claims, head)

    def raw_claims(self, old: str, new: str) -> str:
        """The payload's bytes with something in them replaced."""
        plain = json.dumps(self.claims, separators=(",", ":"))
        assert old in plain
        return self.signed(plain.replace(old, new, 1).encode())

    @property
    def public_pem(self) -> bytes:
        key = self.keys.public_key("token", self.head["kid"])
        assert isinstance(key, ec.EllipticCurvePublicKey)
        return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


Forge = Callable[[Genuine], str]


def stranger(kid: str = "stranger") -> Signer:
    return Signer(kid, "ES256", signer_of(load_private_key(new_private_pem("ES256"))).sign)


def hmac_with(secret: Callable[[Genuine], bytes], alg: str = "HS256") -> Forge:
    def forge(found: Genuine) -> str:
        def sign(message: bytes) -> bytes:
            mac = hmac.HMAC(secret(found), hashes.SHA256())
            mac.update(message)
            return mac.finalize()

        return found.signed(found.claims, found.head | {"alg": alg}, Signer(found.head["kid"], alg, sign))

    return forge


def unsigned(alg: object) -> Forge:
    def forge(found: Genuine) -> str:
        return f"{found.signed(found.claims, found.head | {'alg': alg}).rpartition('.')[0]}."

    return forge


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def by_rsa(found: Genuine) -> str:
    key = rsa_key()
    signer = Signer("r", "RS256", lambda message: key.sign(message, padding.PKCS1v15(), hashes.SHA256()))
    return found.signed(found.claims, found.head | {"alg": "RS256"}, signer)


def by_p384(found: Genuine) -> str:
    key = ec.generate_private_key(ec.SECP384R1())

    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA384())))
        return r.to_bytes(48, "big") + s.to_bytes(48, "big")

    return found.signed(found.claims, found.head | {"alg": "ES384"}, Signer("e", "ES384", sign))


def with_own_key_in_the_head(found: Genuine) -> str:
    key = load_private_key(new_private_pem("ES256"))
    jwk = public_jwk(key.public_key())
    return found.signed(found.claims, found.head | {"kid": jwk["kid"], "jwk": jwk}, signer_of(key))


def der_signature(found: Genuine) -> str:
    key = load_private_key(new_private_pem("ES256"))
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    sign = Signer("d", "ES256", lambda message: key.sign(message, ec.ECDSA(hashes.SHA256())))
    return found.signed(found.claims, by=sign)


def zero_signature(found: Genuine) -> str:
    """r = s = 0 once opened every lock of one platform (CVE-2022-21449)."""
    return f"{found.token.rpartition('.')[0]}.{b64(bytes(64))}"


def swapped(found: Genuine) -> str:
    """The genuine head and signature around other claims."""
    head, _, signature = found.token.split(".")
    return f"{head}.{b64(json.dumps(found.claims | {'sub': 'somebody'}).encode())}.{signature}"


def moved(name: str, seconds: int) -> Forge:
    return lambda found: found.with_claims(**{name: found.claims["iat"] + seconds})


def spelt(change: Callable[[str, str, str], str]) -> Forge:
    """The genuine token, its three parts spelt otherwise."""
    return lambda found: change(*found.token.split("."))


def last_bits(head: str, body: str, signature: str) -> str:
    """86 characters carry 516 bits for 512: the same signature in another spelling."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return f"{head}.{body}.{signature[:-1]}{alphabet[alphabet.index(signature[-1]) ^ 1]}"


def without(name: str) -> Forge:
    return lambda found: found.with_claims(**{name: None})


FORGERIES: dict[str, Forge] = {
    # who signed, and how it is said
    "alg none": unsigned("none"),
    "alg NONE in capitals": unsigned("NoNe"),
    "alg null": unsigned(None),
    "HS256 over the public key as PEM": hmac_with(lambda found: found.public_pem),
    "HS256 over the public key as JWK": hmac_with(
        lambda found: json.dumps(found.keys.jwk(found.head["kid"])).encode()
    ),
    "HS256 over nothing": hmac_with(lambda _: b""),
    "RS256 by a key of the forger": by_rsa,
    "ES384 by a key of the forger": by_p384,
    "another key under our kid": lambda found: found.signed(found.claims, by=stranger()),
    "our receipt key": lambda found: found.signed(found.claims, by=found.keys.signer("receipt")),
    "our receipt key under its own kid": lambda found: found.signed(
        found.claims, found.head | {"kid": found.keys.signer("receipt").kid}, found.keys.signer("receipt")
    ),
    "our key for VNeID under its own kid": lambda found: found.signed(
        found.claims,
        found.head | {"kid": found.keys.signer("vneid_client").kid},
        found.keys.signer("vneid_client"),
    ),
    "signature of zeros": zero_signature,
    "signature in DER": der_signature,
    "claims changed after signing": swapped,
    # the head
    "its own key in the head": with_own_key_in_the_head,
    "jku": lambda found: found.with_head(jku="https://evil.example/jwks.json"),
    "x5u": lambda found: found.with_head(x5u="https://evil.example/cert.pem"),
    "x5c": lambda found: found.with_head(x5c=["MIIB"]),
    "crit": lambda found: found.with_head(crit=["exp"]),
    "b64 false": lambda found: found.with_head(b64=False, crit=["b64"]),
    "zip": lambda found: found.with_head(zip="DEF"),
    "no kid": lambda found: found.with_head(kid=None),
    "unknown kid": lambda found: found.with_head(kid="unknown"),
    "kid that is a path": lambda found: found.with_head(kid="../../../../dev/null"),
    "kid with NUL": lambda found: found.with_head(kid=found.head["kid"] + "\x00"),
    "kid that is a list": lambda found: found.with_head(kid=[found.head["kid"]]),
    "kid for a database": lambda found: found.with_head(kid={"$ne": ""}),
    "typ JWT, as of an ID token": lambda found: found.with_head(typ="JWT"),
    "no typ": lambda found: found.with_head(typ=None),
    "typ of a receipt": lambda found: found.with_head(typ="receipt+jwt"),
    "typ in capitals": lambda found: found.with_head(typ="AT+JWT"),
    "alg twice in the head": lambda found: found.signed(
        found.claims, json.dumps(found.head).replace("{", '{"alg":"none",', 1).encode()
    ),
    "a head that is a list": lambda found: found.signed(found.claims, b"[]"),
    # what every token of ours says
    **{
        f"no {name}": without(name)
        for name in ("iss", "aud", "sub", "client_id", "iat", "nbf", "exp", "jti", "sid")
    },
    "no version": without("ver"),
    "no kind": without("kind"),
    "other issuer": lambda found: found.with_claims(iss="https://evil.example"),
    "issuer with a slash more": lambda found: found.with_claims(iss=found.claims["iss"] + "/"),
    "issuer list": lambda found: found.with_claims(iss=[found.claims["iss"]]),
    "other audience": lambda found: found.with_claims(aud="https://evil.example/api"),
    "audience list with ours": lambda found: found.with_claims(
        aud=[found.claims["aud"], "https://evil.example"]
    ),
    "audience list of ours alone": lambda found: found.with_claims(aud=[found.claims["aud"]]),
    "audience of our token endpoint": lambda found: found.with_claims(aud=found.claims["iss"]),
    # time
    "expired 31 s ago": moved("exp", -31),
    "good from 31 s on": moved("nbf", 31),
    "issued in the future": moved("iat", 31),
    "good for a year": moved("exp", 365 * 86400),
    "good for ever": lambda found: found.with_claims(exp=10**18),
    "exp beyond 64 bits": lambda found: found.with_claims(exp=10**40),
    "exp as a fraction": lambda found: found.with_claims(exp=found.claims["exp"] + 0.5),
    "exp as text": lambda found: found.with_claims(exp=str(found.claims["exp"])),
    "exp as true": lambda found: found.with_claims(exp=True),
    "exp infinite": lambda found: found.raw_claims(f'"exp":{found.claims["exp"]}', '"exp":Infinity'),
    "exp NaN": lambda found: found.raw_claims(f'"exp":{found.claims["exp"]}', '"exp":NaN'),
    "exp twice": lambda found: found.raw_claims('"exp":', '"exp":1,"exp":'),
    "sign-in at the end of time": lambda found: found.with_claims(auth_time=10**30, acr="2"),
    # whose
    "another's sub": lambda found: found.with_claims(sub="a" * 26),
    "sub twice": lambda found: found.raw_claims('"sub":', '"sub":"somebody","sub":'),
    "sub for a database": lambda found: found.with_claims(sub={"$ne": ""}),
    "empty sub": lambda found: found.with_claims(sub=""),
    "another client": lambda found: found.with_claims(client_id="other-app"),
    "unknown session": lambda found: found.with_claims(sid="a" * 26, client_id="b" * 26),
    "session for a database": lambda found: found.with_claims(sid={"$gt": ""}, client_id={"$gt": ""}),
    "another version": lambda found: found.with_claims(ver=found.claims["ver"] + 1),
    "version as text": lambda found: found.with_claims(ver=str(found.claims["ver"])),
    "version true": lambda found: found.with_claims(ver=True),
    "another kind": lambda found: found.with_claims(
        kind={"citizen": "ops", "ops": "citizen", "provider": "citizen"}[found.claims["kind"]]
    ),
    "kind unknown": lambda found: found.with_claims(kind="root"),
    "roles that are no list": lambda found: found.with_claims(roles=7),
    "an actor who is nobody": lambda found: found.with_claims(act={"sub": ""}),
    "an actor within an actor": lambda found: found.with_claims(act={"sub": "x", "act": {"sub": "y"}}),
    "an actor as text": lambda found: found.with_claims(act="x"),
    "an actor who never worked there": lambda found: found.with_claims(act={"sub": "never-there"}),
    # form
    "longer than 4 KiB": lambda found: found.with_claims(padding="x" * 4096),
    "two parts": spelt(lambda head, body, _: f"{head}.{body}"),
    "four parts": spelt(lambda head, body, signature: f"{head}.{body}.{signature}.{signature}"),
    "five parts, as if encrypted": spelt(lambda head, body, signature: f"{head}..{body}.{signature}.x"),
    "padding on the signature": spelt(lambda head, body, signature: f"{head}.{body}.{signature}=="),
    "a blank in the signature": spelt(lambda h, b, signature: f"{h}.{b}.{signature[:9]} {signature[9:]}"),
    "signs the alphabet lacks": spelt(lambda h, b, signature: f"{h}.{b}.{signature[:9]}!*{signature[9:]}"),
    "other bits nobody reads": spelt(last_bits),
    "base64 with plus and slash": spelt(
        lambda head, body, signature: f"{head}.{body}.{signature.replace('-', '+').replace('_', '/')}+"
    ),
    "an empty signature": spelt(lambda head, body, _: f"{head}.{body}."),
    "claims that are a list": lambda found: found.signed(b"[]"),
    "claims that are no JSON": lambda found: found.signed(b"\xff\xfe"),
    "claims nested a thousand deep": lambda found: found.signed(b"[" * 1000 + b"]" * 1000),
    "a number of 4,000 digits": lambda found: found.signed(b'{"exp":' + b"9" * 2500 + b"}"),
    "a surrogate in a claim": lambda found: found.raw_claims('"jti":"', '"jti":"\\ud800'),
    "not a token": lambda _: "hello",
    "dots": lambda _: "..",
}
