"""`token`: an access token of a demo person or organisation, by signing in to a running wallet."""

from __future__ import annotations

import argparse

import requests

from wallet_api.cli.opened import dev_settings
from wallet_api.cli.screen import CannotDo, tell
from wallet_api.cli.story.clients import CitizenApp, ClientFailed, OpsConsole, ProviderSystem
from wallet_api.infra.clock import clock_from
from wallet_api.settings import Settings, on_loopback
from wallet_api.wiring.demo import demo_organisations, provider_key


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "token",
        help="print an access token of a demo person (development)",
        description="Sign in to a running wallet as a demo person, with the whole code flow over HTTP, and "
        "print the access token; it is good for five minutes. Citizens: an, binh, cuc, duc, emma. Ops: "
        "ops-operator, ops-reviewer, ops-registrar. Systems: demo-hospital, demo-station, demo-insurer.",
    )
    parser.add_argument("who", help="demo person or organisation")
    parser.add_argument("--url", help="where the wallet answers; default http://127.0.0.1:PORT")
    parser.add_argument("--practitioner", help="who reads for the organisation, like 99001-001")
    parser.set_defaults(do=_token)


def _token(options: argparse.Namespace) -> int:
    settings = dev_settings("token")
    url = (options.url or settings.public_url).rstrip("/")
    if not on_loopback(url):
        raise CannotDo("Demo people exist on this machine alone: --url must be on 127.0.0.1.")
    try:
        tell(_signed_in(settings, url, options.who, options.practitioner))
    except ClientFailed as why:
        raise CannotDo(f"{options.who} could not sign in: {why}.") from why
    except requests.RequestException as why:
        raise CannotDo(f"No wallet answers at {url}: is `make run` running?") from why
    return 0


def _signed_in(settings: Settings, url: str, who: str, practitioner: str | None) -> str:
    if who in demo_organisations():
        key = provider_key(settings, who)
        if not key.exists():
            raise CannotDo(f"There is no {key}: set WALLET_DATA_DIR as for the running wallet.")
        return ProviderSystem(url, who, key.read_bytes(), clock_from(settings)).sign_in(practitioner)
    app = OpsConsole(url) if who.startswith("ops-") else CitizenApp(url)
    app.sign_in(who)
    return app.access_token
