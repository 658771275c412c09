"""The task queue: Celery with a broker named by a URL. Tasks carry ids and days only, never people's data."""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path
from queue import Empty
from ssl import CERT_REQUIRED
from time import monotonic_ns
from typing import Any
from uuid import uuid4

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.transport import redis as over_redis

from wallet_api.settings import Settings

PLAN_TASK = "wallet.plan_day"
CAMPAIGNS_TASK = "wallet.run_campaigns"
FILESYSTEM = "filesystem:"
_LOOK_EVERY = 0.02  # seconds
_WAITS = 0.2  # seconds for a message, then for what else there is to do


class WholeFiles(filesystem.Channel):
    """Kombu's channel over files, where a message appears whole or not at all.

    Kombu writes a message under its final name, so that a reader can take it half written, and that ends
    the worker.
    """

    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override]  # so is kombu's
        final = Path(self.data_folder_out) / f"{monotonic_ns() // 1_000_000}_{uuid4()}.{queue}.msg"
        aside = final.with_name(f".{uuid4()}")
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(payload, file)
        aside.rename(final)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        try:
            return super()._get(queue)  # type: ignore[no-untyped-call]  # kombu is typed in part
        except ValueError:  # half written by a process that does not use this class
            raise Empty from None


class FilesTransport(filesystem.Transport):
    """Kombu's filesystem transport with `WholeFiles`.

    Between two waits for a message the worker strikes off the tasks that have ended, which makes room for the
    next, and hears that it is to stop: Celery's two seconds would be the pace of both.
    """

    Channel = WholeFiles

    def drain_events(  # type: ignore[override]  # as kombu's own class over files has it
        self, connection: Any, timeout: float | None = None
    ) -> None:
        """Wait for a message no longer than `_WAITS` seconds."""
        waits = timeout if timeout is None else min(timeout, _WAITS)
        super().drain_events(connection, waits)  # type: ignore[no-untyped-call]  # kombu is typed in part


class FreeingCredit(over_redis.QoS):
    """Kombu's bookkeeping over Redis, where a task that has ended never blocks the next.

    Kombu strikes a message off only after Redis has heard of its end. With one message at a time, a Redis
    that dies while a task is in hand would leave its worker waiting for ever: alive, and taking no task.
    Struck off here, the message may come once more, which changes nothing.
    """

    def ack(self, delivery_tag: str) -> None:
        """The task has ended, whether or not Redis hears of it."""
        try:
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]  # kombu is typed in part
        except Exception:
            self._quick_ack(delivery_tag)
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """The same for a task that is given back."""
        try:
            super().reject(delivery_tag, requeue)  # type: ignore[no-untyped-call]  # as above
        except Exception:
            self._quick_ack(delivery_tag)
            raise


class FreeingChannel(over_redis.Channel):
    """Kombu's channel over Redis with `FreeingCredit`."""

    QoS = FreeingCredit


class RedisTransport(over_redis.Transport):
    """Kombu's Redis transport with `FreeingChannel`."""

    Channel = FreeingChannel


# By name and not by class, because it is the name that says whether TLS is spoken.
TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:{RedisTransport.__name__}"))


def make_queue(settings: Settings) -> Celery:
    """The queue of these settings; one per broker and process."""
    return _queue(settings.broker_url)


@lru_cache(maxsize=8)
def _queue(broker_url: str) -> Celery:
    queue = Celery("wallet", broker=broker_url, set_as_current=False)
    queue.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        enable_utc=True,
    )
    if broker_url.startswith(FILESYSTEM):
        _on_files(queue, Path(broker_url.removeprefix(FILESYSTEM)))
    if broker_url.startswith("rediss:") and "ssl_cert_reqs" not in broker_url:
        queue.conf.update(broker_use_ssl={"ssl_cert_reqs": CERT_REQUIRED})  # Kombu alone would believe any
    return queue


def _on_files(queue: Celery, folder: Path) -> None:
    folders = {name: folder / name for name in ("messages", "done", "control")}
    for each in folders.values():
        each.mkdir(parents=True, exist_ok=True, mode=0o700)
    queue.conf.update(
        broker_url="filesystem://",
        broker_transport=FilesTransport,
        broker_transport_options={
            "data_folder_in": str(folders["messages"]),
            "data_folder_out": str(folders["messages"]),
            "processed_folder": str(folders["done"]),
            "control_folder": str(folders["control"]),
            "store_processed": False,
            # Kombu's own second between two looks would mean one task a second, however short each is.
            "polling_interval": _LOOK_EVERY,
        },
    )
