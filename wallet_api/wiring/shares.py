"""Share links over the database, the people and the families of one wallet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from wallet_api.audit.log import AccessLog
from wallet_api.context import Sharing
from wallet_api.identity.ages import AGES, has_reached
from wallet_api.identity.errors import CitizenUnknown
from wallet_api.identity.service import Identity
from wallet_api.infra.clock import vn_day
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.mongo import Db
from wallet_api.records.joined import OthersOf
from wallet_api.records.ports import Records
from wallet_api.records.shared import SharedReader
from wallet_api.shares.desk import ShareDesk
from wallet_api.shares.model import Relation
from wallet_api.shares.rules import RULES
from wallet_api.stores.restrictions import MongoRestrictions
from wallet_api.stores.shares import MongoShares


class WalletStanding:
    """`shares.desk.Standing`: who may share whose book today."""

    def __init__(
        self, identity: Identity, restrictions: MongoRestrictions, now: Callable[[], datetime]
    ) -> None:
        self._identity = identity
        self._now = now
        self.restricted = restrictions.holds

    def may_share(self, citizen_id: str, by: str, relation: Relation) -> bool:
        """The person lives, and whoever made the link can sign in, or nobody could end it; a guardian still
        acts for the person, alone, for they are below seven."""
        now, people = self._now(), self._identity.people
        try:
            whose = people.citizen(citizen_id)
            maker = whose if relation == "self" else people.citizen(by)
        except CitizenUnknown:
            return False
        if whose.deceased_on is not None or not maker.may_be_signed_in:
            return False
        if relation == "self":
            return True
        alone = not has_reached(whose.profile.birth_date, AGES.co_consent, vn_day(now))
        return alone and self._identity.family.acts_for(by, citizen_id, now)


def build_sharing(
    db: Db,
    cipher: CitizenCipher,
    identity: Identity,
    records: Records,
    log: AccessLog,
    now: Callable[[], datetime],
    books_with: OthersOf,
) -> Sharing:
    """The desk and the reader of one wallet."""
    standing = WalletStanding(identity, MongoRestrictions(db), now)
    reader = SharedReader(records, log, now, RULES.bounds.most_records, books_with)
    return Sharing(ShareDesk(MongoShares(db, cipher), standing, now), reader)
