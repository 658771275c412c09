"""Newborns without a number: a book of their own from the first day, found by a temporary reference.

The reference follows from the mother's number, the day of birth and the order among those born that day: who
registers the same birth again, whoever it is, finds the same child and is told the same. It is kept like any
number of the person, for life.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from importlib import resources
from typing import Protocol

from wallet_api.identity.ages import has_reached
from wallet_api.identity.errors import GuardianshipRefused, Taken
from wallet_api.identity.family import Family
from wallet_api.identity.identifiers import normal_form
from wallet_api.identity.model import Guardianship, Identifier, Profile
from wallet_api.identity.people import People
from wallet_api.infra.clock import vn_day
from wallet_api.infra.crypto.framing import framed, from_base64url


@dataclass(frozen=True)
class BirthRules:
    """`newborn_days`: until which age a birth is registered here, in Vietnamese days. `answer_ms`: how long a
    facility waits for its answer at least, so that the time does not tell whether the mother is known."""

    source: str
    valid_from: str
    newborn_days: int
    answer_ms: int
    most_born: int
    youngest_mother: int
    paper_kinds: tuple[str, ...]
    organisation_kinds: tuple[str, ...]
    written_category: str


def load_rules() -> BirthRules:
    """The rules in force. A misspelt or missing key stops the start (TypeError)."""
    text = resources.files("wallet_api.identity").joinpath("births.json").read_text(encoding="utf-8")
    said = json.loads(text)
    lists = {name: tuple(said[name]) for name in ("paper_kinds", "organisation_kinds")}
    return BirthRules(**said | lists)


RULES = load_rules()


@dataclass(frozen=True)
class Birth:
    """What the registration of a birth rests on. `citizen_id` is the child's."""

    citizen_id: str
    born_on: date = field(repr=False)
    birth_order: int
    paper_kind: str
    paper_number: str = field(repr=False)
    registered_by: str
    organisation_id: str | None
    registered_at: datetime


@dataclass(frozen=True)
class Newborn:
    """A child as whoever registers it says, with the mother's number and birth date."""

    child: Profile
    birth_order: int
    mother_number: str = field(repr=False)
    mother_born: date = field(repr=False)
    paper_kind: str
    paper_number: str = field(repr=False)


@dataclass(frozen=True)
class Registered:
    """A child that is registered. `guardianship`: that of the mother, where she became guardian just now."""

    reference: str = field(repr=False)
    child_id: str
    mother_id: str | None
    guardianship: Guardianship | None


class BirthStore(Protocol):
    """What births rest on, one for each child."""

    def add(self, birth: Birth) -> None:
        """Keep one; of a child that has one, the first stays."""

    def of(self, citizen_id: str) -> Birth | None:
        """That of a child, if it was registered here as a newborn."""


class MemoryBirths:
    """`BirthStore` in this process."""

    def __init__(self) -> None:
        self._rows: dict[str, Birth] = {}

    def add(self, birth: Birth) -> None:
        """Keep one."""
        self._rows.setdefault(birth.citizen_id, birth)

    def of(self, citizen_id: str) -> Birth | None:
        """That of a child."""
        return self._rows.get(citizen_id)


Journal = Callable[[str, str, str], None]
"""Writes that a child (first) is about to get a guardian (second), on which evidence, into the log."""


class BirthDesk:
    """Registers newborns. Each step may be repeated; doing it again finishes what was broken off."""

    def __init__(
        self,
        births: BirthStore,
        people: People,
        family: Family,
        digest: Callable[[str], str],
        now: Callable[[], datetime],
    ) -> None:
        """`digest`: a keyed digest of a text (base64url), under a key that does not rotate."""
        self._births = births
        self._people = people
        self._family = family
        self._digest = digest
        self._now = now

    def reference(self, mother_number: str, born_on: date, birth_order: int) -> str:
        """The temporary reference of a child: `SS` and 16 letters and digits, the same each time.

        Raises:
            BadIdentifier: the mother's number is malformed.
        """
        number = normal_form("national_id", mother_number)
        said = framed("birth_reference", number, born_on.isoformat(), str(birth_order))
        return "SS" + base64.b32encode(from_base64url(self._digest(said.hex()))[:10]).decode("ascii")

    def is_newborn(self, born_on: date) -> bool:
        """Whether a birth of that day is registered here today."""
        return 0 <= (vn_day(self._now()) - born_on).days <= RULES.newborn_days

    def register(self, said: Newborn, by: str, organisation_id: str | None, journal: Journal) -> Registered:
        """Give the child a book and, where number and birth date fit a woman we know, a guardian in her.

        What is told of a child that is registered already changes nothing of it, and a relation that was
        ended is not begun again: a child that exists gets nobody new by this but its own mother.

        Raises:
            BadIdentifier: the mother's number is malformed.
        """
        reference = self.reference(said.mother_number, said.child.birth_date, said.birth_order)
        child_id = self._child(reference, said.child)
        self._births.add(
            Birth(
                citizen_id=child_id,
                born_on=said.child.birth_date,
                birth_order=said.birth_order,
                paper_kind=said.paper_kind,
                paper_number=said.paper_number,
                registered_by=by,
                organisation_id=organisation_id,
                registered_at=self._now(),
            )
        )
        mother_id = self._mother(said)
        made = self._guarded(child_id, mother_id, said, by, journal) if mother_id is not None else None
        return Registered(reference, child_id, mother_id, made)

    def of(self, citizen_id: str) -> Birth | None:
        """What a child's registration rests on, if it was registered here."""
        return self._births.of(citizen_id)

    def _child(self, reference: str, child: Profile) -> str:
        known = self._people.whose("birth_reference", reference)
        if known is not None:
            return known
        try:
            return self._people.register(child, [Identifier("birth_reference", reference, child.birth_date)])
        except Taken:  # somebody registered the same birth in this moment
            found = self._people.whose("birth_reference", reference)
            if found is None:
                raise
            return found

    def _mother(self, said: Newborn) -> str | None:
        mother_id = self._people.whose("national_id", said.mother_number)
        if mother_id is None:
            return None
        facts = self._people.facts(mother_id)
        old_enough = has_reached(facts.born, RULES.youngest_mother, said.child.birth_date)
        fits = facts.born == said.mother_born and facts.sex != "male" and old_enough
        return mother_id if fits and not facts.deceased else None

    def _guarded(
        self, child_id: str, mother_id: str, said: Newborn, by: str, journal: Journal
    ) -> Guardianship | None:
        if any(one.guardian_id == mother_id for one in self._family.of(child_id)):
            return None
        # Before it stands: the child's log may tell of a guardian who then was not, never the reverse.
        journal(child_id, mother_id, said.paper_kind)
        try:
            return self._family.establish(
                mother_id,
                child_id,
                relation="minor",
                evidence_kind=said.paper_kind,
                valid_from=said.child.birth_date,
                verified_by=by,
            )
        except (GuardianshipRefused, Taken):  # two registered the birth in this moment: one of them did it
            return None
