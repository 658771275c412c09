"""One-time codes for the surgery: what a citizen shows, and a doctor's request arrives bound to.

How safe ten characters of thirty are: 30^10 = 5.9e14 codes (49 bits), each alive for five minutes. A
guesser hits somebody's code with a chance of (guesses x live codes) / 5.9e14. An organisation may guess
wrongly 20 times an hour, 175,200 times a year. If a thousand organisations do nothing else for a year
while a thousand codes are alive at every moment, the chance that one guess meets anybody's code is 3 in
10,000. Whom it meets cannot be chosen, and that person still has to say yes.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from consent.errors import VisitCodeInvalid
from consent.ports import Digest, Now, Unit, VisitCodes

VISIT_CODE_LASTS = timedelta(minutes=5)
QR_PREFIX = "HWV1:"
"""Before a code in a QR picture: letters a QR packs well, and no word that another app reads as its own."""
_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
_LENGTH = 10
_CODE = re.compile(f"[{_LETTERS}]{{{_LENGTH}}}")
_ENOUGH = 32


@dataclass(frozen=True)
class ShownCode:
    """A live code that somebody was shown, and whose it is. It is used up by `VisitCodeService.use`."""

    digest: str = field(repr=False)
    citizen_id: str


class VisitCodeService:
    """One-time codes for the surgery: the citizen shows one, the doctor's request arrives bound to it."""

    def __init__(self, codes: VisitCodes, digest: Digest, now: Now) -> None:
        self._codes = codes
        self._digest = digest
        self._now = now

    def issue(self, citizen_id: str) -> tuple[str, datetime]:
        """A new code of ten letters and digits (49 bits) and when it ends, five minutes from now."""
        expires_at = self.until()
        return self.issue_until(citizen_id, expires_at, secrets.token_bytes(_ENOUGH)), expires_at

    def until(self) -> datetime:
        """When a code issued now ends."""
        return self._now() + VISIT_CODE_LASTS

    def issue_until(self, citizen_id: str, expires_at: datetime, dice: bytes) -> str:
        """The code these 32 random bytes make, alive until then; the same bytes make the same code.

        Issued already, it stays what it is: used or over.

        Raises:
            ValueError: fewer than 32 bytes.
        """
        code = _thrown(dice)
        self._codes.add(self._digest(code), citizen_id, expires_at)
        return code

    def shown(self, text: str) -> ShownCode:
        """Whose code this is. It is not used up yet.

        Raises:
            VisitCodeInvalid: not a code, unknown, used or too old: one answer for all.
        """
        code = re.sub(r"[\s-]", "", text.strip().upper().removeprefix(QR_PREFIX))
        if not _CODE.fullmatch(code):
            # Looked for all the same, so that a misspelt code takes as long as a wrong one.
            code = ""
        digest = self._digest(code)
        citizen_id = self._codes.shown(digest, self._now())
        if citizen_id is None:
            raise VisitCodeInvalid("visit_code")
        return ShownCode(digest, citizen_id)

    def use(self, shown: ShownCode, unit: Unit = None) -> None:
        """Use the code up, in the same step as what it is used for; once, however many try.

        Raises:
            VisitCodeInvalid: somebody was faster, or its time is over.
        """
        if not self._codes.take(shown.digest, self._now(), unit):
            raise VisitCodeInvalid("visit_code")


def qr_text(code: str) -> str:
    """What the picture for a scanner says; `shown` reads it like the code itself."""
    return QR_PREFIX + code


def _thrown(dice: bytes) -> str:
    if len(dice) < _ENOUGH:
        raise ValueError("a code is made of 32 bytes")
    number, letters = int.from_bytes(dice, "big"), []
    for _ in range(_LENGTH):
        number, place = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[place])
    return "".join(letters)
