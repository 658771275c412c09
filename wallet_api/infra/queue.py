"""The task queue: Celery with a broker named by a URL. Tasks carry ids and days only, never people's data."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from celery import Celery

from wallet_api.settings import Settings

PLAN_TASK = "wallet.plan_day"
FILESYSTEM = "filesystem:"


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
    return queue


def _on_files(queue: Celery, folder: Path) -> None:
    folders = {name: folder / name for name in ("messages", "done", "control")}
    for each in folders.values():
        each.mkdir(parents=True, exist_ok=True, mode=0o700)
    queue.conf.update(
        broker_url="filesystem://",
        broker_transport_options={
            "data_folder_in": str(folders["messages"]),
            "data_folder_out": str(folders["messages"]),
            "processed_folder": str(folders["done"]),
            "control_folder": str(folders["control"]),
            "store_processed": False,
        },
    )
