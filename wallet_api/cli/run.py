"""`run`: the whole wallet on this machine, until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from wallet_api.cli.local import LocalWallet, Ports, database_up, prepare
from wallet_api.cli.opened import dev_settings
from wallet_api.cli.screen import CannotDo, tell
from wallet_api.infra.processes import Supervisor, disk_space_fault

HIGHEST_PORT = 65533


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "run",
        help="start everything on this machine (development)",
        description="Start database, sandbox, API and worker on 127.0.0.1, with demo people the first time. "
        "PORT (default 8080) is the API's, the two ports after it are the sandbox's; WALLET_DATA_DIR "
        "(default ./data) keeps everything. Ctrl-C stops it all.",
    )
    parser.set_defaults(do=_run)


def _run(_: argparse.Namespace) -> int:
    settings = dev_settings("run")
    if settings.port > HIGHEST_PORT:
        raise CannotDo(f"PORT must be at most {HIGHEST_PORT}: the sandbox takes the two ports after it.")
    fault = disk_space_fault(settings.data_dir)
    if fault:
        raise CannotDo(fault)
    ports = Ports(settings.port, settings.port + 1, settings.port + 2)
    wallet = LocalWallet.described(os.environ, ports)
    children = (*wallet.servers(), wallet.worker())
    with Supervisor(children, settings.data_dir, tell=tell) as supervisor:
        # Only now: what a killed run left behind has been ended, and may have held the ports.
        faults = wallet.port_faults()
        if faults:
            raise CannotDo(faults[0])
        tell(f"Starting the wallet on {settings.data_dir}.")
        with database_up(settings):
            try:
                prepare(wallet, tell)
                supervisor.start()
                _welcome(wallet)
                supervisor.watch()
            finally:
                tell("Stopping.")
                supervisor.stop()
    return 0


def _welcome(wallet: LocalWallet) -> None:
    tell()
    tell(f"The wallet is ready: {wallet.url}/  (API: {wallet.url}/api/docs/)")
    if wallet.sandbox:
        tell(f"  sandbox VNeID          {wallet.vneid_url}/")
        tell(f"  sandbox push receiver  {wallet.push_url}/")
    tell(f"  logs                   {wallet.settings.data_dir / 'logs'}")
    tell()
    tell("Try:")
    for line in curl_lines(wallet, os.environ):
        tell(f"  {line}")
    tell()
    tell("Ctrl-C stops everything; the data stays.")


def curl_lines(wallet: LocalWallet, env: Mapping[str, str]) -> list[str]:
    """Three lines to paste into a shell in the same folder; the last signs a demo person in first."""
    lines = [f"curl {wallet.url}/readyz", f"curl {wallet.url}/api/v1/code-systems/purposes"]
    if wallet.sandbox:
        token = f"$(WALLET_ENV=dev {_python(env)} -m wallet_api token an --url {wallet.url})"
        lines.append(
            f'curl -H "Authorization: Bearer {token}" "{wallet.url}/api/v1/citizens/me/records?limit=3"'
        )
    return lines


def _python(env: Mapping[str, str]) -> str:
    here = Path(env.get("PWD") or Path.cwd())
    python = Path(sys.executable)
    return str(python.relative_to(here)) if python.is_relative_to(here) else str(python)
