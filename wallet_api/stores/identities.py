"""People in MongoDB: everything personal sealed, numbers and accounts found by keyed tokens."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from wallet_api.identity.errors import StaleVersion, Taken
from wallet_api.identity.identifiers import look_up_key
from wallet_api.identity.model import (
    Account,
    Citizen,
    Identifier,
    IdentifierKind,
    IdentifierOwner,
    Profile,
    Review,
)
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.mongo import Index, transaction
from wallet_api.stores.bulk import in_parts, insert_new
from wallet_api.stores.what_opens import what_opens

INDEXES = (
    Index("identifiers", ("citizen_id",)),
    Index("accounts", ("citizen_id",)),
    Index("identity_reviews", ("state", "opened_at")),
)
RETENTION_CLASS = "profile"
_CITIZENS, _IDENTIFIERS, _ACCOUNTS, _REVIEWS = "citizens", "identifiers", "accounts", "identity_reviews"

Document = dict[str, Any]


class MongoCitizens:
    """`CitizenStore` over pymongo. The `_id` of a number or an account is its keyed token."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher, blind: BlindIndex) -> None:
        self._db = db
        self._cipher = cipher
        self._blind = blind

    def create(self, citizen: Citizen) -> None:
        """Add the citizen, all or nothing."""
        document = self._sealed(citizen)  # before the transaction: it may have to make the citizen's key

        def work(session: ClientSession) -> None:
            self._db[_CITIZENS].insert_one(document, session=session)
            self._claim(citizen, session)

        try:
            transaction(self._db, work)
        except DuplicateKeyError as why:
            raise Taken("citizen, number or account") from why

    def load(self, citizens: Sequence[Citizen]) -> None:
        """Add many people with their numbers; those that are there already stay. For filling a database."""
        insert_new(self._db[_CITIZENS], [self._sealed(each) for each in citizens])
        numbers = [
            {"_id": self._number_tokens(one.kind, one.value)[0], "citizen_id": each.id, **_number_facts(one)}
            for each in citizens
            for one in each.identifiers
        ]
        insert_new(self._db[_IDENTIFIERS], numbers)

    def save(self, citizen: Citizen, *, expected: int) -> None:
        """Replace the citizen, all or nothing."""
        document = self._sealed(citizen)

        def work(session: ClientSession) -> None:
            unchanged = {"_id": citizen.id, "version": expected}
            done = self._db[_CITIZENS].replace_one(unchanged, document, session=session)
            if done.matched_count == 0:
                raise StaleVersion("citizen")
            self._claim(citizen, session)

        try:
            transaction(self._db, work)
        except DuplicateKeyError as why:
            raise Taken("number or account") from why

    def save_together(self, changes: Sequence[tuple[Citizen, int]]) -> None:
        """Replace each citizen, all or nothing."""
        documents = [(self._sealed(citizen), expected) for citizen, expected in changes]

        def work(session: ClientSession) -> None:
            for document, expected in documents:
                unchanged = {"_id": document["_id"], "version": expected}
                if self._db[_CITIZENS].replace_one(unchanged, document, session=session).matched_count == 0:
                    raise StaleVersion("citizen")

        transaction(self._db, work)

    def get(self, citizen_id: str) -> Citizen | None:
        """The citizen, if there is one."""
        found = self._db[_CITIZENS].find_one({"_id": citizen_id})
        if found is None:
            return None
        return self._opened(found)

    def _opened(self, found: Document) -> Citizen:
        told = self._cipher.open_json(_place(found["_id"], found["version"]), bytes(found["sealed"]))
        return _citizen(found["_id"], found, told)

    def many(self, citizen_ids: Collection[str]) -> dict[str, Citizen]:
        """Those there are and whose keys there are, by id."""
        found: dict[str, Citizen] = {}
        for part in in_parts(citizen_ids):
            self._cipher.keys.open_many(part, RETENTION_CLASS)
            rows = self._db[_CITIZENS].find({"_id": {"$in": part}})
            found |= {each.id: each for each in what_opens(rows, self._opened)}
        return found

    def by_account(self, account: Account) -> str | None:
        """Whose account it is."""
        found = self._db[_ACCOUNTS].find_one(_any_of(self._account_tokens(account)))
        return None if found is None else str(found["citizen_id"])

    def owner(self, kind: IdentifierKind, value: str) -> IdentifierOwner | None:
        """Whose number it is, valid or not."""
        found = self._db[_IDENTIFIERS].find_one(_any_of(self._number_tokens(kind, value)))
        if found is None:
            return None
        return IdentifierOwner(found["citizen_id"], _day(found["valid_from"]), _day(found["valid_to"]))

    def owners_of_many(
        self, numbers: Collection[tuple[IdentifierKind, str]]
    ) -> dict[tuple[IdentifierKind, str], str]:
        """Whose these numbers, in the form they are looked up by, are or were; nobody's are absent."""
        asked = {token: each for each in numbers for token in self._number_tokens(*each)}
        found: dict[tuple[IdentifierKind, str], str] = {}
        for part in in_parts(asked):
            rows = self._db[_IDENTIFIERS].find({"_id": {"$in": part}})
            found |= {asked[row["_id"]]: str(row["citizen_id"]) for row in rows}
        return found

    def owners_on(self, kind: IdentifierKind, values: Collection[str], day: date) -> list[str]:
        """Whose these numbers are on a day, in one operation; numbers that are nobody's leave no trace."""
        tokens = sorted({token for value in values for token in self._number_tokens(kind, value)})
        found = self._db[_IDENTIFIERS].find({"_id": {"$in": tokens}})
        owners = (
            IdentifierOwner(each["citizen_id"], _day(each["valid_from"]), _day(each["valid_to"]))
            for each in found
        )
        return sorted({owner.citizen_id for owner in owners if owner.valid_on(day)})

    def _claim(self, citizen: Citizen, session: ClientSession) -> None:
        for one in citizen.identifiers:
            tokens = self._number_tokens(one.kind, one.value)
            self._claim_token(_IDENTIFIERS, tokens, citizen.id, _number_facts(one), session)
        for account in citizen.accounts:
            self._claim_token(_ACCOUNTS, self._account_tokens(account), citizen.id, {}, session)

    def _claim_token(
        self, name: str, tokens: tuple[str, ...], citizen_id: str, more: Document, session: ClientSession
    ) -> None:
        """Write the token under the newest key. One that is somebody else's makes the insert a duplicate."""
        for older in tokens[1:]:
            found = self._db[name].find_one({"_id": older}, session=session)
            if found is not None and found["citizen_id"] != citizen_id:
                raise Taken("number or account")
        own = {"_id": tokens[0], "citizen_id": citizen_id}
        self._db[name].update_one(
            own, {"$set": more or {"citizen_id": citizen_id}}, upsert=True, session=session
        )

    def _number_tokens(self, kind: IdentifierKind, value: str) -> tuple[str, ...]:
        return self._blind.candidates(kind, look_up_key(kind, value))

    def _account_tokens(self, account: Account) -> tuple[str, ...]:
        return self._blind.candidates("account", f"{account.issuer}\n{account.subject}")

    def _sealed(self, citizen: Citizen) -> Document:
        sealed = self._cipher.seal_json(_place(citizen.id, citizen.version), _told(citizen))
        return {
            "_id": citizen.id,
            "version": citizen.version,
            "created_at": citizen.created_at,
            "sealed": sealed,
        }


