"""Webhooks: where an organisation wants its events pushed, and how a push goes.

A webhook is a place in its organisation's feed. The worker sends what lies behind it, one signed event a
request, and moves it on; so a push that is lost, doubled or late changes nothing, and the feed is the truth.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Protocol

from wallet_api.events.errors import BadWebhook, TooManyWebhooks, WebhookNotFound
from wallet_api.events.feed import Feed
from wallet_api.events.model import OF_RECORDS, Event
from wallet_api.events.outbound import OutboundFault
from wallet_api.infra.crypto.jws import Signer, sign_compact
from wallet_api.infra.logs import say

TYPE: Final = "secevent+jwt"
MEDIA_TYPE: Final = "application/secevent+jwt"
MOST_WEBHOOKS: Final = 3
BATCH: Final = 20
"""Events sent to one webhook before another has its turn."""
LEASE: Final = timedelta(seconds=BATCH * 5 + 20)
MAX_TRIES: Final = 10
MAX_REFUSALS: Final = 3
"""Tries of an event that the receiver refuses for what it is (4xx); others get `MAX_TRIES`."""
_BASE_S: Final = 10.0
_LONGEST_S: Final = 3600.0
_PASSING: Final = frozenset({408, 425, 429})

WebhookState = Literal["active", "removed"]
Post = Callable[[str, bytes, str], int]
Reference = Callable[..., str]
"""`(organisation_id, kind, *ids)`: the organisation's own name for something."""


@dataclass(frozen=True)
class Webhook:
    """Where events go. `position` is the last one settled; `tries` belong to the next; `last` its outcome."""

    id: str
    organisation_id: str
    url: str
    state: WebhookState
    position: int
    created_at: datetime
    due_at: datetime
    tries: int = 0
    version: int = 1
    dead: int = 0
    last: str | None = None
    last_at: datetime | None = None


@dataclass(frozen=True)
class DeadLetter:
    """An event that could not be pushed; the feed still has it."""

    webhook_id: str
    event_id: str
    position: int
    at: datetime
    outcome: str


class Webhooks(Protocol):
    """What webhooks ask of their storage."""

    def add(self, webhook: Webhook) -> None:
        """Keep a new one; one that is there stays as it is."""

    def get(self, webhook_id: str) -> Webhook | None:
        """One webhook."""

    def of(self, organisation_id: str) -> list[Webhook]:
        """The organisation's webhooks that are not removed, oldest first."""

    def due(self, now: datetime) -> list[Webhook]:
        """Active ones whose turn it may be: not leased, and not waiting after a failure."""

    def claim(self, webhook: Webhook, until: datetime) -> Webhook | None:
        """Lease one to exactly one caller until then; None when somebody else has it."""

    def settle(self, webhook: Webhook, dead: Sequence[DeadLetter]) -> bool:
        """End a lease and keep what was reached; False when another had taken over: nothing is kept then."""

    def save(self, webhook: Webhook) -> bool:
        """Replace it at its version, raised by one; False when it changed meanwhile."""

    def dead_letters(self, webhook_id: str, limit: int) -> list[DeadLetter]:
        """What could not be pushed, the newest first."""


def backoff(tries: int, random: Callable[[], float]) -> timedelta:
    """How long to wait after so many failures: full jitter over 10 s * 2**tries, 10 s to an hour."""
    most = min(_LONGEST_S, _BASE_S * float(1 << min(tries, 20)))
    return timedelta(seconds=_BASE_S + random() * (most - _BASE_S))


class WebhookRegister:
    """Which webhooks there are. `check` refuses an address that may not be sent to."""

    def __init__(
        self, webhooks: Webhooks, check: Callable[[str], object], now: Callable[[], datetime]
    ) -> None:
        self._webhooks = webhooks
        self._check = check
        self._now = now

    def check(self, organisation_id: str, url: str) -> None:
        """Whether one could be added.

        Raises:
            BadWebhook, TooManyWebhooks: as `add`.
        """
        self._check(url)
        if len(self._webhooks.of(organisation_id)) >= MOST_WEBHOOKS:
            raise TooManyWebhooks(organisation_id)

    def add(self, organisation_id: str, url: str, since: int, webhook_id: str) -> Webhook:
        """Register one; events behind position `since` are pushed.

        Raises:
            BadWebhook: events are not sent to such an address.
            TooManyWebhooks: the organisation has as many as it may.
        """
        self.check(organisation_id, url)
        now = self._now()
        made = Webhook(webhook_id, organisation_id, url, "active", since, now, now)
        self._webhooks.add(made)
        return made

    def get(self, organisation_id: str, webhook_id: str) -> Webhook:
        """A webhook of this organisation.

        Raises:
            WebhookNotFound: absent, removed, or another organisation's.
        """
        found = self._webhooks.get(webhook_id)
        if found is None or found.organisation_id != organisation_id or found.state != "active":
            raise WebhookNotFound(webhook_id)
        return found

    def of(self, organisation_id: str) -> list[Webhook]:
        """The organisation's webhooks."""
        return self._webhooks.of(organisation_id)

    def dead_letters(self, webhook_id: str, limit: int = 20) -> list[DeadLetter]:
        """What could not be pushed, the newest first."""
        return self._webhooks.dead_letters(webhook_id, limit)

    def remove(self, organisation_id: str, webhook_id: str) -> None:
        """Nothing more is pushed there once this has returned, but what is on its way.

        Raises:
            WebhookNotFound: absent, removed, or another organisation's.
        """
        self._change(organisation_id, webhook_id, lambda found: replace(found, state="removed"))

    def rewind(self, organisation_id: str, webhook_id: str, since: int) -> Webhook:
        """Push again what lies behind a position.

        Raises:
            WebhookNotFound: absent, removed, or another organisation's.
        """
        now = self._now()
        return self._change(
            organisation_id, webhook_id, lambda found: replace(found, position=since, tries=0, due_at=now)
        )

    def _change(self, organisation_id: str, webhook_id: str, change: Callable[[Webhook], Webhook]) -> Webhook:
        while True:
            changed = change(self.get(organisation_id, webhook_id))
            if self._webhooks.save(changed):
                return changed


