"""Receipts verify offline with public keys, and nothing else does."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from consent.model import Grant, NoticeShown
from consent.notices import notice_for
from consent.receipt import Party, ReceiptInvalid, Signing, content, signed, verified
from tests.consent.builders import NOW, make_actor, make_scope

KEY = ec.generate_private_key(ec.SECP256R1())


def _b64(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).decode().rstrip("=")


def _jwk(key: ec.EllipticCurvePrivateKey, kid: str) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "kid": kid, "x": _b64(numbers.x), "y": _b64(numbers.y)}


def _sign(message: bytes) -> bytes:
    r, s = utils.decode_dss_signature(KEY.sign(message, ec.ECDSA(SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


SIGNING = Signing("k1", _sign)
KEYS = [_jwk(KEY, "k1")]


def _receipt(recipient: str = "Bệnh viện") -> dict[str, object]:
    notice = notice_for("TREAT", "vi")
    grant = Grant(
        "g1",
        "citizen",
        "r1",
        make_scope(),
        "granted",
        1,
        NOW,
        NoticeShown(notice.version, "vi", notice.sha256),
        make_actor().evidence,
    )
    return content(
        grant, Party("wallet", "Ví", "controller"), Party("org", recipient, "recipient"), notice.text
    )


JWS = signed(_receipt(), SIGNING)


def test_a_receipt_verifies_and_says_what_was_agreed() -> None:
    found = verified(JWS, KEYS)
    assert found["purpose"] == "TREAT"
    assert found["privacy_notice"]["text"] == notice_for("TREAT", "vi").text
    assert found["event"][0]["event_time"] == "2026-11-23T02:00:00Z"


def test_equal_receipts_are_equal_bytes_whatever_the_spelling_of_diacritics() -> None:
    import unicodedata

    decomposed = _receipt(unicodedata.normalize("NFD", "Bệnh viện"))
    turned = dict(reversed(list(decomposed.items())))
    assert JWS.split(".")[:2] == signed(turned, SIGNING).split(".")[:2]


@given(place=st.integers(0, len(JWS) - 1), flip=st.integers(1, 127))
def test_no_changed_character_verifies(place: int, flip: int) -> None:
    changed = JWS[:place] + chr(ord(JWS[place]) ^ flip) + JWS[place + 1 :]
    with pytest.raises(ReceiptInvalid):
        verified(changed, KEYS)


def _header(**over: Any) -> str:
    head, body, _ = JWS.split(".")
    raw = json.loads(base64.urlsafe_b64decode(head + "==")) | over
    head = base64.urlsafe_b64encode(json.dumps(raw).encode()).decode().rstrip("=")
    signature = base64.urlsafe_b64encode(_sign(f"{head}.{body}".encode())).decode().rstrip("=")
    return f"{head}.{body}.{signature}"


@pytest.mark.parametrize("over", [{"alg": "none"}, {"alg": "HS256"}, {"typ": "at+jwt"}, {"kid": "k2"}])
def test_another_algorithm_type_or_key_is_refused_even_if_well_signed(over: dict[str, str]) -> None:
    assert verified(_header(), KEYS)
    with pytest.raises(ReceiptInvalid):
        verified(_header(**over), KEYS)


def test_another_key_under_the_same_name_is_refused() -> None:
    with pytest.raises(ReceiptInvalid):
        verified(JWS, [_jwk(ec.generate_private_key(ec.SECP256R1()), "k1")])
    with pytest.raises(ReceiptInvalid):
        verified(JWS, [])


def test_the_command_verifies_a_file_offline(tmp_path: Path) -> None:
    receipt, keys = tmp_path / "receipt.json", tmp_path / "jwks.json"
    receipt.write_text(json.dumps({"receipt": JWS}))
    keys.write_text(json.dumps({"keys": KEYS}))
    command = [sys.executable, "-m", "consent", "verify", str(receipt), "--keys", str(keys)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.startswith("genuine")) == (0, True)
    receipt.write_text(json.dumps({"receipt": JWS[:-4] + "AAAA"}))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "NOT GENUINE" in done.stderr
