"""A signing key for receipts, and its public half as a key set."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from consent.model import Grant, NoticeShown
from consent.notices import notice_for
from consent.receipt import Party, Signing, content
from tests.consent.builders import NOW, make_actor, make_scope

WALLET = Party("wallet", "Ví", "controller", address="https://vi.example", contact="https://vi.example/help")


@dataclass
class ReceiptKey:
    """A P-256 key under a name."""

    kid: str
    private: ec.EllipticCurvePrivateKey

    @classmethod
    def made(cls, kid: str = "k1") -> ReceiptKey:
        """A new key."""
        return cls(kid, ec.generate_private_key(ec.SECP256R1()))

    @property
    def signing(self) -> Signing:
        """What receipts are signed with."""
        return Signing(self.kid, self.sign)

    def sign(self, message: bytes) -> bytes:
        """The raw r||s of ES256."""
        r, s = utils.decode_dss_signature(self.private.sign(message, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    @property
    def jwk(self) -> dict[str, str]:
        """The public half."""
        numbers = self.private.public_key().public_numbers()
        x, y = (
            base64.urlsafe_b64encode(each.to_bytes(32, "big")).decode().rstrip("=")
            for each in (numbers.x, numbers.y)
        )
        return {"kty": "EC", "crv": "P-256", "kid": self.kid, "x": x, "y": y}


def make_grant(**over: object) -> Grant:
    """A grant for treatment, as signed in the app."""
    notice = notice_for("TREAT", "vi")
    fields: dict[str, object] = {
        "id": "g1",
        "citizen_id": "citizen",
        "request_id": "r1",
        "scope": make_scope(),
        "state": "granted",
        "version": 1,
        "granted_at": NOW,
        "notice": NoticeShown(notice.version, "vi", notice.sha256),
        "evidence": make_actor().evidence,
    }
    return Grant(**(fields | over))  # type: ignore[arg-type]  # the fields above are of its types


def make_receipt(recipient: str = "Bệnh viện", **over: object) -> dict[str, object]:
    """The content of a receipt for it."""
    hospital = Party("org", recipient, "recipient", address="mã cơ sở 79001", contact="https://vi.example")
    return content(make_grant(**over), WALLET, hospital, notice_for("TREAT", "vi").text)
