"""`openapi`: the document that describes the API."""

from __future__ import annotations

import argparse
import json

from wallet_api.cli.opened import opened_services, settings_here
from wallet_api.cli.screen import CannotDo, tell


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("openapi", help="print the OpenAPI 3 document of this wallet")
    parser.set_defaults(do=_print)


def _print(_: argparse.Namespace) -> int:
    # Only here: every route is loaded with it, which every other command would wait for.
    from wallet_api.app import create_app

    settings = settings_here()
    with opened_services(settings) as (services, _database):
        answer = create_app(settings, services).test_client().get("/api/openapi.json")
    if answer.status_code != 200:
        raise CannotDo(f"The document could not be made (status {answer.status_code}).")
    tell(json.dumps(answer.get_json(), ensure_ascii=False, indent=1))
    return 0
