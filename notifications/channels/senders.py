"""Which sender of pushes this machine has: libcurl in bulk where pycurl is there, else one by one."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from notifications.channels.fcm import FcmChannel, FcmSettings
from notifications.ports import Channel, Now


def in_bulk() -> bool:
    """Whether pushes go out many at a time."""
    return find_spec("pycurl") is not None


def fcm_sender(settings: FcmSettings, credentials: Mapping[str, Any], now: Now) -> Channel:
    """The fastest sender that loads here; both give the same verdicts. Raises BadChannel."""
    if in_bulk():
        from notifications.channels.fcm_curl import CurlChannel

        return CurlChannel(settings, credentials, now)
    return FcmChannel(settings, credentials, now)
