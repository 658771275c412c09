"""What an organisation is licensed for, as consent asks it: read from the registry, held for seconds."""

from __future__ import annotations

import time
from threading import Lock

from consent.model import Licence
from wallet_api.identity.errors import OrganisationUnknown
from wallet_api.identity.organisations import Organisations

HELD_SECONDS = 5.0
"""How late a changed licence may be noticed. Withdrawal never waits for this: it is not cached."""


class LicenceWindow:
    """`consent.ports.LicenceOf`: unknown and suspended organisations have an empty licence."""

    def __init__(self, organisations: Organisations) -> None:
        self._organisations = organisations
        self._lock = Lock()
        self._held: dict[str, tuple[float, Licence]] = {}

    def __call__(self, organisation_id: str) -> Licence:
        """The licence, at most five seconds old."""
        now = time.monotonic()
        with self._lock:
            held = self._held.get(organisation_id)
        if held is not None and now - held[0] < HELD_SECONDS:
            return held[1]
        found = self._read(organisation_id)
        with self._lock:
            if len(self._held) > 10_000:
                self._held.clear()
            self._held[organisation_id] = (now, found)
        return found

    def _read(self, organisation_id: str) -> Licence:
        try:
            known = self._organisations.get(organisation_id)
        except OrganisationUnknown:
            return Licence()
        if known.status != "active":
            return Licence()
        return Licence(known.licence.purposes, known.licence.read_categories)
