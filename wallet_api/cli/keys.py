"""`keys`: what keys there are, making, rotating and destroying them, and whether they open what is stored."""

from __future__ import annotations

import argparse
from contextlib import suppress
from datetime import datetime

from wallet_api.cli.backup import safekeeping
from wallet_api.cli.opened import opened_database, settings_here
from wallet_api.cli.progress import Progress
from wallet_api.cli.screen import CannotDo, tell, warn
from wallet_api.infra.clock import clock_from, system_now
from wallet_api.infra.crypto.citizen_keys import CitizenKeys
from wallet_api.infra.crypto.errors import KeyUnavailable
from wallet_api.infra.crypto.keystore import (
    ALGORITHMS,
    PUBLISHED_FIRST,
    SECRETS,
    SIGNATURES_LIVE,
    FileKeyStore,
)
from wallet_api.settings import Settings
from wallet_api.stores.citizen_keys import MongoCitizenKeys

_MASTER = "master"
_FIXED = {
    "index": "stored look-up tokens are made with it, and there is no command yet that makes them anew",
    "label": "stored labels are found by it for as long as they live",
    "reference": "organisations keep references made with it",
    "cursor": "pages in progress are sealed with it; they live for minutes, and nothing is gained",
    "etag": "tags kept by apps are made with it; nothing is gained",
}
_BATCH = 500


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    parser = commands.add_parser("keys", help="list, prepare, rotate and check keys")
    acts = parser.add_subparsers(title="what to do", required=True, metavar="ACT")
    listing = acts.add_parser("list", help="what keys there are and how old; never what they are")
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
        help="add a new key",
        description="Add a signing key, or a key-encryption key before its month is over (master). A signing "
        f"key is published at once and signs {PUBLISHED_FIRST.seconds} seconds later, when every process and "
        "every client has had time to see it; older ones stay published.",
    )
    rotate.add_argument("kind", choices=sorted({*ALGORITHMS, _MASTER, *_FIXED}), help="which key")
    rotate.add_argument(
        "--compromised",
        action="store_true",
        help="destroy the older ones at once: whatever they signed is refused from now on",
    )
    rotate.set_defaults(do=_rotate)
    prune = acts.add_parser("prune", help="destroy older signing keys whose signatures have run out")
    prune.add_argument("kind", choices=sorted(SIGNATURES_LIVE), help="which key")
    prune.set_defaults(do=_prune)
    rewrap = acts.add_parser(
        "rewrap",
        help="wrap citizen keys with the newest key-encryption key",
        description="Wrap every citizen key anew that an older key-encryption key wraps. May be killed and "
        "run again; the wallet goes on serving.",
    )
    rewrap.set_defaults(do=_rewrap)
    retire = acts.add_parser(
        "retire",
        help="destroy a key-encryption key that wraps nothing any more",
        description="Move every citizen key off a past month's key-encryption key and destroy it. Backups of "
        "wrapped keys that were made before never open again.",
    )
    retire.add_argument("kek", help="its id, as `keys list` says it: YYYY-MM")
    retire.set_defaults(do=_retire)
    check = acts.add_parser("check", help="open every sealed value and say which fail")
    check.set_defaults(do=_check)


def _store(settings: Settings, *, create: bool) -> FileKeyStore:
    store = FileKeyStore(settings.keys_dir, create=create)
    store.check_private()
    return store


def _list(_: argparse.Namespace) -> int:
    settings = settings_here()
    store = _store(settings, create=False)
    tell(f"Keys in {settings.keys_dir}")
    for kek_id in store.kek_ids():
        tell(f"  key-encryption   {kek_id}, {_age(store.made_at(f'kek-{kek_id}'))}")
    for name in SECRETS:
        version = store.newest(name)
        with suppress(KeyUnavailable):
            tell(f"  secret           {name} (version {version}), {_age(store.made_at(f'{name}-{version}'))}")
    for use, algorithm in ALGORITHMS.items():
        kept: tuple[tuple[str, datetime, bool], ...] = ()
        with suppress(KeyUnavailable):
            kept = store.described(use)
        for kid, made, signs in kept:
            tell(f"  signing          {use} {algorithm} {kid[:12]} {_place(signs, made)}, {_age(made)}")
        if not kept:
            tell(f"  signing          {use} {algorithm} not made yet")
    return 0


