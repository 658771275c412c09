"""People: signing in, registering, looking up. The account (issuer, subject) is the key, a number is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from wallet_api.identity.ages import AGES, has_reached
from wallet_api.identity.errors import (
    AccountClosed,
    AccountLocked,
    CitizenUnknown,
    IdentityConflict,
    IdentityMismatch,
    MergeConflict,
    StaleVersion,
    Taken,
    UnderAge,
)
from wallet_api.identity.identifiers import masked, normal_form
from wallet_api.identity.model import (
    Account,
    Citizen,
    Facts,
    Identifier,
    IdentifierKind,
    MaskedIdentifier,
    Profile,
    Review,
    ReviewKind,
)
from wallet_api.identity.ports import CitizenStore, ReviewStore
from wallet_api.infra.clock import vn_day

_ROUNDS = 3


@dataclass(frozen=True)
class PersonClaims:
    """What a sign-in provider says about a person, already checked for form. `number` may be absent."""

    profile: Profile
    number: str | None = field(default=None, repr=False)


class People:
    """Every person with a health book."""

    def __init__(
        self,
        citizens: CitizenStore,
        reviews: ReviewStore,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        end_sessions: Callable[[str], int],
    ) -> None:
        self._citizens = citizens
        self._reviews = reviews
        self._now = now
        self._new_id = new_id
        self._end_sessions = end_sessions

    def sign_in(self, account: Account, claims: PersonClaims) -> str:
        """The citizen id behind an account, linked or created at the first sign-in.

        A number known with the same birth date links; with another birth date it never does.

        Raises:
            IdentityMismatch: the number is known with another birth date; a review is open.
            IdentityConflict: the number or the person already belongs to another account; a review is open.
            UnderAge: the person is too young for an account of their own.
            AccountClosed: the person has died. AccountLocked: the account is locked.
        """
        if not has_reached(claims.profile.birth_date, AGES.own_account, vn_day(self._now())):
            raise UnderAge("a guardian acts for people of this age")
        for _ in range(_ROUNDS):
            try:
                return self._sign_in(account, claims)
            except (Taken, StaleVersion):
                continue  # another sign-in of the same person was faster: look again
        raise IdentityConflict("the account or the number keeps changing hands")

    def register(self, profile: Profile, identifiers: Sequence[Identifier] = ()) -> str:
        """Add a person who has no account (a child, an elder, a seeded person); their id.

        Raises:
            BadIdentifier: a number is malformed.
            Taken: a number is in use.
        """
        numbers = tuple(replace(one, value=normal_form(one.kind, one.value)) for one in identifiers)
        return self._create(Citizen(self._new_id(), profile, numbers))

    def citizen(self, citizen_id: str) -> Citizen:
        """The whole person. For identity's own use and for seeding, not for routes.

        Raises:
            CitizenUnknown: there is no such citizen.
        """
        found = self._citizens.get(citizen_id)
        if found is None:
            raise CitizenUnknown("no such citizen")
        return found

    def profile(self, citizen_id: str) -> Profile:
        """The person's profile. Raises CitizenUnknown."""
        return self.citizen(citizen_id).profile

    def masked_identifiers(self, citizen_id: str) -> tuple[MaskedIdentifier, ...]:
        """The numbers that are valid today, masked. Raises CitizenUnknown."""
        today = vn_day(self._now())
        return tuple(masked(one) for one in self.citizen(citizen_id).identifiers if one.valid_on(today))

    def identifier_history(self, citizen_id: str) -> tuple[MaskedIdentifier, ...]:
        """Every number the person ever had, masked, in the order they were learned. Raises CitizenUnknown."""
        return tuple(masked(one) for one in self.citizen(citizen_id).identifiers)

    def facts(self, citizen_id: str) -> Facts:
        """What plans and age rules need. Raises CitizenUnknown."""
        found = self.citizen(citizen_id)
        profile = found.profile
        return Facts(
            profile.birth_date,
            profile.sex,
            profile.province,
            found.deceased_on is not None,
            profile.commune,
            found.continues_in,
            found.joined,
        )

    def resolve(self, kind: IdentifierKind, value: str) -> str | None:
        """Whose number it is today, or None. One database operation, hit or miss.

        Raises:
            BadIdentifier: the number is malformed.
        """
        owner = self._citizens.owner(kind, normal_form(kind, value))
        return owner.citizen_id if owner is not None and owner.valid_on(vn_day(self._now())) else None

    def whose(self, kind: IdentifierKind, value: str) -> str | None:
        """Whose number it is or once was, or None: a number is never anybody else's. One database operation.

        For finding a person whom somebody names by an older paper; nobody signs in by it.

        Raises:
            BadIdentifier: the number is malformed.
        """
        owner = self._citizens.owner(kind, normal_form(kind, value))
        return None if owner is None else owner.citizen_id

    def living_as(self, citizen_id: str) -> str:
        """As whom a person signs in: themselves, or in whose book theirs continues. Raises CitizenUnknown."""
        return self.citizen(citizen_id).continues_in or citizen_id

    def join(self, surviving_id: str, absorbed_id: str) -> None:
        """Let one book continue in another; the sessions of both end. Doing it again changes nothing.

        Raises:
            CitizenUnknown, StaleVersion. MergeConflict: one of them is merged otherwise.
        """
        surviving, absorbed = self.citizen(surviving_id), self.citizen(absorbed_id)
        if absorbed.continues_in != surviving_id:
            if surviving.continues_in or absorbed.continues_in or absorbed.joined:
                raise MergeConflict("one of them is merged already")
            joined = (*surviving.joined, absorbed_id)
            linked = replace(surviving, joined=joined), replace(absorbed, continues_in=surviving_id)
            self._link_books(linked, (surviving, absorbed))
        self._end_both(surviving_id, absorbed_id)

    def part(self, surviving_id: str, absorbed_id: str) -> None:
        """Take back `join`; the sessions of both end. Doing it again changes nothing. Raises as `join`."""
        surviving, absorbed = self.citizen(surviving_id), self.citizen(absorbed_id)
        if absorbed.continues_in == surviving_id:
            rest = tuple(each for each in surviving.joined if each != absorbed_id)
            parted = replace(surviving, joined=rest), replace(absorbed, continues_in=None)
            self._link_books(parted, (surviving, absorbed))
        self._end_both(surviving_id, absorbed_id)

    def _link_books(self, changed: tuple[Citizen, Citizen], found: tuple[Citizen, Citizen]) -> None:
        steps = [
            (replace(after, version=before.version + 1), before.version)
            for after, before in zip(changed, found, strict=True)
        ]
        self._citizens.save_together(steps)

    def _end_both(self, *citizen_ids: str) -> None:
        # After the link: a session that opens meanwhile looks at it, and what opened before is ended here.
        for each in citizen_ids:
            self._end_sessions(each)

    def link_number(self, citizen_id: str, number: str, since: date, *, reissued: bool) -> bool:
        """Give a person their national number: the first one, or with `reissued` one in place of another.

        False: it is theirs already, and nothing changes. All else of the person stays as it was. It counts
        from `since`, or from when the number it replaces did, whichever is later.

        Raises:
            CitizenUnknown, BadIdentifier, StaleVersion. IdentityConflict: the number is or was somebody
            else's, or another stands and this is no re-issue; a review is open.
        """
        found = self.citizen(citizen_id)
        value = normal_form("national_id", number)
        if any((one.kind, one.value) == ("national_id", value) for one in found.identifiers):
            return False
        stands = any(one.kind == "national_id" for one in found.identifiers)
        if stands != reissued or self.whose("national_id", value) is not None:
            self._review("number_conflict", citizen_id)
            raise IdentityConflict("another number stands, or this one is another person's")
        begun = [one.valid_from for one in found.identifiers if one.kind == "national_id" and one.valid_from]
        numbers = _with_number(found, Identifier("national_id", value), max([since, *begun]))
        try:
            self._save(replace(found, identifiers=numbers), found)
        except Taken as why:
            self._review("number_conflict", citizen_id)
            raise IdentityConflict("the number is another person's") from why
        return True

    def change_number(self, citizen_id: str, number: Identifier) -> None:
        """Give the person a re-issued number; the one it replaces ends the day before and stays as history.

        Raises:
            CitizenUnknown, BadIdentifier, StaleVersion; Taken when it is somebody else's.
        """
        found = self.citizen(citizen_id)
        number = replace(number, value=normal_form(number.kind, number.value))
        numbers = _with_number(found, number, number.valid_from or vn_day(self._now()))
        self._save(replace(found, identifiers=numbers), found)

    def go_by_commune(self, citizen_id: str, commune: str | None) -> None:
        """Note whose vaccination days the person goes by; None: nobody's.

        Raises:
            CitizenUnknown, StaleVersion.
        """
        found = self.citizen(citizen_id)
        if found.profile.commune != commune:
            self._save(replace(found, profile=replace(found.profile, commune=commune)), found)

    def record_death(self, citizen_id: str, day: date) -> None:
        """Note that the person died: their sessions end, nobody signs in as them. Raises as `lock`."""
        self._shut_out(citizen_id, deceased_on=day)

    def record_alive(self, citizen_id: str) -> None:
        """Take back that the person died. What ended with it is not begun again. Raises as `lock`."""
        found = self.citizen(citizen_id)
        if found.deceased_on is not None:
            self._save(replace(found, deceased_on=None), found)

    def lock(self, citizen_id: str) -> None:
        """Keep everybody from signing in as this person, say after a phone was lost; their sessions end.

        Raises:
            CitizenUnknown, StaleVersion.
        """
        self._shut_out(citizen_id, locked=True)

    def unlock(self, citizen_id: str) -> None:
        """Let the person sign in again. Raises CitizenUnknown, StaleVersion."""
        found = self.citizen(citizen_id)
        self._save(replace(found, locked=False), found)

    def _shut_out(self, citizen_id: str, **change: Any) -> None:
        found = self.citizen(citizen_id)
        # The state first: a session that opens meanwhile looks at it, and what opened before is ended here.
        self._save(replace(found, **change), found)
        self._end_sessions(citizen_id)

    def _sign_in(self, account: Account, claims: PersonClaims) -> str:
        known = self._citizens.by_account(account)
        if known is not None:
            return self._refresh(self.citizen(known), claims)
        if claims.number is None:
            return self._create(Citizen(self._new_id(), claims.profile, (), (account,)))
        owner = self._citizens.owner("national_id", claims.number)
        if owner is not None:
            return self._link(self.citizen(owner.citizen_id), account, claims)
        number = Identifier("national_id", claims.number, vn_day(self._now()))
        return self._create(Citizen(self._new_id(), claims.profile, (number,), (account,)))

    def _link(self, found: Citizen, account: Account, claims: PersonClaims) -> str:
        if found.profile.birth_date != claims.profile.birth_date:
            self._review("birth_date_mismatch", found.id)
            raise IdentityMismatch("the number is known with another birth date")
        stands = any(
            one.value == claims.number and one.valid_on(vn_day(self._now())) for one in found.identifiers
        )
        if not stands or any(one.issuer == account.issuer for one in found.accounts):
            self._review("account_conflict", found.id)
            raise IdentityConflict("the number belongs to a person with another account")
        _refuse_unless_open(found)
        changed = replace(
            found, profile=_merged(found.profile, claims.profile), accounts=(*found.accounts, account)
        )
        self._save(changed, found)
        return self._signed_in(found)

    def _refresh(self, found: Citizen, claims: PersonClaims) -> str:
        if found.profile.birth_date != claims.profile.birth_date:
            self._review("birth_date_changed", found.id)
            raise IdentityMismatch("the account now tells another birth date")
        _refuse_unless_open(found)
        changed = replace(found, profile=_merged(found.profile, claims.profile))
        if claims.number and not any(one.value == claims.number for one in found.identifiers):
            changed = self._with_claimed(changed, claims.number)
        if changed != found:
            self._save(changed, found)
        return self._signed_in(found)

    def _signed_in(self, found: Citizen) -> str:
        """As whom somebody with this account is signed in: whoever the book continues in must be open too."""
        if found.continues_in is None:
            return found.id
        _refuse_unless_open(self.citizen(found.continues_in))
        return found.continues_in

    def _with_claimed(self, found: Citizen, number: str) -> Citizen:
        owner = self._citizens.owner("national_id", number)
        if owner is not None and owner.citizen_id in (*found.joined, found.continues_in):
            return found  # the number is that of a book which continues in theirs, and stays with it
        if owner is not None:
            self._review("number_conflict", found.id)
            raise IdentityConflict("the account now tells somebody else's number")
        today = vn_day(self._now())
        fresh = Identifier("national_id", number, today)
        return replace(found, identifiers=_with_number(found, fresh, today))

    def _save(self, changed: Citizen, found: Citizen) -> None:
        self._citizens.save(replace(changed, version=found.version + 1), expected=found.version)

    def _create(self, citizen: Citizen) -> str:
        self._citizens.create(replace(citizen, created_at=self._now()))
        return citizen.id

    def _review(self, kind: ReviewKind, citizen_id: str) -> None:
        self._reviews.add(Review(self._new_id(), kind, citizen_id, self._now()))


def _refuse_unless_open(found: Citizen) -> None:
    if found.deceased_on is not None:
        raise AccountClosed("the person has died")
    if found.locked:
        raise AccountLocked("the account is locked")


def _with_number(found: Citizen, number: Identifier, start: date) -> tuple[Identifier, ...]:
    eve = start - timedelta(days=1)
    older = (
        replace(one, valid_to=eve) if one.kind == number.kind and one.valid_on(start) else one
        for one in found.identifiers
        if one.value != number.value
    )
    return (*older, replace(number, valid_from=start))


def _merged(old: Profile, new: Profile) -> Profile:
    """The newly told profile; what the provider does not tell stays as it was."""
    return replace(
        new,
        sex=old.sex if new.sex == "unknown" else new.sex,
        phone=new.phone or old.phone,
        province=new.province or old.province,
        commune=new.commune or (old.commune if new.province in (None, old.province) else None),
        nationality=old.nationality,
    )
