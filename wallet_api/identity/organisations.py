"""The registry of provider organisations and their rosters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta

from wallet_api.identity.clients import Clients
from wallet_api.identity.errors import BadOrganisation, MergerRefused, OffRoster, OrganisationUnknown
from wallet_api.identity.lookalikes import mixes_scripts, skeleton
from wallet_api.identity.model import Licence, Organisation, OrganisationStatus, Practitioner
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

    def register(self, organisation: Organisation) -> Organisation:
        """Register one that nobody has verified yet, with the name of another that it looks like, if any.

        Reads every name: registering is rare, and a look-alike must not depend on how it is spelt.

        Raises:
            BadOrganisation, Taken: as `add`.
        """
        return self.add(replace(organisation, verified=False, looks_like=self.look_alike(organisation)))

    def look_alike(self, organisation: Organisation) -> str | None:
        """The name of another organisation that this one's could be taken for, or its own if it mixes
        alphabets within a word; None for a name of its own."""
        own = (organisation.name_vi, organisation.name_en)
        shapes = {skeleton(each) for each in own}
        for other_id, *names in self._organisations.names():
            if other_id != organisation.id and any(skeleton(each) in shapes for each in names):
                return names[0]
        return next((each for each in own if mixes_scripts(each)), None)

    def verify(self, organisation_id: str, *, expected: int) -> Organisation:
        """A registrar has seen that it is who it says. Raises OrganisationUnknown, StaleVersion."""
        return self.change(replace(self.get(organisation_id), verified=True), expected=expected)

    def license(self, organisation_id: str, licence: Licence, *, expected: int) -> Organisation:
        """Replace what it may do. Raises OrganisationUnknown, StaleVersion."""
        return self.change(replace(self.get(organisation_id), licence=licence), expected=expected)

    def merge(self, organisation_id: str, into_id: str) -> Organisation:
        """Merge it into another: it is suspended for good, and its successor reads what it wrote.

        No grant moves: a citizen consented to the one, not to the other. Merging the same again is once.

        Raises:
            OrganisationUnknown: either is unknown.
            MergerRefused: into itself, into one that is not active, or merged into another before.
            StaleVersion.
        """
        found, into = self.get(organisation_id), self.get(into_id)
        if found.successor_id == into_id:
            return found
        if found.id == into.id or into.status != "active" or found.successor_id is not None:
            raise MergerRefused("these two cannot be merged")
        merged = replace(found, status="suspended", successor_id=into.id, merged_into=into.name_vi)
        changed = self.change(merged, expected=found.version)
        for client in self._clients.of_organisation(organisation_id):
            self._clients.set_status(client.id, "suspended")
        return changed

    def predecessors(self, organisation_id: str) -> list[str]:
        """All that were merged into it, and into those, at whatever remove."""
        found: list[str] = []
        waiting = [organisation_id]
        while waiting:
            for each in self._organisations.merged_into(waiting.pop()):
                if each not in found and each != organisation_id:
                    found.append(each)
                    waiting.append(each)
        return found

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
            OrganisationUnknown, StaleVersion. MergerRefused: one that was merged does not come back.
        """
        found = self.get(organisation_id)
        if found.successor_id is not None and status == "active":
            raise MergerRefused("it was merged into another")
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


def narrower(licence: Licence, than: Licence) -> bool:
    """Whether a licence opens nothing that the other does not."""
    return (
        licence.purposes <= than.purposes
        and licence.read_categories <= than.read_categories
        and licence.write_categories <= than.write_categories
    )


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
