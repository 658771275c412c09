"""Running a campaign: page by page through its people, each page kept as a whole or not at all.

A page moves its shard's cursor by compare-and-set in the unit that keeps its messages, so a worker killed at
any moment leaves whole pages behind, and of two workers at one page one keeps nothing. A message is known by
campaign and recipient: whoever is met again (a guardian of two, a page walked twice) has it already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from notifications.alerts import PUSHED_FOR
from notifications.campaigns import model
from notifications.campaigns.model import SYSTEM, Campaign, CampaignState
from notifications.campaigns.names import CampaignNames
from notifications.campaigns.ports import (
    Campaigns,
    Lists,
    Meant,
    Numbers,
    People,
    Send,
    Sends,
    ShardRun,
)
from notifications.campaigns.progress import state_count
from notifications.campaigns.standing import PersonRow
from notifications.campaigns.stops import Stops
from notifications.campaigns.texts import text_named
from notifications.days import vn_day
from notifications.dispatch import SEEN_WITHIN
from notifications.errors import LeaseLost, StaleCampaign
from notifications.kindness import NO_DEVICE
from notifications.outgoing import Address, Batch, Message, Push
from notifications.ports import Devices, Inbox, InUnit, NewId, Now, Outbox, Unit
from notifications.reminders import SHARDS, State

PAGE: Final = 100
"""People kept together."""
_ROWS_A_TURN: Final = 2_000
_PUSHES_A_BATCH: Final = 50  # at most ten addresses each
_FINISHED: Final = tuple(
    state_count(each) for each in (State.PLANNED, State.QUEUED, State.LEASED, State.DEFERRED)
)


@dataclass(frozen=True, slots=True)
class RunningPorts:
    """What running reads and writes."""

    campaigns: Campaigns
    people: People
    sends: Sends
    lists: Lists
    numbers: Numbers
    meant: Meant
    devices: Devices
    inbox: Inbox
    outbox: Outbox
    in_unit: InUnit
    pushed_on: Callable[[str, date], bool]


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn did: people looked at, messages made. `again`: there is more to do in this minute."""

    looked: int = 0
    made: int = 0
    again: bool = False

    def __add__(self, other: Turn) -> Turn:
        return Turn(self.looked + other.looked, self.made + other.made, self.again or other.again)


@dataclass(frozen=True, slots=True)
class _Page:
    """Some people in their order, and where the cursor stands after them. `last`: the shard ends there."""

    rows: Sequence[PersonRow]
    cursors: Sequence[str]
    end: ShardRun


