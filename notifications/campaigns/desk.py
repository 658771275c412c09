"""The desk of campaigns: makes them, moves them, reads lists. Each change is a compare-and-set."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Final

from notifications.campaigns.counting import Counting, Told
from notifications.campaigns.model import Campaign, CampaignState, ListSummary
from notifications.campaigns.ports import Campaigns, Lists
from notifications.campaigns.progress import Progress, progress_of
from notifications.campaigns.rows import Row, kind_of, read_rows
from notifications.campaigns.texts import text_named
from notifications.errors import CampaignNotFound, StaleCampaign, TemplateUnknown

Journal = Callable[[Campaign], None]
"""Writes the act into the access log, durably, before it stands; what it raises stops the act."""
_PART: Final = 500


@dataclass(frozen=True)
class CampaignDesk:
    """Campaigns of one wallet. `prefixes`: the three digits a national number may begin with."""

    campaigns: Campaigns
    lists: Lists
    counting: Counting
    prefixes: frozenset[str]
    now: Callable[[], datetime]

    def create(self, wish: Campaign, journal: Journal) -> Campaign:
        """Keep a draft. Raises TemplateUnknown: no such text, or not for this kind."""
        if wish.kind not in text_named(wish.template).kinds:
            raise TemplateUnknown(wish.template)
        journal(wish)
        self.campaigns.add(wish)
        return wish

    def get(self, campaign_id: str) -> Campaign:
        """One campaign. Raises CampaignNotFound."""
        found = self.campaigns.get(campaign_id)
        if found is None:
            raise CampaignNotFound(campaign_id)
        return found

    def newest(self, state: CampaignState | None, limit: int) -> Sequence[Campaign]:
        """Those made last."""
        return self.campaigns.newest(state, limit)

    def live(self) -> Sequence[str]:
        """Ids of those that are scheduled or running."""
        return self.campaigns.live()

    def preview(self, campaign: Campaign) -> Told:
        """How many people it would go to today, as far as that may be told; of a list, its good rows.

        How many of a list's numbers are somebody's is not told: it would be asking about people.
        """
        if campaign.audience.listed:
            return Told(campaign.listed.good if campaign.listed else 0, False)
        return self.counting.tell(campaign.audience)

    def progress(self, campaign: Campaign) -> Progress:
        """How far it has come, as far as that may be told."""
        return progress_of(campaign, self.campaigns.progress(campaign.id), self.counting.shift(campaign.id))

    def approve(self, campaign_id: str, expected: frozenset[str], by: str, journal: Journal) -> Campaign:
        """A second person says yes to the version they saw. Raises as `move`, and SecondPersonNeeded."""
        return self.move(campaign_id, expected, lambda found, at: found.approve(by, at), journal)

    def launch(self, campaign_id: str, expected: frozenset[str], by: str, journal: Journal) -> Campaign:
        """Let it go. Raises as `move`, and CampaignNeedsApproval."""

        def step(found: Campaign, at: datetime) -> Campaign:
            return found.launch(by, at, self._people(found))

        return self.move(campaign_id, expected, step, journal)

    def act(
        self, event: str, campaign_id: str, expected: frozenset[str], by: str, journal: Journal
    ) -> Campaign:
        """Pause (`paused`), resume (`resumed`) or cancel (`cancelled`) it. Raises as `move`."""
        moved = self.move(campaign_id, expected, lambda found, at: found.step(event, by, at), journal)
        if event == "cancelled" and moved.listed is not None:
            self.lists.drop(campaign_id, moved.listed.number)
        return moved

    def move(
        self,
        campaign_id: str,
        expected: frozenset[str],
        step: Callable[[Campaign, datetime], Campaign],
        journal: Journal,
    ) -> Campaign:
        """Take one step from a version that was read (as its tag says it).

        Raises CampaignNotFound, StaleCampaign, CampaignStepRefused.
        """
        found = self.get(campaign_id)
        if str(found.version) not in expected:
            raise StaleCampaign(campaign_id)
        moved = step(found, self.now())
        journal(moved)
        self.campaigns.save(moved, expected=found.version)
        return moved

    def upload(
        self, campaign_id: str, expected: frozenset[str], lines: Iterable[bytes], by: str, journal: Journal
    ) -> Campaign:
        """Read a list, row by row, in the place of an earlier one; what was approved is not any more.

        One that breaks off leaves a campaign that cannot be launched until a whole list is read.

        Raises:
            As `move`; BadHeader: nothing of it is read. ListTooLong: it is cut off there.
        """
        rows = iter(lines)
        header = next(rows, b"")
        kind = kind_of(header)
        earlier = self.get(campaign_id).listed
        number = 1 + (earlier.number if earlier else 0)
        begun = self.move(
            campaign_id,
            expected,
            lambda found, at: found.with_list(ListSummary(number=number), by, at),
            journal,
        )
        self.lists.begin(campaign_id, number, kind)
        summary = self._read(campaign_id, number, read_rows(chain([header], rows), self.prefixes))
        tag = frozenset({str(begun.version)})
        return self.move(campaign_id, tag, lambda found, at: found.with_list(summary, by, at), journal)

    def report(self, campaign: Campaign) -> Iterator[tuple[int, str]]:
        """What was wrong with each row that was not good: its number and a code, part by part."""
        part = 0
        number = campaign.listed.number if campaign.listed else 0
        while (found := self.lists.faults(campaign.id, number, part)) is not None:
            yield from found
            part += 1

    def _read(self, campaign_id: str, number: int, rows: Iterator[Row]) -> ListSummary:
        keeping = _Keeping(self.lists, campaign_id, number)
        for row in rows:
            keeping.take(row)
        return keeping.close()

    def _people(self, campaign: Campaign) -> int:
        if campaign.audience.listed:
            return campaign.listed.good if campaign.listed else 0
        return self.counting.estimate(campaign.audience).people


class _Keeping:
    """Keeps good rows and faults in parts as they come, and never more than one part of each in memory."""

    def __init__(self, lists: Lists, campaign_id: str, number: int) -> None:
        self._lists, self._id, self._number = lists, campaign_id, number
        self._good: list[str] = []
        self._faults: list[tuple[int, str]] = []
        self._parts = self._fault_parts = 0
        self._rows = self._kept = self._bad = self._duplicates = 0
        self._mark = hashlib.sha256()

    def take(self, row: Row) -> None:
        self._rows += 1
        if row.code == "accepted":
            self._kept += 1
            self._good.append(row.value)
            self._mark.update(row.value.encode() + b"\n")
        else:
            self._duplicates += row.code == "duplicate"
            self._bad += row.code != "duplicate"
            self._faults.append((row.number, row.code))
        if len(self._good) == _PART:
            self._put()
        if len(self._faults) == _PART:
            self._put_faults()

    def close(self) -> ListSummary:
        self._put()
        self._put_faults()
        counts = (self._rows, self._kept, self._bad, self._duplicates)
        return ListSummary(*counts, self._mark.hexdigest(), True, self._number)

    def _put(self) -> None:
        if self._good:
            self._lists.put(self._id, self._number, self._parts, self._good)
            self._parts, self._good = self._parts + 1, []

    def _put_faults(self) -> None:
        if self._faults:
            self._lists.put_faults(self._id, self._number, self._fault_parts, self._faults)
            self._fault_parts, self._faults = self._fault_parts + 1, []