@dataclass(frozen=True)
class Turn:
    """What became of one webhook's turn."""

    webhook_id: str
    sent: int
    skipped: int
    dead: int
    last: str | None


class WebhookSender:
    """Pushes. Any number of workers may; a webhook is with one at a time, and a dead one's lease runs out."""

    def __init__(
        self,
        webhooks: Webhooks,
        feed: Feed,
        *,
        post: Post,
        signer: Callable[[], Signer],
        reference: Reference,
        works: Callable[[str], bool],
        issuer: str,
        now: Callable[[], datetime],
        random: Callable[[], float],
    ) -> None:
        self._webhooks, self._feed = webhooks, feed
        self._post, self._signer, self._reference, self._works = post, signer, reference, works
        self._issuer, self._now, self._random = issuer, now, random

    def due(self, limit: int) -> list[Webhook]:
        """Some webhooks whose turn it may be: others another time, so that none waits for ever."""
        return sorted(self._webhooks.due(self._now()), key=lambda _: self._random())[:limit]

    def turn(self, webhook: Webhook) -> Turn | None:
        """Push what lies behind one webhook, until the first failure.

        None if there is nothing (which costs no write), or somebody else is at it.
        """
        whose = webhook.organisation_id
        # A suspended organisation is sent nothing; its place is kept.
        if not self._works(whose) or not self._feed.page(whose, webhook.position, 1).events:
            return None
        claimed = self._webhooks.claim(webhook, self._now() + LEASE)
        if claimed is None:
            return None
        at, dead, sent, skipped = claimed, list[DeadLetter](), 0, 0
        for event in self._feed.page(whose, claimed.position, BATCH).events:
            # The last look: of a grant that changed since, only the newer event is sent.
            if not self._feed.current(event):
                at, skipped = replace(at, position=event.position, tries=0), skipped + 1
                continue
            outcome = self._try(claimed, event)
            at = replace(at, last=outcome, last_at=self._now())
            if outcome.startswith("2"):
                at, sent = replace(at, position=event.position, tries=0), sent + 1
                continue
            at = self._failed(at, event, dead)
            break
        else:
            at = replace(at, due_at=self._now())
        kept = self._webhooks.settle(replace(at, dead=at.dead + len(dead)), dead)
        return Turn(at.id, sent, skipped, len(dead), at.last) if kept else None

    def _failed(self, at: Webhook, event: Event, dead: list[DeadLetter]) -> Webhook:
        tries, outcome = at.tries + 1, at.last or ""
        wait = self._now() + backoff(tries, self._random)
        refused = outcome.startswith("4") and int(outcome) not in _PASSING
        if tries < (MAX_REFUSALS if refused else MAX_TRIES):
            return replace(at, tries=tries, due_at=wait)
        dead.append(DeadLetter(at.id, event.id, event.position, self._now(), outcome))
        say("webhook_dead_letter", logging.WARNING, code=outcome)
        return replace(at, position=event.position, tries=0, due_at=wait)

    def _try(self, webhook: Webhook, event: Event) -> str:
        body = signed_event(event, webhook.url, self._issuer, self._signer(), self._reference, self._now())
        try:
            return str(self._post(webhook.url, body.encode(), MEDIA_TYPE))
        except OutboundFault as why:
            return why.code
        except BadWebhook:  # the list of hosts was changed since it was registered
            return "host"


def signed_event(
    event: Event, audience: str, issuer: str, signer: Signer, reference: Reference, now: datetime
) -> str:
    """An event as a signed Security Event Token (RFC 8417): ids, a version and a word, nothing else."""
    claims = {
        "iss": issuer,
        "aud": audience,
        "iat": int(now.timestamp()),
        "jti": event.id,
        "events": {f"urn:wallet:event:{event.type}": ids_of(event, reference)},
    }
    payload = json.dumps(claims, separators=(",", ":"), sort_keys=True).encode()
    return sign_compact(signer, payload, typ=TYPE)


def ids_of(event: Event, reference: Reference) -> Mapping[str, Any]:
    """What an event is about, in the organisation's own references. A closed request and a record name no
    citizen."""
    whose, citizen = event.organisation_id, event.citizen_id
    if event.type == "request_closed":
        return {"request_id": reference(whose, "request", citizen, event.about), "position": event.position}
    if event.type in OF_RECORDS:
        record_id = reference(whose, "record", citizen, event.about)
        return {"record_id": record_id, "version": event.version, "position": event.position}
    return {
        "grant_id": reference(whose, "grant", citizen, event.about),
        "citizen_ref": reference(whose, "citizen", citizen),
        "version": event.version,
        "position": event.position,
    }
