"""A whole wallet on this machine: which processes it is made of, and what each is told."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import wallet_api.settings
from wallet_api.cli.opened import opened_services
from wallet_api.cli.screen import CannotDo
from wallet_api.infra.embedded import server_at
from wallet_api.infra.mongo import connect
from wallet_api.infra.processes import Child, port_fault
from wallet_api.settings import Settings
from wallet_api.wiring.demo import (
    already_seeded,
    demo_marked,
    publish_client_keys,
    sandbox_credentials,
    seed_demo,
)

ROOT = Path(wallet_api.settings.__file__).parents[1]
_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Ports:
    """Where the three servers listen."""

    api: int
    vneid: int
    push: int


@dataclass(frozen=True)
class LocalWallet:
    """The wallet of one data folder. `sandbox` says whether demo people and the sandbox belong to it."""

    settings: Settings
    env: Mapping[str, str]
    ports: Ports
    sandbox: bool

    @classmethod
    def described(cls, env: Mapping[str, str], ports: Ports) -> LocalWallet:
        """Complete what the environment leaves open.

        With a database or a sign-in provider of one's own nothing is pretended: no demo people, no sandbox.

        Raises:
            SettingsError: the environment does not describe a wallet.
        """
        given = Settings.from_env({**env, "PORT": str(ports.api)})
        sandbox = given.dev and given.embedded and not given.vneid_issuer
        told = {"WALLET_ENV": given.env, "PORT": str(ports.api), "WALLET_DATA_DIR": str(given.data_dir)}
        told["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), env.get("PYTHONPATH", ""))))
        if given.clock_file is not None:
            told["WALLET_CLOCK_FILE"] = str(given.clock_file)
        if sandbox:
            told["WALLET_VNEID_ISSUER"] = told["WALLET_OPS_ISSUER"] = f"http://{_HOST}:{ports.vneid}"
            told["WALLET_FCM_ENDPOINT"] = f"http://{_HOST}:{ports.push}"
            told["WALLET_FCM_CREDENTIALS"] = str(sandbox_credentials(given))
        return cls(Settings.from_env({**env, **told}), told, ports, sandbox)

    @property
    def url(self) -> str:
        """Where the API answers."""
        return f"http://{_HOST}:{self.ports.api}"

    @property
    def push_url(self) -> str:
        """Where the sandbox push receiver shows what it got."""
        return f"http://{_HOST}:{self.ports.push}"

    @property
    def vneid_url(self) -> str:
        """Where the sandbox sign-in provider answers."""
        return f"http://{_HOST}:{self.ports.vneid}"

    def servers(self) -> tuple[Child, ...]:
        """The sandbox, if it belongs to this wallet, and the API."""
        pretended = (self._sandbox("vneid", self.ports.vneid), self._sandbox("push", self.ports.push))
        return (*(pretended if self.sandbox else ()), self._api())

    def worker(self) -> Child:
        """The worker; it says itself when it is ready."""
        argv = (sys.executable, "-m", "wallet_api", "worker")
        return Child("worker", argv, ready_file(self.settings).exists, self.env, patience=60)

    def port_faults(self) -> list[str]:
        """A sentence for each port that is taken."""
        wanted = [self.ports.api, *((self.ports.vneid, self.ports.push) if self.sandbox else ())]
        return [fault for fault in map(port_fault, wanted) if fault]

    def _api(self) -> Child:
        config = str(ROOT / "deploy" / "gunicorn.conf.py")
        argv = (sys.executable, "-m", "gunicorn", "-c", config, "--chdir", str(ROOT), "wsgi:app")
        return Child("api", argv, f"{self.url}/readyz", self.env, patience=60)

    def _sandbox(self, name: str, port: int) -> Child:
        argv = (sys.executable, "-m", f"wallet_api.sandbox.{name}", "--port", str(port))
        return Child(name, argv, f"http://{_HOST}:{port}/", self.env)


def ready_file(settings: Settings) -> Path:
    """What a worker writes when it has begun to work."""
    return settings.data_dir / "worker.ready"


@contextmanager
def database_up(settings: Settings) -> Iterator[None]:
    """The embedded database, run and watched by this process for that long; nothing for any other.

    Raises:
        EmbeddedError: it cannot be had.
    """
    if not settings.embedded:
        yield
        return
    server = server_at(settings.embedded_path)
    try:
        yield
    finally:
        server.stop()


def prepare(wallet: LocalWallet, tell: Callable[[str], object]) -> None:
    """Demo people, once, and the keys by which wallet and sandbox know each other.

    Call it when the data folder is this process's: what an earlier worker said of itself is forgotten.

    Raises:
        CannotDo: the database holds something that is no demonstration.
    """
    ready_file(wallet.settings).unlink(missing_ok=True)
    if not wallet.sandbox:
        return
    database = connect(wallet.settings)
    with database.client:
        if not demo_marked(database):
            raise CannotDo(
                f"The database in {wallet.settings.embedded_path} holds data that is no demonstration, so "
                "the sandbox may not run on it: choose another folder with WALLET_DATA_DIR."
            )
        seeded = already_seeded(database)
    with opened_services(wallet.settings) as (services, db):
        if seeded:
            publish_client_keys(services, wallet.settings)
            return
        tell("Making the demo people and their books (once):")
        seed_demo(services, db, wallet.settings, lambda part: tell(f"  {part}"))
