"""Campaigns in MongoDB: each one document moved by its version, and one a shard for how far it has come.

There is nothing of a person in them but the internal id a shard has been walked to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from notifications.campaigns.audience import Audience
from notifications.campaigns.model import LIVE, Campaign, CampaignState, ListSummary, Step
from notifications.campaigns.ports import Counts, ShardRun
from notifications.errors import LeaseLost, StaleCampaign
from notifications.ports import Unit
from wallet_api.infra.mongo import Index
from wallet_api.stores.reminding import Document, session_of

_CAMPAIGNS: Final = "campaigns"
RUNS: Final = "campaign_runs"
_PACE: Final = "campaign_pace"
_PREVIEWS: Final = "campaign_previews"
_TRIES: Final = 5
_KEPT: Final = timedelta(days=31)

INDEXES = (
    Index(_CAMPAIGNS, (("created_at", -1),)),
    Index(_CAMPAIGNS, (("state", 1), ("created_at", -1))),
    Index(RUNS, ("campaign_id",)),
    Index(_PREVIEWS, ("until",), ttl=0),
    Index(_PREVIEWS, ("told_at",)),
)


class MongoCampaigns:
    """`notifications.campaigns.ports.Campaigns` over pymongo."""

    def __init__(self, db: Database[Document]) -> None:
        self._db = db

    def add(self, campaign: Campaign) -> None:
        """Keep a new one; a second run of the same act finds it there."""
        try:
            self._db[_CAMPAIGNS].insert_one(_document(campaign))
        except DuplicateKeyError:
            return

    def get(self, campaign_id: str) -> Campaign | None:
        """One campaign."""
        found = self._db[_CAMPAIGNS].find_one({"_id": campaign_id})
        return None if found is None else _campaign(found)

    def save(self, campaign: Campaign, *, expected: int) -> None:
        """Put a new version in the place of the old."""
        unchanged = {"_id": campaign.id, "version": expected}
        if self._db[_CAMPAIGNS].replace_one(unchanged, _document(campaign)).matched_count != 1:
            raise StaleCampaign(campaign.id)

    def newest(self, state: CampaignState | None, limit: int) -> list[Campaign]:
        """Those made last."""
        asked = {} if state is None else {"state": state.value}
        found = self._db[_CAMPAIGNS].find(asked).sort("created_at", -1).limit(limit)
        return [_campaign(each) for each in found]

    def live(self) -> list[str]:
        """Ids of those that are scheduled or running."""
        states = sorted(state.value for state in LIVE)
        found = self._db[_CAMPAIGNS].find({"state": {"$in": states}}, {"_id": 1})
        return sorted(each["_id"] for each in found)

    def runs(self, campaign_id: str) -> dict[int, ShardRun]:
        """How far each shard has come that was begun."""
        found = self._db[RUNS].find({"campaign_id": campaign_id}, {"shard": 1, "cursor": 1, "done": 1})
        return {each["shard"]: ShardRun(each["cursor"], each["done"]) for each in found}

    def advance(
        self, campaign_id: str, shard: int, frm: ShardRun, to: ShardRun, counts: Counts, unit: Unit | None
    ) -> None:
        """Move a shard on, by compare-and-set, and count what was done."""
        session, name = session_of(unit), _run(campaign_id, shard)
        reached: Document = {"cursor": to.cursor, "done": to.done}
        change: Document = {"$set": reached, "$inc": _increments(counts)}
        unchanged = {"_id": name, "cursor": frm.cursor, "done": frm.done}
        if self._db[RUNS].update_one(unchanged, change, session=session).matched_count:
            return
        begun: Document = {"campaign_id": campaign_id, "shard": shard}
        fresh = {"$setOnInsert": begun | reached, "$inc": change["$inc"]}
        if frm != ShardRun() or self._db[RUNS].find_one({"_id": name}, {"_id": 1}, session=session):
            raise LeaseLost("another worker has taken this page")
        self._db[RUNS].update_one({"_id": name}, fresh, upsert=True, session=session)

    def count(self, campaign_id: str, shard: int, counts: Counts, unit: Unit | None = None) -> None:
        """Add to the counters of a campaign."""
        count_in(self._db, campaign_id, shard, counts, session_of(unit))

    def progress(self, campaign_id: str) -> dict[str, int]:
        """The counters of a campaign, all shards together: at most 64 documents, however many people."""
        total: Counter[str] = Counter()
        for each in self._db[RUNS].find({"campaign_id": campaign_id}, {"counts": 1}):
            total.update(each.get("counts", {}))
        return {name: count for name, count in total.items() if count}

    def take(self, campaign_id: str, minute: datetime, wanted: int, most: int) -> int:
        """Take from what may go out in a minute. Under a race it grants nothing, and is asked again."""
        pace = self._db[_PACE]
        for _ in range(_TRIES):
            found = pace.find_one({"_id": campaign_id}) or {"minute": None, "used": 0}
            at = found["minute"].astimezone(UTC) if found["minute"] else minute
            used = found["used"] if at >= minute else 0
            granted = max(0, min(wanted, most - used))
            fresh = {"minute": max(at, minute), "used": used + granted}
            unchanged = {"_id": campaign_id, "minute": found["minute"], "used": found["used"]}
            if self._swapped(campaign_id, unchanged, fresh):
                return granted
        return 0

    def _swapped(self, campaign_id: str, unchanged: Document, fresh: Document) -> bool:
        if unchanged["minute"] is None:
            try:
                self._db[_PACE].insert_one({"_id": campaign_id, **fresh})
            except DuplicateKeyError:
                return False
            return True
        return self._db[_PACE].update_one(unchanged, {"$set": fresh}).matched_count == 1


class MongoPreviews:
    """`notifications.campaigns.ports.Previews` over pymongo."""

    def __init__(self, db: Database[Document]) -> None:
        self._previews = db[_PREVIEWS]

    def since(self, at: datetime, limit: int) -> list[tuple[Audience, int]]:
        """The newest, at most `limit`."""
        found = self._previews.find({"told_at": {"$gt": at}}).sort("told_at", -1).limit(limit)
        return [(Audience(**each["audience"]), each["count"]) for each in found]

    def note(self, preview_id: str, audience: Audience, count: int, at: datetime) -> None:
        """Remember one; the same audience on the same day is one."""
        told = {"audience": audience.to_plain(), "count": count, "told_at": at, "until": at + _KEPT}
        self._previews.replace_one({"_id": preview_id}, told, upsert=True)


def count_in(
    db: Database[Document], campaign_id: str, shard: int, counts: Counts, session: ClientSession | None
) -> None:
    """Add to the counters of one shard of a campaign."""
    changes = _increments(counts)
    if changes:
        fresh = {"campaign_id": campaign_id, "shard": shard, "cursor": "", "done": False}
        change = {"$inc": changes, "$setOnInsert": fresh}
        db[RUNS].update_one({"_id": _run(campaign_id, shard)}, change, upsert=True, session=session)


def _increments(counts: Counts) -> dict[str, int]:
    return {f"counts.{name}": count for name, count in counts.items()}


def _run(campaign_id: str, shard: int) -> str:
    return f"{campaign_id}:{shard:02}"


def _document(campaign: Campaign) -> Document:
    return {
        "_id": campaign.id,
        "version": campaign.version,
        "state": campaign.state.value,
        "name": campaign.name,
        "kind": campaign.kind,
        "template": campaign.template,
        "audience": campaign.audience.to_plain(),
        "per_minute": campaign.per_minute,
        "created_by": campaign.created_by,
        "created_at": campaign.created_at,
        "starts_at": campaign.starts_at,
        "listed": None if campaign.listed is None else asdict(campaign.listed),
        "prepared_by": sorted(campaign.prepared_by),
        "approved_by": campaign.approved_by,
        "approved_digest": campaign.approved_digest,
        "launched_at": campaign.launched_at,
        "people": campaign.people,
        "history": [asdict(each) for each in campaign.history],
    }


def _campaign(found: Mapping[str, Any]) -> Campaign:
    return Campaign(
        id=found["_id"],
        version=found["version"],
        state=CampaignState(found["state"]),
        name=found["name"],
        kind=found["kind"],
        template=found["template"],
        audience=Audience(**found["audience"]),
        per_minute=found["per_minute"],
        created_by=found["created_by"],
        created_at=found["created_at"].astimezone(UTC),
        starts_at=_instant(found["starts_at"]),
        listed=None if found["listed"] is None else ListSummary(**found["listed"]),
        prepared_by=frozenset(found["prepared_by"]),
        approved_by=found["approved_by"],
        approved_digest=found["approved_digest"],
        launched_at=_instant(found["launched_at"]),
        people=found["people"],
        history=tuple(
            Step(each["event"], each["by"], each["at"].astimezone(UTC), each["reason"])
            for each in found["history"]
        ),
    )


def _instant(found: datetime | None) -> datetime | None:
    return None if found is None else found.astimezone(UTC)