class Runner:
    """Takes turns at campaigns. Any number of workers may; each message is made once."""

    def __init__(
        self, ports: RunningPorts, names: CampaignNames, *, push_template: str, new_id: NewId, now: Now
    ) -> None:
        self._ports, self._names = ports, names
        self._push_template, self._new_id, self._now = push_template, new_id, now

    def turn(self, campaign_id: str) -> Turn:
        """Do what may be done now of one campaign: begin it on time, make messages, see that it is done."""
        campaign = self._ports.campaigns.get(campaign_id)
        try:
            campaign = self._begun(campaign)
            if campaign is None or campaign.state is not CampaignState.RUNNING:
                return Turn()
            return self._run(campaign)
        except (LeaseLost, StaleCampaign):
            return Turn(again=True)  # another worker or somebody of ops was faster: look again

    def _begun(self, campaign: Campaign | None) -> Campaign | None:
        if campaign is None or campaign.state is not CampaignState.SCHEDULED:
            return campaign
        if campaign.starts_at is not None and self._now() < campaign.starts_at:
            return None
        return self._step(campaign, "begun")

    def _run(self, campaign: Campaign) -> Turn:
        counts = self._ports.campaigns.progress(campaign.id)
        meant = counts.get("subjects", 0)
        if campaign.needs_approval(meant):  # more people than it was launched for
            self._step(campaign, "paused", "needs_approval")
            return Turn(again=True)
        room = _ROWS_A_TURN if campaign.approved else min(_ROWS_A_TURN, model.ALONE + 1 - meant)
        done = self._held(campaign)
        runs = self._ports.campaigns.runs(campaign.id)
        shards = [0] if campaign.audience.listed else range(SHARDS)
        left = [shard for shard in shards if not runs.get(shard, ShardRun()).done]
        for shard in left:
            done += self._shard(campaign, shard, runs.get(shard, ShardRun()), room - done.looked)
            if done.again or done.looked >= room:
                return replace(done, again=done.made > 0 or done.looked > 0)
        if not left and not done.made and not any(counts.get(name, 0) for name in _FINISHED):
            self._step(campaign, "done")
            if campaign.listed is not None:
                self._ports.lists.drop(campaign.id, campaign.listed.number)
        return done

    def _step(self, campaign: Campaign, event: str, reason: str = "") -> Campaign:
        moved = campaign.step(event, SYSTEM, self._now(), reason)
        self._ports.campaigns.save(moved, expected=campaign.version)
        return moved

    def _granted(self, campaign: Campaign, wanted: int) -> int:
        minute = self._now().replace(second=0, microsecond=0)
        return self._ports.campaigns.take(campaign.id, minute, wanted, campaign.per_minute) if wanted else 0

    def _shard(self, campaign: Campaign, shard: int, run: ShardRun, room: int) -> Turn:
        """Walk a shard until it ends, the pace is reached (`again`), or enough was looked at."""
        done = Turn()
        while not run.done and done.looked < room:
            page = self._page(campaign, shard, run)
            kept, meant = self._within_pace(campaign, page)
            if not kept.rows and page.rows:
                return replace(done, again=True)
            made = self._keep(campaign, shard, run, kept, meant)
            done += Turn(len(kept.rows), made)
            run = kept.end
        return done

    def _within_pace(self, campaign: Campaign, page: _Page) -> tuple[_Page, list[PersonRow]]:
        """As much of a page as the pace of this minute allows, and who of it is meant."""
        today = vn_day(self._now())
        meant = [at for at, row in enumerate(page.rows) if campaign.audience.holds(row, today)]
        granted = self._granted(campaign, len(meant))
        if granted < len(meant):
            cut = meant[granted]
            end = ShardRun(page.cursors[cut - 1]) if cut else page.end
            page, meant = _Page(page.rows[:cut], page.cursors[:cut], end), meant[:granted]
        return page, [page.rows[at] for at in meant]

    def _page(self, campaign: Campaign, shard: int, run: ShardRun) -> _Page:
        if campaign.audience.listed:
            return self._listed(campaign, run)
        wanted = campaign.audience
        rows = self._ports.people.page(shard, wanted.province, wanted.commune, run.cursor, PAGE)
        cursors = [row.citizen_id for row in rows]
        return _Page(rows, cursors, ShardRun(cursors[-1] if cursors else run.cursor, len(rows) < PAGE))

    def _listed(self, campaign: Campaign, run: ShardRun) -> _Page:
        """The next people of a list. A cursor is the part and the last citizen of it that was looked at."""
        number = campaign.listed.number if campaign.listed else 0
        part, _, after = (run.cursor or "0|").partition("|")
        found = self._ports.lists.part(campaign.id, number, int(part))
        if found is None:
            return _Page((), (), ShardRun(run.cursor, True))
        known = self._ports.people.of(set(self._ports.numbers(*found)))
        rows = [known[each] for each in sorted(known) if each > after][:PAGE]
        cursors = [f"{part}|{row.citizen_id}" for row in rows]
        end = cursors[-1] if len(rows) == PAGE else f"{int(part) + 1}|"
        return _Page(rows, cursors, ShardRun(end))

    def _keep(
        self, campaign: Campaign, shard: int, run: ShardRun, page: _Page, meant: Sequence[PersonRow]
    ) -> int:
        """Make the messages of a page and move the cursor past it, both or neither."""
        now = self._now()
        making = _Making(self, campaign, shard, meant, now)
        for row in meant:
            making.take(row)
        counts = making.counts | {"examined": len(page.rows), "subjects": len(meant)}
        counts |= {"shards_done": 1} if page.end.done else {}
        moved, campaigns = page.end, self._ports.campaigns

        def work(unit: Unit | None) -> int:
            campaigns.advance(campaign.id, shard, run, moved, counts, unit)
            fresh = self._ports.sends.add(making.sends, unit)
            self._ports.inbox.add([m for m in making.messages if m.reminder_id in fresh], unit)
            for batch in self._batches(
                campaign, shard, [p for p in making.pushes if p.reminder_ids[0] in fresh]
            ):
                self._ports.outbox.add(batch, unit)
            self._ports.sends.note_subjects(campaign.id, making.waited_for(meant), shard, now, unit)
            return len(fresh)

        return self._ports.in_unit(work)

    def _held(self, campaign: Campaign) -> Turn:
        """Queue again what had not gone out when the campaign was paused."""
        held = self._ports.sends.held(campaign.id, PAGE)
        granted = self._granted(campaign, len(held))
        if not held:
            return Turn()
        chosen = held[:granted]

        def work(unit: Unit | None) -> int:
            moved = self._ports.sends.move([s.id for s in chosen], [State.PLANNED], State.QUEUED, unit=unit)
            pushes = [self.push_of(campaign, send) for send in chosen if send.id in moved]
            for batch in self._batches(campaign, chosen[0].shard, pushes):
                self._ports.outbox.add(batch, unit)
            return len(moved)

        return Turn(0, self._ports.in_unit(work) if chosen else 0, again=True)

    def push_of(self, campaign: Campaign, send: Send) -> Push:
        """The push of a message: at any hour if the campaign is critical, else in the person's window."""
        return Push(send.recipient_id, self._names.push(send.id), (send.id,), alert=campaign.critical)

    def _batches(self, campaign: Campaign, shard: int, pushes: Sequence[Push]) -> Iterable[Batch]:
        now = self._now()
        for at in range(0, len(pushes), _PUSHES_A_BATCH):
            part = tuple(pushes[at : at + _PUSHES_A_BATCH])
            yield Batch(self._new_id(), shard, self._push_template, part, now, now + PUSHED_FOR)

    @property
    def ports(self) -> RunningPorts:
        """What it reads and writes."""
        return self._ports

    @property
    def names(self) -> CampaignNames:
        """How messages are named."""
        return self._names


