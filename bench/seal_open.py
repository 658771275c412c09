"""Sealing and opening one record of about 1.5 kB under a citizen's own key, keys warm."""

from __future__ import annotations

import os
from collections.abc import Iterator

from bench.figure import Figure, at_most, rate
from wallet_api.infra.clock import system_now
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.crypto.keystore import MemoryKeyStore
from wallet_api.infra.crypto.wrapped_keys import MemoryWrappedKeys
from wallet_api.infra.ids import new_id


def figures() -> Iterator[Figure]:
    """Microseconds a record."""
    cipher = CitizenCipher(MemoryWrappedKeys(), MemoryKeyStore(), system_now)
    place = Place(new_id(), "clinical", "records", new_id(), "content", 1)
    plain = os.urandom(1500)
    blob = cipher.seal(place, plain)
    yield Figure("seal", 1e6 / rate(lambda: cipher.seal(place, plain)), "microseconds/record")
    yield at_most("open", 1e6 / rate(lambda: cipher.open(place, blob)), "microseconds/record", 15)