class MongoReviews:
    """`ReviewStore` over pymongo."""

    def __init__(self, db: Database[Document]) -> None:
        self._reviews = db[_REVIEWS]

    def add(self, review: Review) -> None:
        """Open one."""
        self._reviews.insert_one(
            {
                "_id": review.id,
                "kind": review.kind,
                "citizen_id": review.citizen_id,
                "opened_at": review.opened_at,
                "state": review.state,
            }
        )

    def open(self, limit: int = 100) -> list[Review]:
        """The open ones, oldest first."""
        rows = self._reviews.find({"state": "open"}).sort("opened_at", 1).limit(limit)
        return [
            Review(row["_id"], row["kind"], row["citizen_id"], row["opened_at"], row["state"]) for row in rows
        ]


def _any_of(tokens: tuple[str, ...]) -> Document:
    return {"_id": tokens[0]} if len(tokens) == 1 else {"_id": {"$in": list(tokens)}}


def _place(citizen_id: str, version: int) -> Place:
    return Place(citizen_id, RETENTION_CLASS, _CITIZENS, citizen_id, "person", version)


def _told(citizen: Citizen) -> Document:
    profile = citizen.profile
    return {
        "name": profile.name,
        "birth_date": profile.birth_date.isoformat(),
        "sex": profile.sex,
        "phone": profile.phone,
        "province": profile.province,
        "commune": profile.commune,
        "nationality": profile.nationality,
        "deceased_on": _text(citizen.deceased_on),
        "locked": citizen.locked,
        "continues_in": citizen.continues_in,
        "joined": list(citizen.joined),
        "identifiers": [
            [one.kind, one.value, _text(one.valid_from), _text(one.valid_to)] for one in citizen.identifiers
        ],
        "accounts": [[one.issuer, one.subject] for one in citizen.accounts],
    }


def _citizen(citizen_id: str, found: Document, told: Document) -> Citizen:
    profile = Profile(
        name=told["name"],
        birth_date=date.fromisoformat(told["birth_date"]),
        sex=told["sex"],
        phone=told["phone"],
        province=told["province"],
        nationality=told["nationality"],
        commune=told.get("commune"),  # people written by older code have none
    )
    return Citizen(
        id=citizen_id,
        profile=profile,
        identifiers=tuple(
            Identifier(kind, value, _day(first), _day(last))
            for kind, value, first, last in told["identifiers"]
        ),
        accounts=tuple(Account(issuer, subject) for issuer, subject in told["accounts"]),
        deceased_on=_day(told["deceased_on"]),
        locked=told.get("locked", False),  # people written by older code are not locked
        created_at=found["created_at"],
        version=found["version"],
        continues_in=told.get("continues_in"),  # nor merged
        joined=tuple(told.get("joined", ())),
    )


def _number_facts(one: Identifier) -> Document:
    return {"kind": one.kind, "valid_from": _text(one.valid_from), "valid_to": _text(one.valid_to)}


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
