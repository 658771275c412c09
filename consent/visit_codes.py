"""One-time codes for the surgery: what a citizen shows, and a doctor's request arrives bound to."""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta

from consent.errors import VisitCodeInvalid
from consent.ports import Digest, Now, VisitCodes

VISIT_CODE_LASTS = timedelta(minutes=5)
_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
_CODE = re.compile(f"[{_LETTERS}]{{10}}")


class VisitCodeService:
    """One-time codes for the surgery: the citizen shows one, the doctor's request arrives bound to it."""

    def __init__(self, codes: VisitCodes, digest: Digest, now: Now) -> None:
        self._codes = codes
        self._digest = digest
        self._now = now

    def issue(self, citizen_id: str) -> tuple[str, datetime]:
        """A new code of ten letters and digits (49 bits) and when it ends, five minutes from now."""
        code = "".join(secrets.choice(_LETTERS) for _ in range(10))
        expires_at = self._now() + VISIT_CODE_LASTS
        self._codes.add(self._digest(code), citizen_id, expires_at)
        return code, expires_at

    def redeem(self, text: str) -> str:
        """The citizen behind a code, which is used up by this.

        Raises:
            VisitCodeInvalid: not a code, unknown, used or too old: one answer for all.
        """
        code = re.sub(r"[\s-]", "", text).upper()
        citizen_id = self._codes.take(self._digest(code), self._now()) if _CODE.fullmatch(code) else None
        if citizen_id is None:
            raise VisitCodeInvalid("visit_code")
        return citizen_id
