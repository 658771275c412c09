"""Requests made up from the published document, sent to a running wallet: nothing may be found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.openapi import peopled
from tests.openapi.fuzzing import CHECKS, PHASES, Finding, Run
from tests.openapi.served import served
from tests.world import World

Record = Callable[[str, object], None]
PARTS: dict[str, tuple[str, ...]] = {
    "citizen": (
        "citizens",
        "records",
        "consents",
        "co-consents",
        "grants",
        "family",
        "objections",
        "own-merges",
        "erasures",
        "bequests",
        "rights",
        "shares",
        "health-cards",
        "exports",
        "corrections",
        "disputes",
        "changes",
        "pages",
        "log-proofs",
        "reminders",
        "kindness",
        "own-commune",
        "communes",
        "directory",
        "fhir-consents",
        "fhir-audit-events",
        "fhir-patients",
        "fhir-records",
        "fhir-summary",
    ),
    "provider": (
        "provider",
        "granted-series",
        "writing",
        "station",
        "emergency",
        "events",
        "holders",
        "flagging",
        "births",
        "correction-answers",
    ),
    "ops": (
        "ops",
        "rebuilds",
        "session-desk",
        "registry",
        "organisations",
        "webhooks",
        "accounts",
        "numbers",
        "death-reports",
        "death-reviews",
        "merge-proposals",
        "merge-reviews",
        "heir-reports",
        "heir-reviews",
        "breaches",
        "campaigns",
        "campaign-approvals",
        "family-desk",
        "rights-desk",
        "safety-desk",
        "emergency-reviews",
        "overdue-erasures",
        "mismatches",
        "parked",
        "dead-letters",
    ),
    "public": ("share-links", "code-systems", "proofs", "card-issuer", "oauth", "service", "fhir-metadata"),
}
"""Tags of the document, by who is sent to them."""
DAILY: dict[str, tuple[str, ...]] = {
    "citizen": ("records", "directory"),
    "provider": ("provider", "writing"),
}
"""Tags asked in each run of the tests; the long run asks all of all parts."""
IDENTITIES: dict[str, Callable[[World], list[peopled.Identity]]] = {
    "citizen": peopled.citizens,
    "provider": peopled.practitioners,
    "ops": lambda world: [peopled.registrar(world)],
    "public": lambda world: [peopled.nobody()],
}
EXAMPLES = {"citizen": 3, "provider": 4}
"""Made-up requests an operation in the phase that makes them up freely; the other phases count their own."""
QUICK = tuple(each for each in PHASES if each != "examples")
"""The phase of examples makes up whatever an example leaves open, each in a search of its own, which is half
of a run's time; what the examples say is among what the phase of coverage sends. One run a day has it."""
DAILY_PHASES = {"citizen": PHASES, "provider": QUICK}
FEWEST = {"citizen": 200, "provider": 250}


@pytest.fixture(scope="module")
def running(embedded_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    """The whole wallet, and beside it the operations with planted faults."""
    with served(embedded_uri, tmp_path_factory.mktemp("wallet"), "tests.openapi.broken:app") as found:
        yield found


def told(part: str, found: Finding, record: Record) -> None:
    """Print what a run did."""
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(found.statuses.items()))
    print(f"\nschemathesis {part}: {found.requests} requests, {len(CHECKS)} checks on each; {statuses}")
    record(f"requests_{part}", found.requests)


@pytest.mark.parametrize("part", DAILY)
def test_nothing_is_found(
    part: str, running: tuple[World, str], tmp_path: Path, record_property: Record
) -> None:
    world, url = running
    identities = IDENTITIES[part](world)
    throwaways = peopled.throwaways(world, 60) if part == "citizen" else ()
    run = Run(
        url,
        tmp_path / part,
        identities,
        DAILY[part],
        examples=EXAMPLES[part],
        phases=DAILY_PHASES[part],
    )
    found = run.start(throwaways)
    told(part, found, record_property)
    assert found.code == 0, found.said
    assert found.requests >= FEWEST[part], found.statuses
    assert found.statuses[200] > 20, "the requests reach something"


def test_every_tag_is_sent_to(running: tuple[World, str]) -> None:
    world, _ = running
    spec: dict[str, Any] = world.app.test_client().get("/api/openapi.json").get_json()
    assert {each["name"] for each in spec["tags"]} == {tag for tags in PARTS.values() for tag in tags}


def test_planted_faults_are_found(
    running: tuple[World, str], tmp_path: Path, record_property: Record
) -> None:
    world, url = running
    identities = [peopled.Identity(name, world.person().token) for name in ("alice", "bob")]
    found = Run(url, tmp_path / "run", identities, ["broken"], examples=5, phases=QUICK).start()
    told("broken", found, record_property)
    assert found.code == 1
    for planted in (
        "ST101 Server error",
        "ST103 Undocumented status code",
        "ST401",
        "ST402",
    ):
        assert planted in found.said, found.said
