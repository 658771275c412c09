"""SMART Health Links: the text that goes into a message or a QR code (HL7 SMART Health Links 1.0.0)."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final

from wallet_api.infra.crypto.framing import to_base64url

SCHEME: Final = "shlink:/"
LONGEST_URL: Final = 128
"""Characters the standard allows for the URL of a manifest."""


def shlink(url: str, key: str, expires_at: datetime, *, passcode: bool, lasting: bool) -> str:
    """The link. It alone holds the key; `exp` in it is a hint, the server enforces the time.

    `lasting`: it may be asked again later and then tell something else (flag L). `passcode`: flag P.

    Raises:
        ValueError: the wallet's own address is too long for a link.
    """
    if len(url) > LONGEST_URL:
        raise ValueError("the URL of a share link is too long")
    flag = ("L" if lasting else "") + ("P" if passcode else "")
    told: dict[str, object] = {"url": url, "key": key, "exp": int(expires_at.timestamp()), "v": 1}
    if flag:
        told["flag"] = flag
    return SCHEME + to_base64url(json.dumps(told, separators=(",", ":")).encode())
