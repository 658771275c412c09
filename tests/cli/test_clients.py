"""Clients are registered and suspended from the command line, in production too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from wallet_api.cli import clients as commands
from wallet_api.cli import main
from wallet_api.context import Services
from wallet_api.identity.model import Organisation
from wallet_api.infra.clock import clock_from
from wallet_api.infra.crypto.jws import load_private_key, new_private_pem, public_jwk
from wallet_api.infra.crypto.keystore import FileKeyStore
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import open_database
from wallet_api.settings import Settings
from wallet_api.wiring import build_services

Db = Database[dict[str, Any]]
CLINIC = Organisation("clinic", "Trạm y tế", "Station", "commune_station")
BACK = "https://wallet.example.vn/callback"


@pytest.fixture(scope="module")
def wallet(embedded_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Services, Db]]:
    """A production wallet, but for its database: only the embedded one is there in a test."""
    db, folder = open_database(embedded_uri, f"clients_{new_id()}"), tmp_path_factory.mktemp("clients")
    told = {"WALLET_ENV": "dev", "WALLET_DATA_DIR": str(folder), "WALLET_MONGO_URI": embedded_uri}
    settings = replace(Settings.from_env(told | {"WALLET_DATABASE": db.name}), env="prod")
    FileKeyStore(settings.keys_dir, create=True).prepare(clock_from(settings)())
    # In production nothing migrates by itself.
    build_services(replace(settings, env="dev"), db).log.close()
    services = build_services(settings, db)
    yield services, db
    services.log.close()
    db.client.close()


@pytest.fixture
def services(wallet: tuple[Services, Db], monkeypatch: pytest.MonkeyPatch) -> Services:
    """That wallet, without clients and organisations."""
    services, db = wallet
    for name in ("oauth_clients", "organisations"):
        db[name].delete_many({})
    monkeypatch.setattr(commands, "settings_here", lambda: services.settings)
    return services


def keys_in(path: Path, **over: Any) -> Path:
    key = public_jwk(load_private_key(new_private_pem("ES256")).public_key())
    path.write_text(json.dumps({"keys": [key | over]}))
    return path


@pytest.mark.parametrize("kind", ["app", "ops"])
def test_a_public_client_is_registered_in_production(
    kind: str, services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["clients", "add", kind, "one", "Ví", "--redirect", BACK, f"{BACK}/2"]) == 0
    made = services.identity.clients.live("one")
    assert made is not None and (made.kind, made.label) == (kind, "Ví")
    assert made.redirect_uris == (BACK, f"{BACK}/2")
    assert main(["clients", "add", kind, "one", "Ví", "--redirect", BACK]) == 1
    assert "in use" in capsys.readouterr().err


def test_a_bad_redirect_is_refused_in_a_sentence(
    services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["clients", "add", "app", "one", "Ví", "--redirect", "http://127.0.0.1/back"]) == 1
    assert "https://" in capsys.readouterr().err
    assert services.identity.clients.live("one") is None


def test_a_provider_system_is_registered_for_a_known_organisation_alone(
    services: Services, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = keys_in(tmp_path / "jwks.json")
    asked = ["clients", "add", "provider", "his", "HIS", "--organisation", "clinic", "--keys", str(keys)]
    assert main(asked) == 1
    assert "organisation" in capsys.readouterr().err
    services.identity.organisations.add(CLINIC)
    assert main(asked) == 0
    made = services.identity.clients.live("his")
    assert made is not None and made.organisation_id == "clinic"


@pytest.mark.parametrize("content", [None, "", "[]", "{}", "private"])
def test_bad_keys_are_refused_in_a_sentence(
    content: str | None, services: Services, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    services.identity.organisations.add(CLINIC)
    path = tmp_path / "jwks.json"
    if content == "private":
        keys_in(path, d="secret")
    elif content is not None:
        path.write_text(content)
    asked = ["clients", "add", "provider", "his", "HIS", "--organisation", "clinic", "--keys", str(path)]
    assert main(asked) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert services.identity.clients.live("his") is None


def test_a_suspended_client_is_let_in_no_longer(
    services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["clients", "add", "app", "one", "Ví", "--redirect", BACK])
    assert main(["clients", "suspend", "one"]) == 0
    assert services.identity.clients.live("one") is None
    assert main(["clients", "suspend", "two"]) == 1
    assert "no such client" in capsys.readouterr().err


def test_clients_are_listed_with_their_state(services: Services, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clients", "list"]) == 0
    assert "No client" in capsys.readouterr().out
    main(["clients", "add", "ops", "two", "Ops", "--redirect", BACK])
    main(["clients", "add", "app", "one", "Ví", "--redirect", BACK])
    main(["clients", "suspend", "two"])
    capsys.readouterr()
    assert main(["clients", "list"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told == [f"one  app  active  {BACK}  Ví", f"two  ops  suspended  {BACK}  Ops"]
