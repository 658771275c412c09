"""Webhooks and their dead letters in MongoDB. A webhook is leased and settled by its version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from wallet_api.events.webhooks import DeadLetter, Webhook
from wallet_api.infra.mongo import Index, transaction

Document = dict[str, Any]
_WEBHOOKS: Final = "webhooks"
_DEAD: Final = "webhook_dead_letters"

# A lease is a due time in the future: a dead worker's webhook is due again when it has passed.
INDEXES = (
    Index(_WEBHOOKS, ("organisation_id", "state")),
    Index(_WEBHOOKS, ("state", "due_at")),
    Index(_DEAD, ("webhook_id", ("position", -1))),
)


class MongoWebhooks:
    """`events.webhooks.Webhooks` over pymongo."""

    def __init__(self, db: Database[Document]) -> None:
        self._db = db
        self._webhooks = db[_WEBHOOKS]
        self._dead = db[_DEAD]

    def add(self, webhook: Webhook) -> None:
        """Keep a new one; a second run of the same act finds it there."""
        try:
            self._webhooks.insert_one(_document(webhook))
        except DuplicateKeyError:
            return

    def get(self, webhook_id: str) -> Webhook | None:
        """One webhook."""
        found = self._webhooks.find_one({"_id": webhook_id})
        return None if found is None else _webhook(found)

    def of(self, organisation_id: str) -> list[Webhook]:
        """The organisation's webhooks that are not removed, oldest first."""
        found = self._webhooks.find({"organisation_id": organisation_id, "state": "active"})
        return sorted((_webhook(each) for each in found), key=lambda each: (each.created_at, each.id))

    def due(self, now: datetime) -> list[Webhook]:
        """Active ones whose turn it may be."""
        found = self._webhooks.find({"state": "active", "due_at": {"$lte": now}})
        return [_webhook(each) for each in found]

    def claim(self, webhook: Webhook, until: datetime) -> Webhook | None:
        """Lease one to exactly one caller until then."""
        claimed = replace(webhook, due_at=until)
        return replace(claimed, version=webhook.version + 1) if self.save(claimed) else None

    def settle(self, webhook: Webhook, dead: Sequence[DeadLetter]) -> bool:
        """End a lease and keep what was reached, with what was given up: both or neither."""

        def work(session: ClientSession) -> bool:
            if not self._save(webhook, session):
                return False
            for each in dead:
                document = _dead_document(each)
                self._dead.replace_one({"_id": document["_id"]}, document, upsert=True, session=session)
            return True

        return transaction(self._db, work) if dead else self.save(webhook)

    def save(self, webhook: Webhook) -> bool:
        """Replace it at its version."""
        return self._save(webhook, None)

    def dead_letters(self, webhook_id: str, limit: int) -> list[DeadLetter]:
        """What could not be pushed, the newest first."""
        found = self._dead.find({"webhook_id": webhook_id}).sort("position", -1).limit(limit)
        return [_dead_letter(each) for each in found]

    def _save(self, webhook: Webhook, session: ClientSession | None) -> bool:
        unchanged = {"_id": webhook.id, "version": webhook.version}
        document = _document(replace(webhook, version=webhook.version + 1))
        return self._webhooks.replace_one(unchanged, document, session=session).matched_count == 1


def _document(one: Webhook) -> Document:
    return {
        "_id": one.id,
        "organisation_id": one.organisation_id,
        "url": one.url,
        "state": one.state,
        "position": one.position,
        "created_at": one.created_at,
        "due_at": one.due_at,
        "tries": one.tries,
        "version": one.version,
        "dead": one.dead,
        "last": one.last,
        "last_at": one.last_at,
    }


def _webhook(found: Mapping[str, Any]) -> Webhook:
    return Webhook(
        id=found["_id"],
        organisation_id=found["organisation_id"],
        url=found["url"],
        state=found["state"],
        position=found["position"],
        created_at=found["created_at"].astimezone(UTC),
        due_at=found["due_at"].astimezone(UTC),
        tries=found["tries"],
        version=found["version"],
        dead=found["dead"],
        last=found["last"],
        last_at=None if found["last_at"] is None else found["last_at"].astimezone(UTC),
    )


def _dead_document(one: DeadLetter) -> Document:
    return {
        "_id": f"{one.webhook_id}:{one.event_id}",
        "webhook_id": one.webhook_id,
        "event_id": one.event_id,
        "position": one.position,
        "at": one.at,
        "outcome": one.outcome,
    }


def _dead_letter(found: Mapping[str, Any]) -> DeadLetter:
    return DeadLetter(
        found["webhook_id"],
        found["event_id"],
        found["position"],
        found["at"].astimezone(UTC),
        found["outcome"],
    )
