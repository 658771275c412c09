"""`clients`: the apps, ops consoles and provider systems that may ask for tokens."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wallet_api.cli.opened import opened_services, settings_here
from wallet_api.cli.screen import CannotDo, tell
from wallet_api.identity.clients import Clients
from wallet_api.identity.errors import BadClient, ClientUnknown, OrganisationUnknown, StaleVersion, Taken


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    parser = commands.add_parser("clients", help="register and suspend apps, ops consoles, provider systems")
    acts = parser.add_subparsers(title="what to do", required=True, metavar="ACT")
    adding = acts.add_parser("add", help="register a client").add_subparsers(
        title="what it is", required=True, metavar="KIND"
    )
    for kind, what in (("app", "an app of citizens"), ("ops", "an ops console")):
        _add_public(adding, kind, what)
    _add_provider(adding)
    listing = acts.add_parser("list", help="every client with its kind, state and where it goes back to")
    listing.set_defaults(do=_list)
    suspend = acts.add_parser(
        "suspend",
        help="let a client in no longer",
        description="Let a client in no longer. Tokens it already holds stop working at once.",
    )
    suspend.add_argument("id", help="the client id")
    suspend.set_defaults(do=_suspend)


def _add_public(kinds: argparse._SubParsersAction[argparse.ArgumentParser], kind: str, what: str) -> None:
    parser = kinds.add_parser(
        kind,
        help=what,
        description=f"Register {what}. It has no secret: people sign in through it by code and PKCE, and are "
        "sent back to one of these addresses, exactly as written here.",
    )
    _add_names(parser)
    parser.add_argument(
        "--redirect",
        nargs="+",
        required=True,
        metavar="URI",
        help="https:// addresses to send people back to",
    )
    parser.set_defaults(do=_register, kind=kind, organisation=None, keys=None)


def _add_provider(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = kinds.add_parser(
        "provider",
        help="a system of an organisation",
        description="Register a system of an organisation that is in the registry. It proves itself with its "
        "own private key; give the public halves.",
    )
    _add_names(parser)
    parser.add_argument("--organisation", required=True, metavar="ID", help="its id in the registry")
    parser.add_argument(
        "--keys",
        type=Path,
        required=True,
        metavar="FILE",
        help="a JWK set of public P-256 keys with kids, and of RSA keys that sign check-ups",
    )
    parser.set_defaults(do=_register, kind="provider", redirect=())


def _add_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", help="the client id, public")
    parser.add_argument("label", help="what people read in the list of their sessions")


def _register(options: argparse.Namespace) -> int:
    jwks = _read(options.keys) if options.keys is not None else None
    with _clients(options.organisation) as clients:
        made = clients.register(
            options.id,
            options.kind,
            options.label,
            redirect_uris=tuple(options.redirect),
            jwks=jwks,
            organisation_id=options.organisation,
        )
    tell(f"{made.id} is registered ({made.kind}).")
    return 0


def _list(_: argparse.Namespace) -> int:
    with _clients() as clients:
        found = clients.all()
    for one in found:
        where = one.organisation_id or " ".join(one.redirect_uris)
        tell(f"{one.id}  {one.kind}  {one.status}  {where}  {one.label}")
    if not found:
        tell("No client is registered.")
    return 0


def _suspend(options: argparse.Namespace) -> int:
    with _clients() as clients:
        clients.set_status(options.id, "suspended")
    tell(f"{options.id} is suspended.")
    return 0


@contextmanager
def _clients(organisation_id: str | None = None) -> Iterator[Clients]:
    """The register; with an organisation, one that is known. What it refuses is told in a sentence."""
    try:
        with opened_services(settings_here()) as (services, _database):
            if organisation_id is not None:
                services.identity.organisations.get(organisation_id)
            yield services.identity.clients
    except Taken:
        raise CannotDo("This client id is in use.") from None
    except ClientUnknown:
        raise CannotDo("There is no such client.") from None
    except OrganisationUnknown:
        raise CannotDo("There is no such organisation in the registry.") from None
    except BadClient as why:
        raise CannotDo(f"This client cannot be registered: {why}.") from None
    except StaleVersion:
        raise CannotDo("Somebody else changed this client at the same moment: look again.") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as why:
        raise CannotDo(f"The keys in {path} cannot be read ({why.strerror}).") from why
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise CannotDo(f"{path} is no JWK set.")
    return found
