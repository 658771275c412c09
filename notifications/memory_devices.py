"""Devices in memory, under one lock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from notifications.outgoing import Address, Device

MAX_DEVICES = 5


class MemoryDevices:
    """See ports.Devices."""

    def __init__(self) -> None:
        self._kept: dict[str, Device] = {}
        self._lock = threading.Lock()

    def register(self, device: Device) -> Device:
        """See ports.Devices."""
        with self._lock:
            known = self._kept.pop(device.installation_id, None)
            for other in [d for d in self._kept.values() if (d.kind, d.value) == (device.kind, device.value)]:
                del self._kept[other.installation_id]
            after = known.version + 1 if known else 0
            version = max(after, int(device.last_seen.timestamp() * 1000))
            stored = replace(device, version=version, quarantined=False, disabled=False)
            self._kept[device.installation_id] = stored
            for old in self._of(device.citizen_id)[MAX_DEVICES:]:
                del self._kept[old.installation_id]
            return stored

    def addresses_of(
        self, citizen_ids: Collection[str], seen_since: datetime
    ) -> Mapping[str, tuple[Address, ...]]:
        """See ports.Devices."""
        with self._lock:
            found = {
                citizen_id: tuple(
                    Address(d.installation_id, d.citizen_id, d.kind, d.value, d.version, d.quarantined)
                    for d in self._of(citizen_id)
                    if not d.disabled and d.last_seen >= seen_since
                )
                for citizen_id in citizen_ids
            }
        return {citizen_id: addresses for citizen_id, addresses in found.items() if addresses}

    def delete_if_unchanged(self, installation_id: str, version: int) -> bool:
        """See ports.Devices."""
        with self._lock:
            return self._unchanged(installation_id, version) and bool(self._kept.pop(installation_id))

    def quarantine(self, installation_id: str, version: int) -> bool:
        """See ports.Devices."""
        with self._lock:
            if not self._unchanged(installation_id, version):
                return False
            known = self._kept.pop(installation_id)
            if not known.quarantined:
                self._kept[installation_id] = replace(known, quarantined=True)
            return True

    def clear(self, installation_id: str, version: int) -> bool:
        """See ports.Devices."""
        return self._swap(installation_id, version, lambda known: replace(known, quarantined=False))

    def disable(self, installation_id: str, version: int) -> bool:
        """See ports.Devices."""
        return self._swap(installation_id, version, lambda known: replace(known, disabled=True))

    def remove(self, citizen_id: str, installation_id: str) -> bool:
        """See ports.Devices."""
        with self._lock:
            known = self._kept.get(installation_id)
            if known is None or known.citizen_id != citizen_id:
                return False
            del self._kept[installation_id]
            return True

    def of_citizen(self, citizen_id: str) -> Sequence[Device]:
        """See ports.Devices."""
        with self._lock:
            return self._of(citizen_id)

    def _of(self, citizen_id: str) -> list[Device]:
        mine = [d for d in self._kept.values() if d.citizen_id == citizen_id]
        return sorted(mine, key=lambda d: (d.last_seen, d.installation_id), reverse=True)

    def _unchanged(self, installation_id: str, version: int) -> bool:
        known = self._kept.get(installation_id)
        return known is not None and known.version == version

    def _swap(self, installation_id: str, version: int, change: Callable[[Device], Device]) -> bool:
        with self._lock:
            if not self._unchanged(installation_id, version):
                return False
            self._kept[installation_id] = change(self._kept[installation_id])
            return True
