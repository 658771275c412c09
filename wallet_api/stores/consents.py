"""Requests, grants and standings in MongoDB.

`standings` holds one document per (citizen, organisation): epoch, live grants with their uses, block.
A read is decided on that document alone, and everything that ends or starts a grant changes it in the
same transaction as the grant itself. So the number of past grants never matters to a decision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Collection as Named
from datetime import datetime
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern

from consent.errors import StaleVersion
from consent.model import ConsentRequest, Grant, Scope, Standing
from consent.ports import Before, Spend
from wallet_api.infra.clock import system_now
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.mongo import Index, transaction
from wallet_api.stores.bulk import insert_new
from wallet_api.stores.consent_documents import (
    LabelTokens,
    grant_document,
    grant_of,
    history_of,
    live_document,
    scope_document,
    scope_of,
    signature_documents,
    signatures_of,
    standing_of,
    step_document,
    uses_left,
)
from wallet_api.stores.holdings import HoldingWriter
from wallet_api.stores.restrictions import prepare, restricted_within

Document = dict[str, Any]

INDEXES = (
    Index("consent_requests", (("citizen_id", 1), ("_id", 1), ("version", 1))),
    Index("consent_requests", (("citizen_id", 1), ("created_at", -1))),
    Index("grants", (("citizen_id", 1), ("_id", 1), ("version", 1))),
    Index("grants", (("citizen_id", 1), ("granted_at", -1))),
    Index("standings", (("citizen_id", 1), ("blocked", 1))),
)


class MongoConsents:
    """`consent.ports.Consents` over pymongo. Every change tells the organisation in its own transaction.

    `now` dates what is told of a block; every other change brings its own time.
    """

    def __init__(
        self,
        db: Database[Document],
        cipher: CitizenCipher,
        blind: BlindIndex,
        now: Callable[[], datetime] = system_now,
    ) -> None:
        self._db = db
        self._now = now
        self._holdings = HoldingWriter(db)
        self._cipher = cipher
        self._tokens = LabelTokens(blind)
        self._requests = db["consent_requests"]
        self._grants = db["grants"]
        self._standings = db["standings"]
        self._settled = self._standings.with_options(read_concern=ReadConcern("linearizable"))

    def add_request(self, request: ConsentRequest, spend: Spend | None = None) -> None:
        """Keep a new request; its free text is sealed under the asking organisation's key."""
        document = self._request_document(request)

        def work(session: ClientSession) -> None:
            self._requests.insert_one(document, session=session)
            self._holdings.asked(request, session)
            if spend is not None:
                spend(session)

        try:
            transaction(self._db, work)
        except DuplicateKeyError:
            return  # the same act, once more: nothing was spent a second time

    def request(self, citizen_id: str, request_id: str) -> ConsentRequest | None:
        """One request of this citizen."""
        found = self._requests.find_one({"citizen_id": citizen_id, "_id": request_id})
        return self._request(found) if found else None

    def requests_of(
        self,
        citizen_id: str,
        limit: int,
        without: frozenset[str] = frozenset(),
        before: Before | None = None,
    ) -> list[ConsentRequest]:
        """The citizen's newest requests but for those of some organisations, newest first."""
        theirs = {"scope.organisation_id": {"$nin": sorted(without)}}
        found = self._requests.aggregate(_page(citizen_id, "created_at", before, limit, theirs))
        return [self._request(each) for each in found]

    def save_request(self, request: ConsentRequest, *, expected: int) -> None:
        """Put a new version of the request in the place of the old."""
        self._answer(request, expected, None)

    def approve(self, request: ConsentRequest, grant: Grant, *, expected: int) -> None:
        """Close the request, keep the grant, make it live, raise the epoch: all or nothing."""

        def work(session: ClientSession) -> None:
            self._answer(request, expected, session)
            self._grants.insert_one(grant_document(grant, self._tokens), session=session)
            self._shift(grant, session, push=live_document(grant, grant.scope.uses, self._tokens))
            self._tell(grant, session)

        prepare(self._db, grant.citizen_id)
        try:
            transaction(self._db, work)
        except StaleVersion:
            # The driver runs a transaction again when the answer to its commit is lost: that it was kept
            # the first time is seen by the grant's id, which nobody else has.
            if not self._answered_with(request, grant):
                raise

    def load(self, requests: Sequence[ConsentRequest], grants: Sequence[Grant]) -> None:
        """Keep many with the standings that follow; what is there already stays. For filling a database.

        All grants of a citizen to an organisation are to come in one call.
        """
        standings: dict[str, Document] = {}
        for grant in grants:
            organisation_id = grant.scope.organisation_id
            key = standing_id(grant.citizen_id, organisation_id)
            first = {"_id": key, "epoch": 0, "live": [], "blocked": False, "known": True}
            standing = standings.setdefault(key, first | _owner(grant.citizen_id, organisation_id))
            standing["epoch"] += grant.version
            if grant.unended:
                standing["live"].append(live_document(grant, grant.scope.uses, self._tokens))
        insert_new(self._requests, [self._request_document(each) for each in requests])
        insert_new(self._grants, [grant_document(each, self._tokens) for each in grants])
        insert_new(self._standings, list(standings.values()))
        self._holdings.load(requests, grants)

    def grant(self, citizen_id: str, grant_id: str) -> Grant | None:
        """One grant of this citizen."""
        found = self._grants.find_one({"citizen_id": citizen_id, "_id": grant_id})
        return grant_of(found, self._tokens) if found else None

    def grants_of(self, citizen_id: str, limit: int, before: Before | None = None) -> list[Grant]:
        """The citizen's newest grants, newest first."""
        found = self._grants.aggregate(_page(citizen_id, "granted_at", before, limit))
        return [grant_of(each, self._tokens) for each in found]

    def grants_named(self, citizen_id: str, grant_ids: Named[str]) -> list[Grant]:
        """Those of these grants that are this citizen's."""
        found = self._grants.find({"_id": {"$in": sorted(set(grant_ids))}})
        return [grant_of(each, self._tokens) for each in found if each["citizen_id"] == citizen_id]

    def give(self, grant: Grant, along: Spend | None = None) -> None:
        """Keep a grant that answers no request, make it live, raise the epoch: all or nothing."""

        def work(session: ClientSession) -> None:
            self._grants.insert_one(grant_document(grant, self._tokens), session=session)
            if along is not None:
                along(session)
            self._shift(grant, session, push=live_document(grant, grant.scope.uses, self._tokens))
            self._tell(grant, session)

        prepare(self._db, grant.citizen_id)
        try:
            transaction(self._db, work)
        except DuplicateKeyError:
            return  # the same act, once more

    def hold(self, grant: Grant, *, expected: int) -> None:
        """Another state and `holds_until`, in the grant and on the standing, epoch raised: all or nothing."""
        key = standing_id(grant.citizen_id, grant.scope.organisation_id)

        def work(session: ClientSession) -> None:
            self._replace_grant(grant, expected, session)
            self._standings.update_one({"_id": key}, {"$inc": {"epoch": 1}}, session=session)
            self._standings.update_one(
                {"_id": key, "live": {"$elemMatch": {"id": grant.id}}},
                {"$set": {"live.$.holds_until": grant.holds_until}},
                session=session,
            )
            self._tell(grant, session)

        transaction(self._db, work)

    def end(self, grant: Grant, *, expected: int) -> None:
        """Replace the grant by its ended form, off the standing, epoch raised: all or nothing."""

        def work(session: ClientSession) -> None:
            self._replace_grant(grant, expected, session)
            self._shift(grant, session)
            self._holdings.ended(grant, grant.ended_at or grant.history[-1].at, session)

        transaction(self._db, work)

    def narrow(self, old: Grant, new: Grant, *, expected: int) -> None:
        """Put `new` in the place of `old`, with no more uses than `old` had left."""

        def work(session: ClientSession) -> None:
            self._replace_grant(old, expected, session)
            self._grants.insert_one(grant_document(new, self._tokens), session=session)
            key = {"_id": standing_id(old.citizen_id, old.scope.organisation_id)}
            left = uses_left(self._standings.find_one(key, session=session), old.id)
            limits = [each for each in (left, new.scope.uses) if each is not None]
            self._shift(old, session, push=live_document(new, min(limits) if limits else None, self._tokens))
            self._holdings.ended(old, new.granted_at, session, successor_id=new.id)
            self._tell(new, session)

        prepare(self._db, new.citizen_id)
        transaction(self._db, work)

    def standing(self, citizen_id: str, organisation_id: str) -> Standing:
        """How the two stand now: one look-up by id, on the primary."""
        return self._standing(self._standings, citizen_id, organisation_id)

    def settled_standing(self, citizen_id: str, organisation_id: str) -> Standing:
        """The same, linearizable: a primary that was voted out without knowing it cannot answer this."""
        return self._standing(self._settled, citizen_id, organisation_id)

    def _standing(self, collection: Collection[Document], citizen_id: str, organisation_id: str) -> Standing:
        found = collection.find_one({"_id": standing_id(citizen_id, organisation_id)})
        return standing_of(found, self._tokens)

    def standings_of(self, citizen_id: str) -> dict[str, Standing]:
        """How the citizen and every organisation stand."""
        found = self._standings.find({"citizen_id": citizen_id})
        return {each["organisation_id"]: standing_of(each, self._tokens) for each in found}

    def note_hiding(self, citizen_id: str) -> None:
        """Raise `hidings` in every standing of the citizen."""
        self._standings.update_many({"citizen_id": citizen_id}, {"$inc": {"hidings": 1}})

    def use(
        self,
        citizen_id: str,
        organisation_id: str,
        grant_id: str,
        act: str | None = None,
        at: datetime | None = None,
    ) -> bool:
        """Count one use: the condition and the count are one update of one document.

        The acts that counted stand beside the number: no more of them than the grant has uses.
        """
        key, left = standing_id(citizen_id, organisation_id), {"id": grant_id, "uses_left": {"$gt": 0}}
        count: Document = {"$inc": {"live.$.uses_left": -1}}
        if at is not None:
            count["$set"] = {"live.$.used_at": at}
        if act is not None:
            left |= {"acts": {"$ne": act}}
            count |= {"$push": {"live.$.acts": act}}
        counted = self._standings.update_one({"_id": key, "live": {"$elemMatch": left}}, count)
        if counted.modified_count == 1:
            return True
        if at is not None:
            free = {"_id": key, "live": {"$elemMatch": {"id": grant_id, "uses_left": None}}}
            if self._standings.update_one(free, {"$set": {"live.$.used_at": at}}).matched_count == 1:
                return True
        found = self._standings.find_one({"_id": key}, {"live": 1}) or {}
        mine = next((each for each in found.get("live", ()) if each["id"] == grant_id), None)
        return mine is not None and (
            mine["uses_left"] is None or (act is not None and act in mine.get("acts", ()))
        )

    def unuse(self, citizen_id: str, organisation_id: str, grant_id: str, act: str | None = None) -> None:
        """Give one counted use back; a grant without a limit counts none."""
        mine: Document = {"id": grant_id, "uses_left": {"$gte": 0}} | ({} if act is None else {"acts": act})
        back: Document = {"$inc": {"live.$.uses_left": 1}}
        if act is not None:
            back |= {"$pull": {"live.$.acts": act}}
        key = standing_id(citizen_id, organisation_id)
        self._standings.update_one({"_id": key, "live": {"$elemMatch": mine}}, back)

    def set_blocked(self, citizen_id: str, organisation_id: str, *, blocked: bool) -> None:
        """Put the organisation on, or take it off, the deny list."""
        key, now = {"_id": standing_id(citizen_id, organisation_id)}, self._now()
        change = {
            "$set": {"blocked": blocked},
            "$inc": {"epoch": 1},
            "$setOnInsert": _owner(citizen_id, organisation_id) | {"live": [], "known": False},
        }

        def work(session: ClientSession) -> None:
            before = standing_of(self._standings.find_one(key, session=session), self._tokens)
            self._standings.update_one(key, change, upsert=True, session=session)
            if before.blocked != blocked:
                told = self._holdings.blocked if blocked else self._holdings.unblocked
                told(citizen_id, before.live, now, session)

        transaction(self._db, work)

    def blocked_by(self, citizen_id: str) -> list[str]:
        """The organisations this citizen blocks, sorted."""
        found = self._standings.find({"citizen_id": citizen_id, "blocked": True}, {"organisation_id": 1})
        return sorted(each["organisation_id"] for each in found)

    def _answered_with(self, request: ConsentRequest, grant: Grant) -> bool:
        kept = self._requests.find_one({"citizen_id": request.citizen_id, "_id": request.id}, {"grant_id": 1})
        return kept is not None and kept["grant_id"] == grant.id

    def _answer(self, request: ConsentRequest, expected: int, session: ClientSession | None) -> None:
        done = self._requests.update_one(
            {"citizen_id": request.citizen_id, "_id": request.id, "version": expected},
            {
                "$set": {
                    "state": request.state,
                    "version": request.version,
                    "grant_id": request.grant_id,
                    "signatures": signature_documents(request.signatures, self._tokens),
                    "history": [step_document(step) for step in request.history],
                }
            },
            session=session,
        )
        if done.modified_count != 1:
            raise StaleVersion(request.id)

    def _replace_grant(self, grant: Grant, expected: int, session: ClientSession) -> None:
        changed = {
            "state": grant.state,
            "version": grant.version,
            "ended_at": grant.ended_at,
            "end_reason": grant.end_reason,
            "holds_until": grant.holds_until,
            "successor_id": grant.successor_id,
            # Confirming a suspended grant makes it rest on new evidence.
            "notice": dict(vars(grant.notice)),
            "evidence": dict(vars(grant.evidence)),
            "signatures": signature_documents(grant.signatures, self._tokens),
            "pending": signature_documents(grant.pending, self._tokens),
            "history": [step_document(step) for step in grant.history],
        }
        done = self._grants.update_one(
            {"citizen_id": grant.citizen_id, "_id": grant.id, "version": expected},
            {"$set": changed},
            session=session,
        )
        if done.modified_count != 1:
            raise StaleVersion(grant.id)

    def _tell(self, grant: Grant, session: ClientSession) -> None:
        """Tell the holder what became of a grant that is not over, in the transaction of the change."""
        key = {"_id": standing_id(grant.citizen_id, grant.scope.organisation_id)}
        standing = self._standings.find_one(key, {"blocked": 1}, session=session) or {}
        at = grant.history[-1].at if grant.history else grant.granted_at
        self._holdings.changed(grant, at, session, blocked=standing.get("blocked", False))

    def _shift(self, grant: Grant, session: ClientSession, push: Document | None = None) -> None:
        """Take the grant off the standing, put `push` on it, raise the epoch."""
        organisation_id = grant.scope.organisation_id
        key = {"_id": standing_id(grant.citizen_id, organisation_id)}
        self._standings.update_one(
            key,
            {
                "$set": {"known": True},
                "$inc": {"epoch": 1},
                "$pull": {"live": {"id": grant.id}},
                "$setOnInsert": _owner(grant.citizen_id, organisation_id) | {"blocked": False},
            },
            upsert=True,
            session=session,
        )
        if push is not None:
            # What has expired goes when something comes, so that a standing stays small.
            over = {"scope.expires_at": {"$lte": grant.granted_at}}
            self._standings.update_one(key, {"$pull": {"live": over}}, session=session)
            restricted = restricted_within(self._db, grant.citizen_id, session)
            more: Document = {"$push": {"live": push}, "$set": {"restricted": restricted}}
            self._standings.update_one(key, more, session=session)

    def _request_document(self, request: ConsentRequest) -> Document:
        return {
            "_id": request.id,
            "citizen_id": request.citizen_id,
            "scope": scope_document(request.scope, self._tokens),
            "requested_by": request.requested_by,
            "reason": self._cipher.seal(_reason_place(request.id, request.scope), request.reason.encode()),
            "state": request.state,
            "version": request.version,
            "created_at": request.created_at,
            "closes_at": request.closes_at,
            "in_visit": request.in_visit,
            "grant_id": request.grant_id,
            "signatures": signature_documents(request.signatures, self._tokens),
            "history": [step_document(step) for step in request.history],
        }

    def _request(self, found: Mapping[str, Any]) -> ConsentRequest:
        scope = scope_of(found["scope"], self._tokens)
        return ConsentRequest(
            id=found["_id"],
            citizen_id=found["citizen_id"],
            scope=scope,
            requested_by=found["requested_by"],
            reason=self._cipher.open(_reason_place(found["_id"], scope), found["reason"]).decode(),
            state=found["state"],
            version=found["version"],
            created_at=found["created_at"],
            closes_at=found["closes_at"],
            in_visit=found["in_visit"],
            grant_id=found["grant_id"],
            history=history_of(found),
            signatures=signatures_of(found.get("signatures", ()), self._tokens),
        )


def standing_id(citizen_id: str, organisation_id: str) -> str:
    """The `_id` of a standing: the pair itself."""
    return f"{citizen_id}:{organisation_id}"


def _page(
    citizen_id: str, moment: str, before: Before | None, limit: int, wanted: Document | None = None
) -> list[Document]:
    """Newest first from a place on: the first stage is what the index covers."""
    first: Document = {"citizen_id": citizen_id}
    rest = [wanted] if wanted else []
    if before is not None:
        at, after_id = before
        first[moment] = {"$lte": at}
        rest.append({"$or": [{moment: {"$lt": at}}, {moment: at, "_id": {"$lt": after_id}}]})
    stages = [{"$match": first}, *({"$match": each} for each in rest)]
    return [*stages, {"$sort": {moment: -1, "_id": -1}}, {"$limit": limit}]


def _owner(citizen_id: str, organisation_id: str) -> Document:
    return {"citizen_id": citizen_id, "organisation_id": organisation_id}


def _reason_place(request_id: str, scope: Scope) -> Place:
    return Place(scope.organisation_id, "organisation", "consent_requests", request_id, "reason", 1)
