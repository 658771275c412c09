"""How fast we send: one token bucket for all workers, leased in blocks, with a gentle start and a reserve.

FCM counts messages a minute for a whole project, errors included, so the workers share one bucket. A worker
leases tokens for hundreds of pushes at a time: one visit to the database a batch, not one a push.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

BLOCK = 500
_PATIENCE_S = 1.0
_STEP_S = 0.05


@dataclass(frozen=True, slots=True)
class Rate:
    """Pushes a second, reached over `ramp_s` seconds from `floor` of it; idle as long, it starts again.

    `reserve`: the share only critical messages may take. The default is nine tenths of FCM's quota of
    600,000 a minute (https://firebase.google.com/docs/cloud-messaging/throttling-and-quotas).
    """

    per_second: float = 9000.0
    ramp_s: float = 60.0
    floor: float = 0.05
    reserve: float = 0.1

    def after(self, seconds: float) -> float:
        """Pushes a second, so long after the start."""
        reached = 1.0 if self.ramp_s <= 0 else min(1.0, max(self.floor, seconds / self.ramp_s))
        return self.per_second * reached


@dataclass(frozen=True, slots=True)
class Bucket:
    """What may go out now: `tokens` as of `at`, in a run that began at `since`."""

    tokens: float
    at: datetime
    since: datetime


def take(
    bucket: Bucket | None, rate: Rate, want: int, now: datetime, *, critical: bool
) -> tuple[Bucket, int]:
    """Take up to `want` tokens; return the bucket after it and how many were granted.

    At most a second's worth is ever saved up. A clock that went back refills nothing, one that leapt ahead
    no more than a second's worth.
    """
    if bucket is None or (now - bucket.at).total_seconds() > max(rate.ramp_s, 1.0):
        bucket = Bucket(rate.after(0.0), now, now)
    if now < bucket.at:
        bucket = replace(bucket, at=now, since=min(bucket.since, now))
    speed = rate.after((now - bucket.since).total_seconds())
    tokens = min(speed, bucket.tokens + (now - bucket.at).total_seconds() * speed)
    free = tokens if critical else tokens - rate.reserve * speed
    granted = max(0, min(want, int(free)))
    return Bucket(tokens - granted, now, bucket.since), granted


class Tokens(Protocol):
    """The shared buckets, by name."""

    def lease(self, bucket: str, rate: Rate, want: int, now: datetime, *, critical: bool = False) -> int:
        """Up to `want` tokens, taken for good; each token is given to one caller. 0 when there are none."""
        ...


class Pacer:
    """The tokens one worker holds. For one thread."""

    def __init__(
        self,
        tokens: Tokens,
        bucket: str,
        rate: Rate,
        now: Callable[[], datetime],
        sleep: Callable[[float], object],
    ) -> None:
        self._tokens, self._bucket, self._rate = tokens, bucket, rate
        self._now, self._sleep = now, sleep
        self._held = 0

    def take(self, count: int, *, critical: bool = False) -> int:
        """Tokens for `count` pushes, waiting up to a second for them; fewer when they do not come."""
        waited = 0.0
        while self._held < count:
            missing = count - self._held
            # Of the reserve no more than is needed: what is held over would go to anybody.
            want = missing if critical else max(BLOCK, missing)
            got = self._tokens.lease(self._bucket, self._rate, want, self._now(), critical=critical)
            self._held += got
            if self._held >= count or waited >= _PATIENCE_S:
                break
            if not got:
                self._sleep(_STEP_S)
                waited += _STEP_S
        granted = min(count, self._held)
        self._held -= granted
        return granted

    def give_back(self, count: int) -> None:
        """Tokens that were not needed after all stay with this worker; never more than a block."""
        self._held = min(BLOCK, self._held + count)


@dataclass(frozen=True, slots=True)
class Tally:
    """Answers of one minute, of all workers."""

    tried: int
    refused: int


@dataclass(frozen=True, slots=True)
class Breaker:
    """When refusals are too many: over `share` of at least `least` answers in a minute, for `pause_s`."""

    share: float = 0.05
    least: int = 200
    pause_s: float = 60.0

    def trips(self, tally: Tally) -> bool:
        """Whether to stop for a while."""
        return tally.tried >= self.least and tally.refused > self.share * tally.tried
