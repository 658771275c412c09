"""The registry of provider organisations and their rosters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta

from wallet_api.identity.clients import Clients
from wallet_api.identity.errors import BadOrganisation, OffRoster, OrganisationUnknown
from wallet_api.identity.model import Organisation, OrganisationStatus, Practitioner
from wallet_api.identity.ports import OrganisationStore, RosterStore
from wallet_api.infra.clock import vn_day

_FACILITY_CODE = re.compile(r"[0-9A-Z]{5}")
_GLN = re.compile(r"[0-9]{13}")
_WORD = re.compile(r"[a-z0-9]+")
_RESULTS = 20


def folded_words(text: str) -> tuple[str, ...]:
    """The words of a text without Vietnamese marks, lower case: 'Bệnh viện Đà' gives benh, vien, da."""
    plain = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    return tuple(_WORD.findall("".join(char for char in plain if not unicodedata.combining(char))))


class Organisations:
    """Provider organisations: who they are, what they are licensed for, who works there."""

    def __init__(
        self,
        organisations: OrganisationStore,
        rosters: RosterStore,
        clients: Clients,
        now: Callable[[], datetime],
    ) -> None:
        self._organisations = organisations
        self._rosters = rosters
        self._clients = clients
        self._now = now

    def add(self, organisation: Organisation) -> Organisation:
        """Register one.

        Raises:
            BadOrganisation: a malformed facility code or GLN, or neither name.
            Taken: the id, facility code or GLN is in use.
        """
        _check(organisation)
        self._organisations.add(organisation)
        return organisation

    def get(self, organisation_id: str) -> Organisation:
        """One organisation, suspended ones too. Raises OrganisationUnknown."""
        found = self._organisations.get(organisation_id)
        if found is None:
            raise OrganisationUnknown("no such organisation")
        return found

    def change(self, organisation: Organisation, *, expected: int) -> Organisation:
        """Replace it (names, codes, licence; the status too).

        Raises:
            BadOrganisation, Taken, StaleVersion.
        """
        _check(organisation)
        changed = replace(organisation, version=expected + 1)
        self._organisations.save(changed, expected=expected)
        return changed

    def set_status(self, organisation_id: str, status: OrganisationStatus) -> Organisation:
        """Suspend or readmit it. When suspending returns, its tokens have stopped working.

        Raises:
            OrganisationUnknown, StaleVersion.
        """
        found = self.get(organisation_id)
        changed = self.change(replace(found, status=status), expected=found.version)
        for client in self._clients.of_organisation(organisation_id):
            self._clients.set_status(client.id, status)
        return changed

    def search(self, query: str, limit: int = _RESULTS) -> list[Organisation]:
        """Active ones whose names hold, for every word of the query, a word that begins so.

        Marks and case do not matter. An empty query finds nothing.
        """
        found = self._organisations.search(folded_words(query), limit)
        return [one for one in found if one.status == "active"]

    def roster(self, organisation_id: str) -> list[Practitioner]:
        """Everybody who works or worked there, by name."""
        return self._rosters.of(organisation_id)

    def enroll(self, practitioner: Practitioner) -> Practitioner:
        """Put somebody on a roster, or change their entry. Raises OrganisationUnknown."""
        self.get(practitioner.organisation_id)
        self._rosters.put(practitioner)
        return practitioner

    def dismiss(
        self, organisation_id: str, practitioner_id: str, last_day: date | None = None
    ) -> Practitioner:
        """End somebody's membership: after `last_day`, or at once when it is not given.

        Raises:
            OffRoster: they were never on this roster.
        """
        found = self._rosters.get(organisation_id, practitioner_id)
        if found is None:
            raise OffRoster("not on this roster")
        changed = replace(found, valid_to=last_day or vn_day(self._now()) - timedelta(days=1))
        self._rosters.put(changed)
        return changed

    def practitioner(self, organisation_id: str, practitioner_id: str, now: datetime) -> Practitioner:
        """Somebody who is on that roster on the Vietnamese day of `now`.

        Raises:
            OffRoster: they are not, or not any more, or not yet.
        """
        found = self._rosters.get(organisation_id, practitioner_id)
        if found is None or not found.on_roster(vn_day(now)):
            raise OffRoster("not on this roster today")
        return found


def _check(organisation: Organisation) -> None:
    if not (organisation.name_vi and organisation.name_en):
        raise BadOrganisation("both names are needed")
    code, gln = organisation.facility_code, organisation.gln
    if code is not None and not _FACILITY_CODE.fullmatch(code):
        raise BadOrganisation("a facility code has 5 characters")
    if gln is not None and not (_GLN.fullmatch(gln) and _gs1_sum(gln) % 10 == 0):
        raise BadOrganisation("a GLN has 13 digits and a right check digit")


def _gs1_sum(digits: str) -> int:
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
