"""Exports over the database, the people, the families and the health book of one wallet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from wallet_api.audit.log import AccessLog
from wallet_api.exports.book import BookMaker, Holder, MakerParts
from wallet_api.exports.desk import ExportDesk
from wallet_api.exports.model import Locale, Relation
from wallet_api.identity.errors import CitizenUnknown, OrganisationUnknown
from wallet_api.identity.service import Identity
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.crypto.keystore import KeyStore
from wallet_api.infra.mongo import Db
from wallet_api.records.joined import JoinedRecords, OthersOf
from wallet_api.settings import Settings
from wallet_api.stores.exports import MongoExports
from wallet_api.stores.records import MongoRecords
from wallet_api.stores.restrictions import MongoRestrictions


class ExportStanding:
    """`exports.desk.Standing`: who may have a file of whose book today."""

    def __init__(
        self, identity: Identity, restrictions: MongoRestrictions, now: Callable[[], datetime]
    ) -> None:
        self._identity = identity
        self._now = now
        self.restricted = restrictions.holds

    def may_have(self, citizen_id: str, by: str, relation: Relation) -> bool:
        """Both are known, whoever asked can sign in, and a guardian still acts for the person."""
        try:
            self._identity.people.citizen(citizen_id)
            maker = self._identity.people.citizen(by)
        except CitizenUnknown:
            return False
        if not maker.may_be_signed_in:
            return False
        return relation == "self" or self._identity.family.acts_for(by, citizen_id, self._now())


def build_exports(
    settings: Settings,
    db: Db,
    cipher: CitizenCipher,
    keys: KeyStore,
    identity: Identity,
    records: MongoRecords,
    log: AccessLog,
    now: Callable[[], datetime],
    books_with: OthersOf,
) -> ExportDesk:
    """The desk of one wallet; the API takes orders and hands over, the worker makes."""

    def holder(citizen_id: str) -> Holder | None:
        try:
            found = identity.people.profile(citizen_id)
        except CitizenUnknown:
            return None
        return Holder(found.name, found.birth_date, found.sex)

    def organisation(organisation_id: str, locale: Locale) -> str | None:
        try:
            found = identity.organisations.get(organisation_id)
        except OrganisationUnknown:
            return None
        return found.name_vi if locale == "vi" else found.name_en

    parts = MakerParts(
        book=records,
        whole=JoinedRecords(records, books_with),
        log=log,
        signer=lambda: keys.signer("card"),
        holder=holder,
        organisation=organisation,
        issuer=settings.public_url,
        now=now,
    )
    standing = ExportStanding(identity, MongoRestrictions(db), now)
    return ExportDesk(MongoExports(db, cipher), BookMaker(parts), standing, now)
