"""Plans that say of themselves that they changed, for what follows them later; see `wiring.following`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from notifications.model import DueItem
from notifications.ports import Unit
from notifications.reminders import shard_of
from wallet_api.infra.mongo import Index
from wallet_api.stores.due_items import MongoDueItems, _place
from wallet_api.stores.reminding import Document, session_of
from wallet_api.stores.what_opens import what_opens

_COLLECTION: Final = "due_items"

INDEXES = (Index(_COLLECTION, ("changed",)),)


@dataclass(frozen=True)
class Followed:
    """A plan that changed, as it was read."""

    citizen_id: str
    revision: int
    items: tuple[DueItem, ...]


class FollowedDueItems(MongoDueItems):
    """`DueItems` whose every new plan carries the shard of its person as a mark: `changed`."""

    def _document(self, citizen_id: str, *told: Any, **more: Any) -> Document:
        return super()._document(citizen_id, *told, **more) | {"changed": shard_of(citizen_id)}

    def changed(self, limit: int) -> Sequence[Followed]:
        """Plans that changed and were not followed yet, at most `limit`."""
        return self._read(self._plans.find({"changed": {"$gte": 0}}).limit(limit))

    def changed_of(self, citizen_ids: Collection[str]) -> Sequence[Followed]:
        """Those among the plans of these people."""
        found = self._plans.find({"_id": {"$in": sorted(citizen_ids)}})
        return self._read(each for each in found if each.get("changed") is not None)

    def mark_followed(self, plan: Followed, unit: Unit | None) -> bool:
        """Take the mark off a plan that is still as it was read; whether this call did."""
        unchanged = {"_id": plan.citizen_id, "revision": plan.revision, "changed": {"$gte": 0}}
        change = {"$set": {"changed": None}}
        return self._plans.update_one(unchanged, change, session=session_of(unit)).modified_count == 1

    def _read(self, found: Iterable[Mapping[str, Any]]) -> list[Followed]:
        return what_opens(found, self._followed)

    def _followed(self, found: Mapping[str, Any]) -> Followed:
        items = tuple(map(DueItem.from_plain, self._items(found)))
        return Followed(found["_id"], found["revision"], items)

    def _items(self, found: Mapping[str, Any]) -> list[dict[str, Any]]:
        place = _place(found["_id"], found["revision"])
        items: list[dict[str, Any]] = self._cipher.open_json(place, bytes(found["items"]))["items"]
        return items
