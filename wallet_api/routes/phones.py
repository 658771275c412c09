"""Phones that are not the person's any more: nothing is pushed to them."""

from __future__ import annotations

from wallet_api.audit.model import Action
from wallet_api.context import log_act, services


def forget_phones(citizen_id: str) -> None:
    """Forget every push address of a person. An app registers anew at its next start, after a sign-in.

    What waits to be sent finds its addresses when it goes out, so it reaches the phones of then alone.
    """
    devices = services().reminding.devices
    gone = [devices.remove(citizen_id, each.installation_id) for each in devices.of_citizen(citizen_id)]
    if any(gone):
        log_act(Action.PUSH_ADDRESS_REMOVED, citizen_id, reason="all_phones")
