"""Registered OAuth clients in MongoDB."""

from __future__ import annotations

from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from wallet_api.identity.errors import StaleVersion, Taken
from wallet_api.identity.oauth.model import Client
from wallet_api.infra.mongo import Index

_COLLECTION = "oauth_clients"

INDEXES = (Index(_COLLECTION, ("organisation_id",)),)

Document = dict[str, Any]


class MongoClients:
    """`ClientStore` over pymongo."""

    def __init__(self, db: Database[Document]) -> None:
        self._rows = db[_COLLECTION]

    def add(self, client: Client) -> None:
        """Add one."""
        try:
            self._rows.insert_one(_document(client))
        except DuplicateKeyError as why:
            raise Taken("client id") from why

    def save(self, client: Client, *, expected: int) -> None:
        """Replace it."""
        unchanged = {"_id": client.id, "version": expected}
        if self._rows.replace_one(unchanged, _document(client)).matched_count == 0:
            raise StaleVersion("client")

    def get(self, client_id: str) -> Client | None:
        """One client."""
        found = self._rows.find_one({"_id": client_id})
        return None if found is None else _client(found)

    def of_organisation(self, organisation_id: str) -> list[Client]:
        """The organisation's clients."""
        return [_client(row) for row in self._rows.find({"organisation_id": organisation_id})]

    def all(self) -> list[Client]:
        """Every client, by id."""
        return sorted((_client(row) for row in self._rows.find()), key=lambda client: client.id)


def _document(client: Client) -> Document:
    return {
        "_id": client.id,
        "kind": client.kind,
        "label": client.label,
        "redirect_uris": list(client.redirect_uris),
        "jwks": dict(client.jwks),
        "organisation_id": client.organisation_id,
        "status": client.status,
        "version": client.version,
    }


def _client(row: Document) -> Client:
    return Client(
        id=row["_id"],
        kind=row["kind"],
        label=row["label"],
        redirect_uris=tuple(row["redirect_uris"]),
        jwks=row["jwks"],
        organisation_id=row["organisation_id"],
        status=row["status"],
        version=row["version"],
    )
