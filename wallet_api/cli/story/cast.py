"""Who plays in the story: the clients, the people behind them, and what one hands to another."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from wallet_api.cli.local import LocalWallet
from wallet_api.cli.story.clients import CitizenApp, Http, OpsConsole, ProviderSystem
from wallet_api.cli.story.journal import Journal
from wallet_api.infra.clock import FileClock
from wallet_api.wiring.demo import demo_patients, provider_key
from wallet_api.wiring.demo_books import Patient

PROOFS = Path("build") / "story"
"""Where the story leaves what anybody can verify afterwards; under the folder it was started in."""
DOCTOR, OTHER_DOCTOR = "99001-001", "99001-002"
ASSESSOR, NURSE = "99003-001", "99002-002"


@dataclass
class Cast:
    """Everybody, and the few things that pass between them during the story."""

    wallet: LocalWallet
    clock: FileClock
    journal: Journal
    citizen: CitizenApp
    hospital: ProviderSystem
    other_doctor: ProviderSystem
    insurer: ProviderSystem
    station: ProviderSystem
    ops: OpsConsole
    receiver: Http
    patients: dict[str, Patient]
    handed: dict[str, str] = field(default_factory=dict)
    book: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def assembled(cls, wallet: LocalWallet, clock: FileClock, journal: Journal) -> Cast:
        """Everybody at the door of a running wallet, signed in nowhere."""

        def system(organisation: str) -> ProviderSystem:
            key = provider_key(wallet.settings, organisation).read_bytes()
            return ProviderSystem(wallet.url, organisation, key, clock)

        cast = cls(
            wallet=wallet,
            clock=clock,
            journal=journal,
            citizen=CitizenApp(wallet.url),
            hospital=system("demo-hospital"),
            other_doctor=system("demo-hospital"),
            insurer=system("demo-insurer"),
            station=system("demo-station"),
            ops=OpsConsole(wallet.url),
            receiver=Http(wallet.push_url),
            patients=demo_patients(wallet.settings, clock),
        )
        cast._listen()
        return cast

    def day(self, ago: int) -> str:
        """The day so many days before the story's today."""
        return (self.clock() - timedelta(days=ago)).date().isoformat()

    def instant(self, ahead: int) -> str:
        """The instant so many days from now, RFC 3339."""
        return rfc3339(self.clock() + timedelta(days=ahead))

    def leave_proof(self, name: str, content: object) -> Path:
        """Write something that can be verified without this wallet, as JSON; where it lies."""
        PROOFS.mkdir(parents=True, exist_ok=True)
        path = PROOFS / name
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        return path

    def leave_file(self, name: str, content: bytes) -> Path:
        """The same for a file as it was fetched."""
        PROOFS.mkdir(parents=True, exist_ok=True)
        path = PROOFS / name
        path.write_bytes(content)
        return path

    def _listen(self) -> None:
        heard: list[tuple[Http, str]] = [
            (self.citizen, "citizen app"),
            (self.hospital, "hospital"),
            (self.other_doctor, "hospital, other doctor"),
            (self.insurer, "insurer"),
            (self.station, "commune station"),
            (self.ops, "ops console"),
            (self.receiver, "push receiver"),
        ]
        for client, name in heard:
            client.heard = self.journal.heard(name)


Act = Callable[[Cast], None]


def rfc3339(moment: datetime) -> str:
    """An instant as the API writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
