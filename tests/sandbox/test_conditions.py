from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from wallet_api.sandbox.conditions import (
    carries_demo_marker,
    put_demo_marker,
    refusal,
)
from wallet_api.settings import Settings, SettingsError


def demo_settings(data: Path) -> Settings:
    return Settings.from_env(
        {
            "WALLET_ENV": "dev",
            "WALLET_DATA_DIR": str(data),
            "WALLET_VNEID_ISSUER": "http://127.0.0.1:9001",
            "WALLET_OPS_ISSUER": "http://127.0.0.1:9001",
            "WALLET_FCM_ENDPOINT": "http://127.0.0.1:9002",
        }
    )


def ask(settings: Settings, *, host: str = "127.0.0.1", marked: bool = True) -> str | None:
    return refusal(settings, host=host, has_demo_marker=lambda: marked)


def test_a_demonstration_on_one_machine_is_allowed(tmp_path: Path) -> None:
    assert ask(demo_settings(tmp_path)) is None


def test_production_has_no_sandbox(tmp_path: Path) -> None:
    assert "WALLET_ENV" in (ask(replace(demo_settings(tmp_path), env="prod")) or "")


@pytest.mark.parametrize("uri", ["mongodb://127.0.0.1:27017", "mongodb+srv://cluster.example", ""])
def test_a_database_that_is_not_embedded_has_no_sandbox(tmp_path: Path, uri: str) -> None:
    assert "embedded" in (ask(replace(demo_settings(tmp_path), mongo_uri=uri)) or "")


@pytest.mark.parametrize("field", ["public_url", "vneid_issuer", "ops_issuer", "fcm_endpoint"])
@pytest.mark.parametrize(
    "url",
    [
        "https://wallet.example",
        "http://10.0.0.5:8080",
        "http://0.0.0.0:1",
        "http://127.0.0.1.example",
        "http://[",
    ],
)
def test_an_address_elsewhere_means_no_sandbox(tmp_path: Path, field: str, url: str) -> None:
    reason = ask(replace(demo_settings(tmp_path), **{field: url})) or ""
    assert f"WALLET_{field.upper()}" in reason
    assert url not in reason


@pytest.mark.parametrize("field", ["public_url", "vneid_issuer", "fcm_endpoint"])
def test_an_address_that_is_not_set_means_no_sandbox(tmp_path: Path, field: str) -> None:
    assert ask(replace(demo_settings(tmp_path), **{field: ""}))


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.168.1.4"])
def test_the_sandbox_never_listens_to_the_network(tmp_path: Path, host: str) -> None:
    assert "binds only" in (ask(demo_settings(tmp_path), host=host) or "")


def test_a_database_without_the_demo_marker_has_no_sandbox(tmp_path: Path) -> None:
    assert "demo people" in (ask(demo_settings(tmp_path), marked=False) or "")


def test_the_database_is_not_asked_when_another_condition_fails(tmp_path: Path) -> None:
    def touched() -> bool:
        raise AssertionError("the database was asked")

    settings = replace(demo_settings(tmp_path), mongo_uri="mongodb://db.example")
    assert refusal(settings, host="127.0.0.1", has_demo_marker=touched)


class _Collection:
    def __init__(self) -> None:
        self.rows: dict[str, dict[str, str]] = {}

    def find_one(self, wanted: dict[str, str]) -> dict[str, str] | None:
        return self.rows.get(wanted["_id"])

    def replace_one(self, wanted: dict[str, str], row: dict[str, str], *, upsert: bool) -> None:
        assert upsert
        self.rows[wanted["_id"]] = row


def test_the_marker_is_found_only_after_it_was_put() -> None:
    database = {"demo_marker": _Collection()}
    assert not carries_demo_marker(database)
    put_demo_marker(database)
    put_demo_marker(database)
    assert carries_demo_marker(database)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9001",
        "https://127.0.0.1",
        "https://localhost:9001/x",
        "https://LOCALHOST.",
        "https://vneid.localhost",
        "https://[::1]:9001",
        "https://127.8.8.8",
        "http://vneid.example",
        "",
    ],
)
def test_production_takes_an_address_on_this_machine(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        production(tmp_path, url)
    assert [fault.partition(" ")[0].rstrip(":") for fault in refused.value.faults] == ["WALLET_VNEID_ISSUER"]


def test_production_refuses_a_real_issuer(tmp_path: Path) -> None:
    issuer = "https://id.vneid.example/oauth2"
    assert production(tmp_path, issuer).vneid_issuer == issuer


def production(data: Path, issuer: str) -> Settings:
    return Settings.from_env(
        {
            "WALLET_DATA_DIR": str(data),
            "WALLET_MONGO_URI": "mongodb://db.example",
            "WALLET_PUBLIC_URL": "https://wallet.example",
            "WALLET_BROKER_URL": "amqps://broker.example",
            "WALLET_REDIS_URL": "rediss://limits.example",
            "WALLET_VNEID_ISSUER": issuer,
            "WALLET_OPS_ISSUER": "https://ops.example",
        }
    )
