"""C06: a receipt is genuine to the last bit, under the key it names, in one spelling; or it is none."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from consent.receipt import ReceiptInvalid, Signing, signed, verified
from tests.consent.keys import ReceiptKey, make_receipt
from wallet_api.infra.crypto.keystore import MemoryKeyStore

KEY = ReceiptKey.made()
JWS = signed(make_receipt(), KEY.signing)
HEAD, BODY, SIGNATURE = JWS.split(".")


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def genuine(jws: str, *keys: Any) -> bool:
    try:
        verified(jws, keys or [KEY.jwk])
    except ReceiptInvalid:
        return False
    return True


def test_c06_every_byte_of_every_part_counts() -> None:
    assert genuine(JWS)
    for place, part in enumerate((HEAD, BODY, SIGNATURE)):
        raw = unb64(part)
        for at in range(len(raw)):
            flipped = raw[:at] + bytes([raw[at] ^ (1 << at % 8)]) + raw[at + 1 :]
            parts = [HEAD, BODY, SIGNATURE]
            parts[place] = b64(flipped)
            assert not genuine(".".join(parts)), (place, at)


def test_c06_every_character_has_one_spelling() -> None:
    """The last character of a base64url text has bits nobody reads; playing with them is a change too."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_="
    for end in (len(HEAD) - 1, len(HEAD) + len(BODY), len(JWS) - 1):
        tried = [JWS[:end] + letter + JWS[end + 1 :] for letter in letters if letter != JWS[end]]
        assert [each for each in tried if genuine(each)] == []
    for other in (
        JWS + "=",
        JWS + ".",
        f" {JWS}",
        JWS + "\n",
        JWS.replace(".", "..", 1),
        f"{JWS}.{SIGNATURE}",
    ):
        assert not genuine(other)


def with_header(sign: Any, **over: Any) -> str:
    said = json.loads(unb64(HEAD)) | over
    head = b64(json.dumps({k: v for k, v in said.items() if v is not None}).encode())
    return f"{head}.{BODY}.{b64(sign(f'{head}.{BODY}'.encode()))}"


def test_c06_no_other_algorithm_whatever_it_is_signed_with() -> None:
    public = json.dumps(KEY.jwk).encode()
    x, y = unb64(KEY.jwk["x"]), unb64(KEY.jwk["y"])

    def hs(secret: bytes) -> Any:
        return lambda message: hmac.digest(secret, message, hashlib.sha256)

    for alg in ("none", "None", "NONE", "", None, "HS256", "RS256", "ES384", "ES256K", "EdDSA", ["ES256"]):
        for sign in (KEY.sign, hs(public), hs(x + y), hs(b"\x04" + x + y), hs(b""), lambda message: b""):
            assert not genuine(with_header(sign, alg=alg)), alg
    head = b64(b'{"alg":"none"}')
    assert not genuine(f"{head}.{BODY}.")


def test_c06_neither_a_foreign_key_nor_a_key_that_comes_along() -> None:
    other = ReceiptKey.made("k1")
    forged = signed(make_receipt(), other.signing)
    assert genuine(forged, other.jwk) and not genuine(forged)
    for over in ({"jwk": other.jwk}, {"jku": "https://evil.example/jwks.json"}, {"x5c": ["AA"]}):
        assert not genuine(with_header(other.sign, **over))
    for kid in (None, "", "k2", ["k1"], {"kid": "k1"}, "../k1"):
        assert not genuine(with_header(KEY.sign, kid=kid)), kid
    zero = b64(bytes(64))
    order = b64((0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551).to_bytes(32, "big") * 2)
    for signature in (zero, order, b64(unb64(SIGNATURE)[:63]), b64(unb64(SIGNATURE) + b"\x00")):
        assert not genuine(f"{HEAD}.{BODY}.{signature}")


def test_c06_an_old_key_verifies_history_and_signs_nothing_new() -> None:
    store = MemoryKeyStore()

    def issued() -> str:
        signer = store.signer("receipt")
        return signed(make_receipt(), Signing(signer.kid, signer.sign))

    before = issued()
    old = store.signer("receipt").kid
    store.rotate("receipt")
    after = issued()
    assert json.loads(unb64(before.partition(".")[0]))["kid"] == old
    assert json.loads(unb64(after.partition(".")[0]))["kid"] != old
    keys = store.jwks("receipt")["keys"]
    assert genuine(before, *keys) and genuine(after, *keys)
    assert not genuine(before, *(each for each in keys if each["kid"] != old))


def test_c06_the_keys_of_other_uses_sign_no_receipts() -> None:
    store = MemoryKeyStore()
    signer = store.signer("token")
    forged = signed(make_receipt(), Signing(signer.kid, signer.sign))
    store.signer("receipt")
    assert not genuine(forged, *store.jwks("receipt")["keys"])


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_c06_one_canonical_form_whatever_the_order_and_the_spelling(form: Any) -> None:
    names = "Bệnh viện Đa khoa Nguyễn Tri Phương"
    receipt = make_receipt(unicodedata.normalize(form, names))
    turned = dict(sorted(receipt.items(), reverse=True))
    assert (
        signed(turned, KEY.signing).split(".")[:2] == signed(make_receipt(names), KEY.signing).split(".")[:2]
    )


@pytest.mark.parametrize(
    "spell",
    [
        lambda body: body.replace(b'"purpose":"TREAT"', b'"purpose": "TREAT"'),
        lambda body: body.replace(b'"TREAT"', b'"\\u0054REAT"'),
        lambda body: b'{"purpose":"TREAT",' + body[1:],
        lambda body: body.replace(b"}", b"} ", 1),
        lambda body: unicodedata.normalize("NFD", body.decode()).encode(),
        lambda body: b"\xef\xbb\xbf" + body,
        lambda body: body[:-1] + b',"zz":1e400}',
        lambda body: body[:-1] + b',"zz":NaN}',
        lambda body: b"[" * 100_000,
    ],
)
def test_c06_a_body_in_another_spelling_is_refused_even_when_well_signed(spell: Any, tmp_path: Path) -> None:
    body = spell(unb64(BODY))
    assert body != unb64(BODY)
    message = f"{HEAD}.{b64(body)}"
    assert not genuine(f"{message}.{b64(KEY.sign(message.encode()))}")
