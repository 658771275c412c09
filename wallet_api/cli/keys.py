"""`keys list`, `keys prepare` and `keys rotate`: the key store."""

from __future__ import annotations

import argparse

from wallet_api.cli.opened import settings_here
from wallet_api.cli.screen import tell
from wallet_api.infra.clock import clock_from
from wallet_api.infra.crypto.errors import KeyUnavailable
from wallet_api.infra.crypto.keystore import ALGORITHMS, SECRETS, FileKeyStore, SigningUse
from wallet_api.settings import Settings


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    parser = commands.add_parser("keys", help="list, prepare and rotate keys")
    acts = parser.add_subparsers(title="what to do", required=True, metavar="ACT")
    listing = acts.add_parser("list", help="what keys there are; never what they are")
    listing.set_defaults(do=_list)
    prepare = acts.add_parser(
        "prepare",
        help="make every key that is absent",
        description="Make every key that is absent in WALLET_KEYS_DIR, next month's included. In production "
        "nothing else makes keys.",
    )
    prepare.set_defaults(do=_prepare)
    rotate = acts.add_parser(
        "rotate",
        help="add a new signing key",
        description="Add a new signing key of one use. It signs from now on (within 60 seconds in other "
        "processes); older ones stay published, so what they signed still verifies.",
    )
    rotate.add_argument("use", choices=sorted(ALGORITHMS), help="what the key signs")
    rotate.set_defaults(do=_rotate)


def _store(settings: Settings, *, create: bool) -> FileKeyStore:
    return FileKeyStore(settings.keys_dir, create=create)


def _list(_: argparse.Namespace) -> int:
    settings = settings_here()
    store = _store(settings, create=False)
    tell(f"Keys in {settings.keys_dir}")
    for month in store.kek_ids():
        tell(f"  key-encryption   {month}")
    for name in SECRETS:
        tell(f"  secret           {name} (version {store.newest(name)})")
    for use, algorithm in ALGORITHMS.items():
        kids = _kids(store, use)
        for place, kid in enumerate(kids):
            tell(f"  signing          {use} {algorithm} {kid} {'older' if place else 'in use'}")
        if not kids:
            tell(f"  signing          {use} {algorithm} not made yet")
    return 0


def _kids(store: FileKeyStore, use: SigningUse) -> list[str]:
    try:
        return [key["kid"][:12] for key in store.jwks(use)["keys"]]
    except KeyUnavailable:
        return []


def _prepare(_: argparse.Namespace) -> int:
    settings = settings_here()
    _store(settings, create=True).prepare(clock_from(settings)())
    tell("Every key is there.")
    return 0


def _rotate(options: argparse.Namespace) -> int:
    kid = _store(settings_here(), create=False).rotate(options.use)
    tell(f"New {options.use} key {kid[:12]}; the older ones stay published.")
    return 0
