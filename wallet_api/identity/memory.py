"""In-memory stores: for tests and for use without a database. Each promises what its port promises."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from wallet_api.identity.errors import StaleVersion, Taken
from wallet_api.identity.identifiers import look_up_key
from wallet_api.identity.model import (
    Account,
    Citizen,
    Guardianship,
    IdentifierKind,
    IdentifierOwner,
    Organisation,
    Practitioner,
    Review,
)
from wallet_api.identity.organisations import folded_words


@dataclass
class MemoryCitizens:
    """People in a dictionary."""

    _rows: dict[str, Citizen] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def create(self, citizen: Citizen) -> None:
        """Add the citizen, all or nothing."""
        with self._lock:
            if citizen.id in self._rows:
                raise Taken("citizen id")
            self._claim(citizen)

    def save(self, citizen: Citizen, *, expected: int) -> None:
        """Replace the citizen, all or nothing."""
        with self._lock:
            found = self._rows.get(citizen.id)
            if found is None or found.version != expected:
                raise StaleVersion("citizen")
            self._claim(citizen)

    def save_together(self, changes: Sequence[tuple[Citizen, int]]) -> None:
        """Replace each citizen, all or nothing."""
        with self._lock:
            for citizen, expected in changes:
                found = self._rows.get(citizen.id)
                if found is None or found.version != expected:
                    raise StaleVersion("citizen")
            self._rows.update({citizen.id: citizen for citizen, _ in changes})

    def get(self, citizen_id: str) -> Citizen | None:
        """The citizen, if there is one."""
        return self._rows.get(citizen_id)

    def by_account(self, account: Account) -> str | None:
        """Whose account it is."""
        return next((one.id for one in list(self._rows.values()) if account in one.accounts), None)

    def owner(self, kind: IdentifierKind, value: str) -> IdentifierOwner | None:
        """Whose number it is, valid or not."""
        key = look_up_key(kind, value)
        for citizen in list(self._rows.values()):
            for one in citizen.identifiers:
                if one.kind == kind and look_up_key(kind, one.value) == key:
                    return IdentifierOwner(citizen.id, one.valid_from, one.valid_to)
        return None

    def _claim(self, citizen: Citizen) -> None:
        for one in citizen.identifiers:
            owner = self.owner(one.kind, one.value)
            if owner is not None and owner.citizen_id != citizen.id:
                raise Taken("number")
        if any(self.by_account(account) not in (None, citizen.id) for account in citizen.accounts):
            raise Taken("account")
        self._rows[citizen.id] = citizen


@dataclass
class MemoryReviews:
    """Reviews in a list."""

    _rows: list[Review] = field(default_factory=list)

    def add(self, review: Review) -> None:
        """Open one."""
        self._rows.append(review)

    def open(self, limit: int = 100) -> list[Review]:
        """The open ones, oldest first."""
        return [one for one in self._rows if one.state == "open"][:limit]


@dataclass
class MemoryGuardianships:
    """Guardianships in a dictionary."""

    _rows: dict[str, Guardianship] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, guardianship: Guardianship) -> None:
        """Add one."""
        with self._lock:
            pair = self.for_pair(guardianship.guardian_id, guardianship.dependent_id)
            taken = guardianship.alone and any(one.alone for one in pair)
            if guardianship.id in self._rows or taken:
                raise Taken("guardianship")
            self._rows[guardianship.id] = guardianship

    def get(self, guardianship_id: str) -> Guardianship | None:
        """One of them."""
        return self._rows.get(guardianship_id)

    def save(self, guardianship: Guardianship, *, expected: int) -> None:
        """Replace it."""
        with self._lock:
            found = self._rows.get(guardianship.id)
            if found is None or found.version != expected:
                raise StaleVersion("guardianship")
            pair = self.for_pair(guardianship.guardian_id, guardianship.dependent_id)
            if guardianship.alone and any(one.alone and one.id != guardianship.id for one in pair):
                raise Taken("guardianship")
            self._rows[guardianship.id] = guardianship

    def for_pair(self, guardian_id: str, dependent_id: str) -> list[Guardianship]:
        """Every relation of the pair."""
        return [one for one in self.of_guardian(guardian_id) if one.dependent_id == dependent_id]

    def of_guardian(self, guardian_id: str) -> list[Guardianship]:
        """Every relation in which they are the guardian."""
        return [one for one in list(self._rows.values()) if one.guardian_id == guardian_id]

    def of_dependent(self, dependent_id: str) -> list[Guardianship]:
        """Every relation in which they are the dependent."""
        return [one for one in list(self._rows.values()) if one.dependent_id == dependent_id]

    def proposed(self, limit: int = 100) -> list[Guardianship]:
        """Those waiting for a registrar."""
        return [one for one in list(self._rows.values()) if one.state == "proposed"][:limit]


@dataclass
class MemoryOrganisations:
    """Organisations in a dictionary."""

    _rows: dict[str, Organisation] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, organisation: Organisation) -> None:
        """Add one."""
        with self._lock:
            if organisation.id in self._rows:
                raise Taken("organisation id")
            self._put(organisation)

    def save(self, organisation: Organisation, *, expected: int) -> None:
        """Replace it."""
        with self._lock:
            found = self._rows.get(organisation.id)
            if found is None or found.version != expected:
                raise StaleVersion("organisation")
            self._put(organisation)

    def get(self, organisation_id: str) -> Organisation | None:
        """One organisation."""
        return self._rows.get(organisation_id)

    def search(self, words: Sequence[str], limit: int) -> list[Organisation]:
        """Those whose folded names have a word beginning with each of the words."""
        found = [one for one in list(self._rows.values()) if words and _fits(one, words)]
        return sorted(found, key=lambda one: one.name_vi)[:limit]

    def names(self) -> list[tuple[str, str, str]]:
        """Id, Vietnamese and English name of every organisation."""
        return [(one.id, one.name_vi, one.name_en) for one in list(self._rows.values())]

    def merged_into(self, organisation_id: str) -> list[str]:
        """The organisations that were merged into this one."""
        return sorted(one.id for one in list(self._rows.values()) if one.successor_id == organisation_id)

    def _put(self, organisation: Organisation) -> None:
        for one in self._rows.values():
            code = organisation.facility_code is not None and organisation.facility_code == one.facility_code
            gln = organisation.gln is not None and organisation.gln == one.gln
            if one.id != organisation.id and (code or gln):
                raise Taken("facility code or GLN")
        self._rows[organisation.id] = organisation


def _fits(organisation: Organisation, words: Sequence[str]) -> bool:
    own = folded_words(f"{organisation.name_vi} {organisation.name_en}")
    return all(any(mine.startswith(word) for mine in own) for word in words)


@dataclass
class MemoryRosters:
    """Rosters in a dictionary."""

    _rows: dict[tuple[str, str], Practitioner] = field(default_factory=dict)

    def put(self, practitioner: Practitioner) -> None:
        """Add the entry or replace it."""
        self._rows[practitioner.organisation_id, practitioner.id] = practitioner

    def get(self, organisation_id: str, practitioner_id: str) -> Practitioner | None:
        """One entry."""
        return self._rows.get((organisation_id, practitioner_id))

    def of(self, organisation_id: str) -> list[Practitioner]:
        """The whole roster, by name."""
        found = [one for one in list(self._rows.values()) if one.organisation_id == organisation_id]
        return sorted(found, key=lambda one: one.name)