class _Making:
    """The messages of one page, before any of it is kept."""

    def __init__(
        self, runner: Runner, campaign: Campaign, shard: int, meant: Sequence[PersonRow], now: datetime
    ) -> None:
        self._runner, self._campaign, self._shard, self._now = runner, campaign, shard, now
        self._text = text_named(campaign.template)
        self._stops = Stops.at(campaign, self._text.topic, runner.ports.meant, meant, vn_day(now))
        self._chosen: dict[str, Send] = {}
        self.counts: Counter[str] = Counter()
        self._built: tuple[list[Send], list[Message], list[Push]] | None = None

    def take(self, row: PersonRow) -> None:
        """Choose whom to tell of one person."""
        told = self._stops.who(row.citizen_id)
        if not told:
            self.counts["left_out_nobody_to_tell"] += 1
        for recipient_id in told:
            if self._stops.opted_out(recipient_id):
                self.counts["left_out_opted_out"] += 1
                continue
            send_id = self._runner.names.send(self._campaign.id, recipient_id)
            self._chosen.setdefault(
                send_id,
                Send(
                    send_id,
                    self._campaign.id,
                    self._shard,
                    recipient_id,
                    row.citizen_id,
                    self._text.topic,
                    State.QUEUED,
                ),
            )

    @property
    def sends(self) -> list[Send]:
        """Each with the state it begins in: queued, or at its end if no push goes with it."""
        return self._parts()[0]

    @property
    def messages(self) -> list[Message]:
        """What is put into inboxes."""
        return self._parts()[1]

    @property
    def pushes(self) -> list[Push]:
        """What is put into the outbox."""
        return self._parts()[2]

    def waited_for(self, meant: Sequence[PersonRow]) -> list[str]:
        """The keyed names of people whose dose is waited for."""
        series = self._campaign.audience.series
        return [] if series is None else [self._runner.names.subject(r.citizen_id, series) for r in meant]

    def _parts(self) -> tuple[list[Send], list[Message], list[Push]]:
        if self._built is None:
            self._built = self._build()
        return self._built

    def _build(self) -> tuple[list[Send], list[Message], list[Push]]:
        ports = self._runner.ports
        people = {send.recipient_id for send in self._chosen.values()}
        devices = ports.devices.addresses_of(people, self._now - SEEN_WITHIN) if people else {}
        sends = [self._begun(send, devices.get(send.recipient_id, ())) for send in self._chosen.values()]
        pushed = [send for send in sends if send.state is State.QUEUED]
        pushes = [self._runner.push_of(self._campaign, send) for send in pushed]
        return sends, [self._message(send) for send in sends], pushes

    def _begun(self, send: Send, addresses: Sequence[Address]) -> Send:
        """An ordinary message joins the push that went out on the same day: one a person and day."""
        if not addresses:
            return replace(send, state=State.FAILED, reason=NO_DEVICE)
        today = vn_day(self._now)
        if not self._campaign.critical and self._runner.ports.pushed_on(send.recipient_id, today):
            return replace(send, state=State.ACCEPTED, reason="joined_earlier_push")
        return send

    def _message(self, send: Send) -> Message:
        locale = self._stops.preferences_of(send.recipient_id).locale
        title, body = self._text.in_words(locale)
        names = self._runner.names
        return Message(
            id=names.message(send.id),
            recipient_id=send.recipient_id,
            subject_id=send.subject_id,
            topic=send.topic,
            nid=names.push(send.id),
            title=title,
            body=body,
            template=self._text.name,
            created_at=self._now,
            reminder_id=send.id,
        )
