"""seal_open: sealing and opening one record of about 1.5 kB under a citizen's own key, keys warm."""

from __future__ import annotations

import os
from collections.abc import Iterator

from bench import Options
from bench.figure import Figure, at_most, rate
from wallet_api.infra.clock import system_now
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.crypto.keystore import MemoryKeyStore
from wallet_api.infra.crypto.wrapped_keys import MemoryWrappedKeys
from wallet_api.infra.ids import new_id


def figures(_: Options) -> Iterator[Figure]:
    """Microseconds a record: for both, and for each."""
    cipher = CitizenCipher(MemoryWrappedKeys(), MemoryKeyStore(), system_now)
    place = Place(new_id(), "clinical", "records", new_id(), "content", 1)
    plain = os.urandom(1500)
    blob = cipher.seal(place, plain)
    seal = 1e6 / rate(lambda: cipher.seal(place, plain))
    open_ = 1e6 / rate(lambda: cipher.open(place, blob))
    yield Figure("seal_open", seal + open_, "microseconds/record")
    yield Figure("seal_open_seal", seal, "microseconds/record")
    yield at_most("seal_open_open", open_, "microseconds/record", 15)
