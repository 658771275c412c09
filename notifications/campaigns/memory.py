"""Ports of campaigns in memory, for tests and use without a database. `unit` is ignored."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from notifications.campaigns.audience import Audience
from notifications.campaigns.coverage import ELSEWHERE
from notifications.campaigns.model import LIVE, Campaign, CampaignState
from notifications.campaigns.ports import FUNNEL, SEND_MOVES, Counts, Send, SeriesTotals, ShardRun
from notifications.campaigns.progress import begun_counts, moved_counts
from notifications.campaigns.rows import NumberKind
from notifications.campaigns.standing import PersonRow
from notifications.errors import LeaseLost, StaleCampaign
from notifications.ports import Unit
from notifications.reminders import State


class MemoryPeople:
    """People in a dict; totals are counted from it."""

    def __init__(self) -> None:
        self._rows: dict[str, PersonRow] = {}

    def put(self, row: PersonRow, unit: Unit | None = None) -> PersonRow | None:
        """See ports.People."""
        old = self._rows.get(row.citizen_id)
        self._rows[row.citizen_id] = row
        return old

    def forget(self, citizen_id: str, unit: Unit | None = None) -> None:
        """See ports.People."""
        self._rows.pop(citizen_id, None)

    def page(
        self, shard: int, province: str | None, commune: str | None, after: str, limit: int
    ) -> Sequence[PersonRow]:
        """See ports.People."""
        found = [
            row
            for row in self._rows.values()
            if row.shard == shard
            and row.citizen_id > after
            and (province if commune is None else None) in (None, row.province)
            and commune in (None, row.commune)
        ]
        return sorted(found, key=lambda row: row.citizen_id)[:limit]

    def of(self, citizen_ids: Collection[str]) -> Mapping[str, PersonRow]:
        """See ports.People."""
        return {each: self._rows[each] for each in citizen_ids if each in self._rows}

    def totals(
        self, series: str, provinces: Collection[str], years: Collection[int]
    ) -> Mapping[tuple[str, int], SeriesTotals]:
        """See ports.People."""
        found: dict[tuple[str, int], SeriesTotals] = defaultdict(SeriesTotals)
        for row in self._rows.values():
            place, standing = (row.province or ELSEWHERE, row.born.year), row.series.get(series)
            if standing is None or not standing.eligible or row.deceased:
                continue
            if place[0] in provinces and place[1] in years:
                found[place] += SeriesTotals(1, int(standing.given > 0), int(standing.complete))
        return dict(found)


class MemoryCampaigns:
    """Campaigns in a dict under one lock."""

    def __init__(self) -> None:
        self._kept: dict[str, Campaign] = {}
        self._runs: dict[tuple[str, int], ShardRun] = {}
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)
        self._taken: dict[str, tuple[datetime, int]] = {}
        self._lock = threading.Lock()

    def add(self, campaign: Campaign) -> None:
        """See ports.Campaigns."""
        with self._lock:
            self._kept.setdefault(campaign.id, campaign)

    def get(self, campaign_id: str) -> Campaign | None:
        """See ports.Campaigns."""
        return self._kept.get(campaign_id)

    def save(self, campaign: Campaign, *, expected: int) -> None:
        """See ports.Campaigns."""
        with self._lock:
            if self._kept[campaign.id].version != expected:
                raise StaleCampaign(campaign.id)
            self._kept[campaign.id] = campaign

    def newest(self, state: CampaignState | None, limit: int) -> Sequence[Campaign]:
        """See ports.Campaigns."""
        found = [each for each in self._kept.values() if state in (None, each.state)]
        return sorted(found, key=lambda each: each.created_at, reverse=True)[:limit]

    def live(self) -> Sequence[str]:
        """See ports.Campaigns."""
        return sorted(each.id for each in self._kept.values() if each.state in LIVE)

    def runs(self, campaign_id: str) -> Mapping[int, ShardRun]:
        """See ports.Campaigns."""
        with self._lock:
            return {shard: run for (of, shard), run in self._runs.items() if of == campaign_id}

    def advance(
        self, campaign_id: str, shard: int, frm: ShardRun, to: ShardRun, counts: Counts, unit: Unit | None
    ) -> None:
        """See ports.Campaigns."""
        with self._lock:
            if self._runs.get((campaign_id, shard), ShardRun()) != frm:
                raise LeaseLost("another worker has taken this page")
            self._runs[campaign_id, shard] = to
            self._counts[campaign_id].update(counts)

    def count(self, campaign_id: str, shard: int, counts: Counts, unit: Unit | None = None) -> None:
        """See ports.Campaigns."""
        with self._lock:
            self._counts[campaign_id].update(counts)

    def progress(self, campaign_id: str) -> Counts:
        """See ports.Campaigns."""
        with self._lock:
            return {name: count for name, count in self._counts[campaign_id].items() if count}

    def take(self, campaign_id: str, minute: datetime, wanted: int, most: int) -> int:
        """See ports.Campaigns."""
        with self._lock:
            at, used = self._taken.get(campaign_id, (minute, 0))
            used = used if at >= minute else 0
            granted = max(0, min(wanted, most - used))
            self._taken[campaign_id] = (max(at, minute), used + granted)
            return granted


class MemorySends:
    """Sends in a dict under one lock."""

    def __init__(self, campaigns: MemoryCampaigns) -> None:
        self._kept: dict[str, Send] = {}
        self._subjects: dict[str, dict[str, tuple[int, datetime]]] = defaultdict(dict)
        self._campaigns = campaigns
        self._lock = threading.Lock()

    def add(self, sends: Sequence[Send], unit: Unit | None = None) -> frozenset[str]:
        """See ports.Sends."""
        with self._lock:
            fresh = {send.id: send for send in sends if send.id not in self._kept}
            self._kept |= fresh
        for send in fresh.values():
            self._campaigns.count(send.campaign_id, send.shard, begun_counts(send))
        return frozenset(fresh)

    def many(self, ids: Collection[str]) -> Mapping[str, Send]:
        """See ports.Sends."""
        with self._lock:
            return {each: self._kept[each] for each in ids if each in self._kept}

    def held(self, campaign_id: str, limit: int) -> Sequence[Send]:
        """See ports.Sends."""
        with self._lock:
            wanted = (campaign_id, State.PLANNED)
            found = [each for each in self._kept.values() if (each.campaign_id, each.state) == wanted]
            return sorted(found, key=lambda each: each.id)[:limit]

    def move(
        self,
        ids: Collection[str],
        frm: Collection[State],
        to: State,
        reason: str = "",
        unit: Unit | None = None,
    ) -> frozenset[str]:
        """See ports.Sends."""
        moved = []
        with self._lock:
            for send_id in sorted(set(ids)):
                known = self._kept.get(send_id)
                if known is None or known.state not in frm or to not in SEND_MOVES.get(known.state, ()):
                    continue
                self._kept[send_id] = replace(known, state=to, reason=reason or known.reason)
                moved.append(known)
        for known in moved:
            self._campaigns.count(known.campaign_id, known.shard, moved_counts(known, to, reason))
        return frozenset(each.id for each in moved)

    def note_subjects(
        self, campaign_id: str, subjects: Sequence[str], shard: int, at: datetime, unit: Unit | None
    ) -> None:
        """See ports.Sends."""
        with self._lock:
            for subject in subjects:
                self._subjects[subject][campaign_id] = (shard, at)

    def dosed(self, subject: str, since: datetime, unit: Unit | None) -> int:
        """See ports.Sends."""
        with self._lock:
            hits = self._subjects.pop(subject, {})
        found = {campaign: shard for campaign, (shard, at) in hits.items() if at >= since}
        for campaign_id, shard in found.items():
            self._campaigns.count(campaign_id, shard, {"followed": 1})
        return len(found)


class MemoryLists:
    """Lists in a dict."""

    def __init__(self) -> None:
        self._kinds: dict[str, tuple[int, NumberKind]] = {}
        self._parts: dict[tuple[str, int, int], tuple[str, ...]] = {}
        self._faults: dict[tuple[str, int, int], tuple[tuple[int, str], ...]] = {}

    def begin(self, campaign_id: str, number: int, kind: NumberKind) -> None:
        """See ports.Lists."""
        self._kinds[campaign_id] = (number, kind)
        self._parts = {key: each for key, each in self._parts.items() if key[0] != campaign_id}
        self._faults = {key: each for key, each in self._faults.items() if key[0] != campaign_id}

    def put(self, campaign_id: str, number: int, part: int, numbers: Sequence[str]) -> None:
        """See ports.Lists."""
        self._parts[campaign_id, number, part] = tuple(numbers)

    def put_faults(self, campaign_id: str, number: int, part: int, faults: Sequence[tuple[int, str]]) -> None:
        """See ports.Lists."""
        self._faults[campaign_id, number, part] = tuple(faults)

    def drop(self, campaign_id: str, number: int) -> None:
        """See ports.Lists."""
        self._parts = {key: each for key, each in self._parts.items() if key[:2] != (campaign_id, number)}

    def part(self, campaign_id: str, number: int, part: int) -> tuple[NumberKind, Sequence[str]] | None:
        """See ports.Lists."""
        found = self._parts.get((campaign_id, number, part))
        return None if found is None else (self._kinds[campaign_id][1], found)

    def faults(self, campaign_id: str, number: int, part: int) -> Sequence[tuple[int, str]] | None:
        """See ports.Lists."""
        return self._faults.get((campaign_id, number, part))


class MemoryFunnel:
    """Funnel in a dict."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)

    def count(self, counts: Mapping[tuple[str, int], int], what: str, unit: Unit | None = None) -> None:
        """See ports.Funnel."""
        for (programme, _), count in counts.items():
            self._counts[programme][what] += count

    def figures(self) -> Mapping[str, Mapping[str, int]]:
        """See ports.Funnel."""
        return {each: {what: counts[what] for what in FUNNEL} for each, counts in self._counts.items()}


class MemoryPreviews:
    """Previews in a dict."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Audience, int, datetime]] = {}

    def since(self, at: datetime, limit: int) -> Sequence[tuple[Audience, int]]:
        """See ports.Previews."""
        found = sorted(self._kept.values(), key=lambda each: each[2], reverse=True)
        return [(audience, count) for audience, count, told in found if told >= at][:limit]

    def note(self, preview_id: str, audience: Audience, count: int, at: datetime) -> None:
        """See ports.Previews."""
        self._kept[preview_id] = (audience, count, at)
