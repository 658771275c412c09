"""A client generated from the document, without a word of ours in it, reads a book."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.openapi.served import ROOT
from tests.world import World, bundle, condition, found_in

PACKAGE = "wallet_client"
SETTINGS = {"content_type_overrides": {"application/jose": "text/plain"}}
"""What the generator must be told: a file of SMART Health Links is a text, whatever its name."""


def generator() -> Path:
    """Where the generator is; skips where it is not."""
    told = os.environ.get("WALLET_SCANNERS")
    folder = Path(told) if told else ROOT / ".venv" / "scanners" / "bin"
    found = folder / "openapi-python-client"
    if not found.exists():
        pytest.skip(f"openapi-python-client is not in {folder} (make scan installs it)")
    return found


@pytest.fixture(scope="module")
def client(running: tuple[World, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The generated package."""
    program, folder = generator(), tmp_path_factory.mktemp("client")
    document = folder / "openapi.json"
    document.write_text(json.dumps(found_in(running[0].get("/api/openapi.json"))), encoding="utf-8")
    settings = folder / "settings.json"
    settings.write_text(json.dumps(SETTINGS), encoding="utf-8")
    # It tidies up with ruff, which is among our checks.
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [str(program), "generate", "--path", str(document), "--meta", "none"]
    command += ["--config", str(settings)]
    done = subprocess.run(
        [*command, "--output-path", str(folder / PACKAGE)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0 and "arning" not in said and "unsupported" not in said.lower(), said
    sys.path.insert(0, str(folder))
    yield importlib.import_module(PACKAGE)
    sys.path.remove(str(folder))
    for name in [each for each in sys.modules if each.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def test_the_client_has_every_operation(running: tuple[World, str], client: ModuleType) -> None:
    spec = found_in(running[0].get("/api/openapi.json"))
    wanted = sum(method != "parameters" for item in spec["paths"].values() for method in item)
    folder = Path(str(client.__file__)).parent / "api"
    made = [each for each in folder.glob("*/*.py") if each.name != "__init__.py"]
    assert len(made) == wanted > 50


def test_the_client_reads_a_book(running: tuple[World, str], client: ModuleType) -> None:
    world, url = running
    person, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(person, condition(), condition("c2", on="2026-05")))
    book = importlib.import_module(f"{PACKAGE}.api.records.list_records")
    types = importlib.import_module(f"{PACKAGE}.models")
    with client.AuthenticatedClient(base_url=url, token=person.token) as signed_in:
        page = book.sync("me", client=signed_in, limit=5)
    assert isinstance(page, types.RecordPage), page
    assert [each.occurred_on for each in page.items] == ["2026-05", "2026-03-04"]
    assert {each.category for each in page.items} == {"condition"} and page.next_cursor is None
    with client.AuthenticatedClient(base_url=url, token="x") as stranger:
        refused = book.sync("me", client=stranger)
    assert isinstance(refused, types.Problem) and refused.code == "invalid_token"
