"""Objections to a guardianship that was asked for and does not stand yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from wallet_api.identity.errors import GuardianshipRefused, GuardianshipUnknown
from wallet_api.identity.model import Guardianship
from wallet_api.identity.ports import GuardianshipStore
from wallet_api.infra.clock import vn_day


class Objections:
    """What is coming up for a person, and who speaks against it.

    Who may is the caller's to know: the person, or somebody who acts for them today.
    """

    def __init__(self, guardianships: GuardianshipStore, now: Callable[[], datetime]) -> None:
        self._guardianships = guardianships
        self._now = now

    def coming(self, dependent_id: str) -> list[Guardianship]:
        """What was asked for in the app and does not stand yet, spoken against or not."""
        day, found = vn_day(self._now()), self._guardianships.of_dependent(dependent_id)
        return [each for each in found if replace(each, objected_by=None).contestable_on(day)]

    def object(self, dependent_id: str, guardianship_id: str, by: str) -> Guardianship:
        """Speak against one: it goes back to a registrar, and stands no sooner than confirmed anew.

        Doing it again changes nothing.

        Raises:
            GuardianshipUnknown: absent, or about somebody else.
            GuardianshipRefused: it stands, is over, was put down by a registrar, or is the objector's own.
            StaleVersion: somebody else changed it first.
        """
        found = self._guardianships.get(guardianship_id)
        if found is None or found.dependent_id != dependent_id:
            raise GuardianshipUnknown("no such guardianship")
        if found.objected_by is not None and found.state == "proposed":
            return found
        if found.guardian_id == by or not found.contestable_on(vn_day(self._now())):
            raise GuardianshipRefused("only what does not stand yet can be objected to")
        changed = replace(found, state="proposed", objected_by=by, version=found.version + 1)
        self._guardianships.save(changed, expected=found.version)
        return changed
