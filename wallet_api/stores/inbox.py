"""Messages in MongoDB, sealed for who receives them. In clear: recipient, push id, time, read or not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from pymongo import UpdateOne
from pymongo.database import Database

from notifications.errors import MessageNotFound
from notifications.outgoing import Message
from notifications.ports import Unit
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.mongo import Index
from wallet_api.stores.reminding import RETENTION_CLASS, Document, session_of

_COLLECTION: Final = "inbox"
_PART: Final = 200  # inserted in one call: it has 3 seconds, on the slowest database too
_SEALED: Final = ("subject_id", "topic", "title", "body", "template", "reminder_id")

INDEXES = (
    Index(_COLLECTION, ("recipient_id", ("created_at", -1), ("_id", -1))),
    Index(_COLLECTION, ("recipient_id", "unread")),
)


class MongoInbox:
    """`notifications.ports.Inbox` over pymongo."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._messages = db[_COLLECTION]
        self._cipher = cipher

    def add(self, messages: Iterable[Message], unit: Unit | None = None) -> int:
        """Insert those whose id is new; return how many."""
        left, added = iter(messages), 0
        while part := list(islice(left, _PART)):
            # An upsert that only inserts: a duplicate-key error would end the caller's transaction.
            writes = [
                UpdateOne({"_id": each.id}, {"$setOnInsert": self._document(each)}, upsert=True)
                for each in part
            ]
            added += self._messages.bulk_write(writes, session=session_of(unit)).upserted_count
        return added

    def page(
        self, recipient_id: str, limit: int, before: tuple[datetime, str] | None = None
    ) -> list[Message]:
        """Newest first by (created_at, id); `before` is the last key of the page before."""
        first: Document = {"recipient_id": recipient_id}
        second: Document = {}
        if before is not None:
            at, message_id = before
            first["created_at"] = {"$lte": at}
            second = {"$or": [{"created_at": {"$lt": at}}, {"created_at": at, "_id": {"$lt": message_id}}]}
        found = self._messages.aggregate(
            [
                {"$match": first},
                {"$match": second},
                {"$sort": {"created_at": -1, "_id": -1}},
                {"$limit": limit},
            ]
        )
        return [self._message(each) for each in found]

    def unread_pushes(self, recipient_ids: Collection[str]) -> set[tuple[str, str]]:
        """(recipient, nid) of every unread message of these people."""
        found = set[tuple[str, str]]()
        for each in set(recipient_ids):  # one by one: a list of people and a second field use no index here
            rows = self._messages.find({"recipient_id": each, "unread": True}, {"nid": 1})
            found |= {(each, row["nid"]) for row in rows}
        return found

    def unread(self, recipient_id: str) -> int:
        """How many messages are not read."""
        return self._messages.count_documents({"recipient_id": recipient_id, "unread": True})

    def mark_read(self, recipient_id: str, message_id: str, at: datetime) -> Message:
        """Set the read mark once; a second call keeps the first time."""
        mark = {"unread": False, "read_at": at}
        # The recipient is asked before anything is written: a foreign message is not touched.
        if self._own(recipient_id, message_id)["unread"]:
            self._messages.update_one({"_id": message_id, "unread": True}, {"$set": mark})
        return self._message(self._own(recipient_id, message_id))

    def _own(self, recipient_id: str, message_id: str) -> Document:
        found = self._messages.find_one({"_id": message_id})
        if found is None or found["recipient_id"] != recipient_id:
            raise MessageNotFound("no such message")
        return found

    def _document(self, message: Message) -> Document:
        sealed = {name: getattr(message, name) for name in _SEALED}
        return {
            "recipient_id": message.recipient_id,
            "nid": message.nid,
            "created_at": message.created_at,
            "unread": message.read_at is None,
            "read_at": message.read_at,
            "content": self._cipher.seal_json(_place(message.recipient_id, message.id), sealed),
        }

    def _message(self, found: Mapping[str, Any]) -> Message:
        content = self._cipher.open_json(_place(found["recipient_id"], found["_id"]), found["content"])
        read_at = found["read_at"]
        return Message(
            id=found["_id"],
            recipient_id=found["recipient_id"],
            nid=found["nid"],
            created_at=found["created_at"].astimezone(UTC),
            read_at=read_at.astimezone(UTC) if read_at else None,
            **{name: content[name] for name in _SEALED},
        )


def _place(recipient_id: str, message_id: str) -> Place:
    return Place(recipient_id, RETENTION_CLASS, _COLLECTION, message_id, "content", 1)