def _place(signs: bool, made: datetime) -> str:
    if signs:
        return "in use"
    return "published, not in use yet" if system_now() - made < PUBLISHED_FIRST else "older"


def _age(made: datetime) -> str:
    days = (system_now() - made).days
    return f"{days} days old" if days != 1 else "1 day old"


def _prepare(_: argparse.Namespace) -> int:
    settings = settings_here()
    _store(settings, create=True).prepare(clock_from(settings)())
    tell("Every key is there.")
    return 0


def _rotate(options: argparse.Namespace) -> int:
    settings, kind = settings_here(), options.kind
    if kind in _FIXED:
        raise CannotDo(f"The {kind} secret cannot be rotated: {_FIXED[kind]}.")
    store = _store(settings, create=False)
    if kind == _MASTER:
        kek_id = store.replace_kek(clock_from(settings)())
        tell(f"New key-encryption key {kek_id}; within a minute every process wraps with it.")
        tell("Now `keys rewrap`, and an hour from now `keys retire` the older one.")
        return 0
    if options.compromised:
        tell(f"New {kind} key {store.replace_at_once(kind)[:12]}; the older ones are destroyed.")
        return 0
    kid = store.rotate(kind)
    tell(f"New {kind} key {kid[:12]}; the older ones stay published.")
    tell(f"It signs in {PUBLISHED_FIRST.seconds} seconds, when everybody has had time to see it.")
    return 0


def _prune(options: argparse.Namespace) -> int:
    names = _store(settings_here(), create=False).prune(options.kind)
    tell(f"Destroyed: {', '.join(names)}." if names else "No key is old enough to be destroyed.")
    return 0


def _rewrap(_: argparse.Namespace) -> int:
    settings = settings_here()
    store, now = _store(settings, create=settings.dev), clock_from(settings)
    with opened_database(settings) as database:
        rows = MongoCitizenKeys(database)
        keys, current = CitizenKeys(rows, store, now), store.kek_for(now()).id
        older = {kek_id: count for kek_id, count in rows.by_kek().items() if kek_id != current}
        bar, moved = Progress("rewrapping", sum(older.values())), 0
        for kek_id in sorted(older):
            while seen := keys.rewrap(kek_id, _BATCH):
                moved += seen
                bar.add(seen)
        bar.end()
        left = {kek_id: count for kek_id, count in rows.by_kek().items() if kek_id != current}
    tell(f"{moved} citizen keys wrapped anew by {current}; {sum(left.values())} are still wrapped by others.")
    return 1 if left else 0


def _retire(options: argparse.Namespace) -> int:
    settings = settings_here()
    with opened_database(settings) as database:
        keys = CitizenKeys(MongoCitizenKeys(database), _store(settings, create=False), clock_from(settings))
        keys.retire_kek(options.kek)
    tell(f"Key-encryption key {options.kek} is destroyed. Make a new backup of the wrapped keys now.")
    return 0


def _check(_: argparse.Namespace) -> int:
    with safekeeping(settings_here()) as (keeper, _database):
        report = keeper.check_sealed()
    tell(f"{report.opened} sealed values open.")
    if report.without_key:
        owners = sorted(report.owners_without_key)
        warn(f"{report.without_key} values of {len(owners)} owners have no key (erased, or lost):")
        for owner in owners:
            warn(f"  {owner}")
    if report.broken:
        warn(f"{len(report.broken)} values do not open:")
        for name in report.broken:
            warn(f"  {name}")
    return 1 if report.broken or report.without_key else 0
