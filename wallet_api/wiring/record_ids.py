"""How records are named and recognised: by keyed digests, so that a dump tells neither source nor content."""

from __future__ import annotations

from collections.abc import Callable

from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.framing import from_base64url
from wallet_api.infra.ids import id_from_bytes


def record_id_with(blind: BlindIndex) -> Callable[..., str]:
    """The namer: the same source row of the same citizen has the same id for ever, and nobody computes it."""

    def record_id(*parts: str) -> str:
        named = "".join(f"{len(part)}:{part}" for part in ("record_id", *parts))
        return id_from_bytes(from_base64url(blind.label_token(named)))

    return record_id


def fingerprint_with(blind: BlindIndex) -> Callable[[str, bytes], str]:
    """The recogniser of content: equal fingerprints tell nothing about two citizens."""
    return lambda citizen_id, raw: blind.label_token(f"fingerprint:{citizen_id}:{raw.hex()}")
