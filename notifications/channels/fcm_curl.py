"""Push over Firebase Cloud Messaging HTTP v1 in bulk: hundreds of requests under way over a few connections.

The bytes are the SDK's, the meanings of the answers are those of `channels.fcm`, and so are the reasons to
end a round early.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from notifications.channels.curl_posts import CurlPosts, Reply
from notifications.channels.fcm import ENDS_THE_ROUND, FAILURES_IN_A_ROW, STREAMS, FcmSettings
from notifications.channels.fcm_access import Access, CredentialRefused, TokenServerDown
from notifications.channels.fcm_wire import PUSH_CHANNEL, PUSH_TEMPLATE, PushBodies, answer_of
from notifications.outgoing import Answer, Envelope, Outcome
from notifications.ports import Now

_LONGEST_HINT = 3600.0


class CurlChannel:
    """Channel over FCM by libcurl. For one process and one thread; a fork gets connections of its own."""

    name = PUSH_CHANNEL
    template = PUSH_TEMPLATE

    def __init__(self, settings: FcmSettings, credentials: Mapping[str, Any], now: Now) -> None:
        self._access = Access(credentials)
        self._settings, self._now = settings, now
        self._posts: CurlPosts | None = None
        self._pid = 0

    def deliver(self, envelopes: Sequence[Envelope]) -> Sequence[Outcome]:
        """Post all side by side. After 429, a bad payload, a refused credential, three failures in a row or
        the time budget no more are begun, and those are answered `not_tried`: the caller decides when to
        come back, nothing sleeps here.
        """
        try:
            token = self._access.token()
        except CredentialRefused:
            return _all(envelopes, Answer.UNAUTHORISED)
        except TokenServerDown:
            return _all(envelopes, Answer.UNAVAILABLE)
        return _Round(self._ready(), self._access, token, envelopes, self._now()).run(self._settings.budget_s)

    def close(self) -> None:
        """Hang up."""
        if self._posts is not None and self._pid == os.getpid():
            self._posts.close()
        self._posts = None

    def _ready(self) -> CurlPosts:
        if self._posts is None or self._pid != os.getpid():
            s = self._settings
            self._posts = CurlPosts(s.url, s.connections, STREAMS, s.timeout_s, s.ca_file)
            self._pid = os.getpid()
        return self._posts


class _Round:
    """One deliver(): what is still to post, what is under way, what was answered."""

    def __init__(
        self, posts: CurlPosts, access: Access, token: str, envelopes: Sequence[Envelope], now: datetime
    ) -> None:
        self._posts, self._access, self._token = posts, access, token
        self._envelopes = envelopes
        self._bodies = PushBodies(now)
        self._outcomes: dict[int, Outcome] = {}
        self._left = deque(range(len(envelopes)))
        self._bearer: dict[int, int] = {}
        self._renewals = 0
        self._again: set[int] = set()
        self._failures = 0
        self._over = False

    def run(self, budget_s: float) -> Sequence[Outcome]:
        end = time.monotonic() + budget_s
        self._posts.authorise(self._token)
        while True:
            left_s = end - time.monotonic()
            self._begin(left_s > 0)
            if not self._posts.under_way:
                break
            if left_s <= 0:
                for key in self._posts.abandon():
                    self._settle(key, Answer.UNAVAILABLE)
                break
            for reply in self._posts.answers(min(left_s, 1.0)):
                self._take(reply)
        return [self._outcome(key) for key in range(len(self._envelopes))]

    def _begin(self, in_time: bool) -> None:
        room = self._posts.room - self._posts.under_way
        while room > 0 and self._left and in_time and not self._over:
            key = self._left.popleft()
            try:
                body = self._bodies.of(self._envelopes[key])
            except ValueError:
                self._settle(key, Answer.BAD_PAYLOAD)
                continue
            self._bearer[key] = self._renewals
            self._posts.start(key, body)
            room -= 1

    def _take(self, reply: Reply) -> None:
        once_more = reply.key not in self._again
        if reply.cut and once_more:
            self._retry(reply.key)
        elif reply.status == 401 and once_more:
            self._renew(reply.key)
        else:
            answer = answer_of(reply.status, reply.body) if reply.status else Answer.UNAVAILABLE
            self._settle(reply.key, answer, min(float(reply.retry_after), _LONGEST_HINT) or None)

    def _retry(self, key: int) -> None:
        """Once more under the same id: whoever got it already shows it once."""
        self._again.add(key)
        self._left.appendleft(key)

    def _renew(self, key: int) -> None:
        """Once more with a new token; one is made for all that were refused side by side."""
        try:
            if self._bearer[key] == self._renewals:
                self._access.forget(self._token)
                self._token = self._access.token()
                self._renewals += 1
                self._posts.authorise(self._token)
        except CredentialRefused:
            self._settle(key, Answer.UNAUTHORISED)
        except TokenServerDown:
            self._settle(key, Answer.UNAVAILABLE)
        else:
            self._retry(key)

    def _settle(self, key: int, answer: Answer, retry_after: float | None = None) -> None:
        self._outcomes[key] = Outcome(self._envelopes[key].address, answer, retry_after)
        self._failures = self._failures + 1 if answer is Answer.UNAVAILABLE else 0
        self._over |= answer in ENDS_THE_ROUND or self._failures >= FAILURES_IN_A_ROW

    def _outcome(self, key: int) -> Outcome:
        known = self._outcomes.get(key)
        return known or Outcome(self._envelopes[key].address, Answer.NOT_TRIED)


def _all(envelopes: Sequence[Envelope], first: Answer) -> list[Outcome]:
    """Nothing was posted: the first tells why."""
    answers = [first, *[Answer.NOT_TRIED] * len(envelopes)]
    return [Outcome(each.address, answer) for each, answer in zip(envelopes, answers, strict=False)]
