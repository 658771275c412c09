"""Registered apps in MongoDB. Address and installation are sealed and found again by keyed tokens.

An installation id may itself be a push address (Firebase installation ids are), so it is never in clear.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from notifications.memory_devices import MAX_DEVICES
from notifications.outgoing import Address, Device
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.mongo import Index, transaction
from wallet_api.stores.bulk import in_parts, insert_new
from wallet_api.stores.reminding import RETENTION_CLASS, Document
from wallet_api.stores.what_opens import what_opens

_COLLECTION: Final = "devices"
_TRIES: Final = 5

INDEXES = (
    Index(_COLLECTION, ("address",), unique=True),
    Index(_COLLECTION, ("citizen_id",)),
)


class MongoDevices:
    """`notifications.ports.Devices` over pymongo."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher, blind: BlindIndex) -> None:
        self._db = db
        self._devices = db[_COLLECTION]
        self._cipher = cipher
        self._blind = blind

    def register(self, device: Device) -> Device:
        """Store under the installation id with the next version, out of quarantine, enabled."""
        tries = 1
        while True:
            try:
                return transaction(self._db, lambda session: self._register(device, session))
            except DuplicateKeyError:  # another app registered this address at the same moment
                if tries == _TRIES:
                    raise
                tries += 1

    def load(self, devices: Sequence[Device]) -> None:
        """Add many at new addresses; those that are there already stay. For filling a database."""
        for part in in_parts(each.citizen_id for each in devices):
            self._cipher.keys.make_many(part, RETENTION_CLASS)
        insert_new(self._devices, [self._document(self._id(each.installation_id), each) for each in devices])

    def addresses_of(
        self, citizen_ids: Collection[str], seen_since: datetime
    ) -> dict[str, tuple[Address, ...]]:
        """Addresses not disabled and seen at or after `seen_since`, by citizen."""
        addresses: dict[str, tuple[Address, ...]] = {}
        for part in in_parts(citizen_ids):
            self._cipher.keys.open_many(part, RETENTION_CLASS)
            rows = self._newest_first({"citizen_id": {"$in": part}})
            live = [each for each in rows if not each["disabled"] and each["last_seen"] >= seen_since]
            for device in what_opens(live, self._device):
                whose = device.citizen_id
                addresses[whose] = (*addresses.get(whose, ()), _address(device))
        return addresses

    def delete_if_unchanged(self, installation_id: str, version: int) -> bool:
        """Delete unless it was registered anew since; True if deleted."""
        return self._devices.delete_one(self._unchanged(installation_id, version)).deleted_count == 1

    def quarantine(self, installation_id: str, version: int) -> bool:
        """Mark as doubtful, unchanged version only; a second time deletes it."""
        trusted = self._unchanged(installation_id, version) | {"quarantined": False}
        done = self._devices.update_one(trusted, {"$set": {"quarantined": True}})
        return done.modified_count == 1 or self.delete_if_unchanged(installation_id, version)

    def clear(self, installation_id: str, version: int) -> bool:
        """Lift the quarantine after a push was accepted, unchanged version only."""
        return self._set(installation_id, version, quarantined=False)

    def disable(self, installation_id: str, version: int) -> bool:
        """Stop using it until it registers again, unchanged version only."""
        return self._set(installation_id, version, disabled=True)

    def remove(self, citizen_id: str, installation_id: str) -> bool:
        """Forget an app of this citizen; True if it was there."""
        own = {"_id": self._id(installation_id), "citizen_id": citizen_id}
        return self._devices.delete_one(own).deleted_count == 1

    def of_citizen(self, citizen_id: str) -> list[Device]:
        """All apps of a citizen, latest seen first."""
        return [self._device(row) for row in self._newest_first({"citizen_id": citizen_id})]

    def _register(self, device: Device, session: ClientSession) -> Device:
        key = self._id(device.installation_id)
        known = self._devices.find_one({"_id": key}, {"version": 1}, session=session)
        # A version from the clock does not come back after a deletion, as a counter would.
        version = max(known["version"] + 1 if known else 0, int(device.last_seen.timestamp() * 1000))
        stored = replace(device, version=version, quarantined=False, disabled=False)
        for token in self._blind.candidates("push_address", _address_text(device)):
            taken = self._devices.find({"address": token}, {"_id": 1}, session=session)
            self._forget([row["_id"] for row in taken if row["_id"] != key], session)
        self._devices.replace_one({"_id": key}, self._document(key, stored), upsert=True, session=session)
        mine = self._newest_first({"citizen_id": device.citizen_id}, session)
        self._forget([row["_id"] for row in mine[MAX_DEVICES:]], session)
        return stored

    def _forget(self, keys: Collection[str], session: ClientSession) -> None:
        for key in keys:
            self._devices.delete_one({"_id": key}, session=session)

    def _newest_first(self, asked: Document, session: ClientSession | None = None) -> list[Document]:
        rows = self._devices.find(asked, session=session)
        return sorted(rows, key=lambda row: (row["last_seen"], row["_id"]), reverse=True)

    def _set(self, installation_id: str, version: int, **flags: bool) -> bool:
        done = self._devices.update_one(self._unchanged(installation_id, version), {"$set": flags})
        return done.matched_count == 1

    def _unchanged(self, installation_id: str, version: int) -> Document:
        return {"_id": self._id(installation_id), "version": version}

    def _id(self, installation_id: str) -> str:
        # The token of a label: its key does not rotate, and an `_id` cannot follow one that does.
        return self._blind.label_token(f"installation/{installation_id}")

    def _document(self, key: str, device: Device) -> Document:
        sealed = {"installation_id": device.installation_id, "value": device.value}
        return {
            "_id": key,
            "citizen_id": device.citizen_id,
            "address": self._blind.of("push_address", _address_text(device)),
            "kind": device.kind,
            "platform": device.platform,
            "last_seen": device.last_seen,
            "version": device.version,
            "quarantined": device.quarantined,
            "disabled": device.disabled,
            "content": self._cipher.seal_json(_place(device.citizen_id, key, device.version), sealed),
        }

    def _device(self, found: Mapping[str, Any]) -> Device:
        place = _place(found["citizen_id"], found["_id"], found["version"])
        content = self._cipher.open_json(place, found["content"])
        return Device(
            installation_id=content["installation_id"],
            citizen_id=found["citizen_id"],
            kind=found["kind"],
            value=content["value"],
            platform=found["platform"],
            last_seen=found["last_seen"].astimezone(UTC),
            version=found["version"],
            quarantined=found["quarantined"],
            disabled=found["disabled"],
        )


def _address(device: Device) -> Address:
    who = (device.installation_id, device.citizen_id)
    return Address(*who, device.kind, device.value, device.version, device.quarantined)


def _address_text(device: Device) -> str:
    return f"{device.kind}/{device.value}"


def _place(citizen_id: str, key: str, version: int) -> Place:
    return Place(citizen_id, RETENTION_CLASS, _COLLECTION, key, "content", version)
