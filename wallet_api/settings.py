"""Settings: one frozen value read from the environment, all faults told at once, unset means strict."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

_CLAIMS = {
    "number": "number",
    "name": "name",
    "birth_date": "birthdate",
    "sex": "gender",
    "phone": "phone_number",
}
_HOST = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+(:[1-9][0-9]{0,4})?")
DEV_PORT = 8080


class SettingsError(Exception):
    """The environment does not describe a wallet that may start; `faults` names every reason."""

    code = "bad_settings"

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def on_loopback(url: str) -> bool:
    """Whether the URL's host is this machine; a URL that cannot be read is not."""
    try:
        return loopback_host(urlsplit(url).hostname or "")
    except ValueError:
        return False


def loopback_host(host: str) -> bool:
    """Whether a host is a loopback name (RFC 6761) or address, in any spelling."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Settings:
    """Everything the product can be told from outside. Each field is WALLET_<NAME> (port: PORT)."""

    env: Literal["dev", "prod"]
    data_dir: Path
    mongo_uri: str = field(repr=False)
    database: str
    port: int
    public_url: str
    keys_dir: Path
    vneid_issuer: str
    vneid_client_id: str
    vneid_client_key: Path | None
    vneid_claims: Mapping[str, str]
    vneid_levels: tuple[str, ...]
    ops_issuer: str
    ops_client_id: str
    ops_client_key: Path | None
    broker_url: str = field(repr=False)
    fcm_endpoint: str
    fcm_project: str
    fcm_credentials: Path | None
    clock_file: Path | None
    log_level: str
    redis_url: str = field(repr=False)
    limits: Mapping[str, str] | None
    trusted_proxies: int
    concurrent: int
    disk_reserve: int
    metrics_token: str = field(default="", repr=False)
    otlp_endpoint: str = ""
    webhook_hosts: tuple[str, ...] = ()
    lookup_blur: int = 0
    checkpoint_dirs: tuple[Path, ...] = ()
    sync_days: int = 90
    export_hours: int = 24
    push_rate: int = 9000
    smtp_url: str = field(default="", repr=False)
    smtp_from: str = ""
    fallback_hours: int = 24

    @property
    def dev(self) -> bool:
        """Whether this is a development wallet (sandbox and embedded database allowed)."""
        return self.env == "dev"

    @property
    def embedded(self) -> bool:
        """Whether the database is the embedded one."""
        return self.mongo_uri.startswith("embedded:")

    @property
    def embedded_path(self) -> Path:
        """Folder of the embedded database."""
        return Path(self.mongo_uri.removeprefix("embedded:"))

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Read the environment.

        Raises:
            SettingsError: with every fault found, not only the first.
        """
        faults: list[str] = []
        found = _read(env, faults)
        faults += _faults(found)
        if faults:
            raise SettingsError(faults)
        return found


def _read(env: Mapping[str, str], faults: list[str]) -> Settings:
    dev = env.get("WALLET_ENV", "prod") == "dev"
    data = Path(env.get("WALLET_DATA_DIR") or "data").absolute()
    port = _port(env.get("PORT", str(DEV_PORT)), faults)
    base = f"http://127.0.0.1:{port}" if dev else ""
    return Settings(
        env="dev" if dev else "prod",
        data_dir=data,
        mongo_uri=env.get("WALLET_MONGO_URI") or (f"embedded:{data / 'db'}" if dev else ""),
        database=env.get("WALLET_DATABASE") or "wallet",
        port=port,
        public_url=(env.get("WALLET_PUBLIC_URL") or base).rstrip("/"),
        keys_dir=Path(env.get("WALLET_KEYS_DIR") or data / "keys").absolute(),
        vneid_issuer=(env.get("WALLET_VNEID_ISSUER") or "").rstrip("/"),
        vneid_client_id=env.get("WALLET_VNEID_CLIENT_ID") or "health-wallet",
        vneid_client_key=_path(env.get("WALLET_VNEID_CLIENT_KEY")),
        vneid_claims=_claims(env.get("WALLET_VNEID_CLAIMS"), faults),
        vneid_levels=tuple((env.get("WALLET_VNEID_LEVELS") or "2").split(",")),
        ops_issuer=(env.get("WALLET_OPS_ISSUER") or "").rstrip("/"),
        ops_client_id=env.get("WALLET_OPS_CLIENT_ID") or "health-wallet-ops",
        ops_client_key=_path(env.get("WALLET_OPS_CLIENT_KEY")),
        broker_url=env.get("WALLET_BROKER_URL") or (f"filesystem:{data / 'broker'}" if dev else ""),
        fcm_endpoint=(env.get("WALLET_FCM_ENDPOINT") or "https://fcm.googleapis.com").rstrip("/"),
        fcm_project=env.get("WALLET_FCM_PROJECT") or "",
        fcm_credentials=_path(env.get("WALLET_FCM_CREDENTIALS")),
        clock_file=_path(env.get("WALLET_CLOCK_FILE")),
        log_level=(env.get("WALLET_LOG_LEVEL") or "INFO").upper(),
        redis_url=env.get("WALLET_REDIS_URL") or "",
        limits=_limits(env.get("WALLET_LIMITS"), faults),
        trusted_proxies=_count("TRUSTED_PROXIES", env.get("WALLET_TRUSTED_PROXIES") or "0", 9, faults),
        concurrent=_count("CONCURRENT", env.get("WALLET_CONCURRENT") or "32", 10_000, faults, 1),
        disk_reserve=_count("DISK_RESERVE", env.get("WALLET_DISK_RESERVE") or "100", 1_000_000, faults),
        metrics_token=env.get("WALLET_METRICS_TOKEN") or "",
        otlp_endpoint=env.get("WALLET_OTLP_ENDPOINT") or "",
        lookup_blur=_count("LOOKUP_BLUR", env.get("WALLET_LOOKUP_BLUR") or "20", 1000, faults),
        webhook_hosts=_hosts(env.get("WALLET_WEBHOOK_HOSTS"), faults),
        push_rate=_count("PUSH_RATE", env.get("WALLET_PUSH_RATE") or "9000", 1_000_000, faults, 1),
        smtp_url=env.get("WALLET_SMTP_URL") or "",
        smtp_from=env.get("WALLET_SMTP_FROM") or "",
        fallback_hours=_count("FALLBACK_HOURS", env.get("WALLET_FALLBACK_HOURS") or "24", 720, faults, 1),
        export_hours=_count("EXPORT_HOURS", env.get("WALLET_EXPORT_HOURS") or "24", 168, faults, 1),
        checkpoint_dirs=_paths(env.get("WALLET_CHECKPOINT_DIRS") or str(data / "checkpoints")),
        sync_days=_count("SYNC_DAYS", env.get("WALLET_SYNC_DAYS") or "90", 366, faults, 1),
    )


def _faults(found: Settings) -> list[str]:
    faults = [
        f"WALLET_{name} is not set"
        for name, value in (
            ("MONGO_URI", found.mongo_uri),
            ("PUBLIC_URL", found.public_url),
            ("BROKER_URL", found.broker_url),
        )
        if not value
    ]
    if found.log_level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        faults.append("WALLET_LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR")
    if found.redis_url and not found.redis_url.startswith(("redis://", "rediss://")):
        faults.append("WALLET_REDIS_URL must be a redis:// or rediss:// URL")
    if bool(found.smtp_url) != bool(found.smtp_from):
        faults.append("WALLET_SMTP_URL and WALLET_SMTP_FROM belong together: set both or neither")
    if found.smtp_url and not found.smtp_url.startswith(("smtp://", "smtps://")):
        faults.append("WALLET_SMTP_URL must be an smtp:// or smtps:// URL")
    return faults if found.dev else faults + _prod_faults(found)


def _prod_faults(found: Settings) -> list[str]:
    faults = []
    if found.embedded:
        faults.append("WALLET_MONGO_URI: the embedded database is for development only")
    if found.clock_file is not None:
        faults.append("WALLET_CLOCK_FILE: a settable clock is for development only")
    if not found.redis_url:
        faults.append("WALLET_REDIS_URL is not set")
    if found.limits is None:
        faults.append("WALLET_LIMITS: limits may be off in development only")
    for name, url in (
        ("PUBLIC_URL", found.public_url),
        ("VNEID_ISSUER", found.vneid_issuer),
        ("OPS_ISSUER", found.ops_issuer),
        ("FCM_ENDPOINT", found.fcm_endpoint),
    ):
        if not url.startswith("https://"):
            faults.append(f"WALLET_{name} must be an https:// URL")
        elif on_loopback(url):
            faults.append(f"WALLET_{name}: a sandbox on this machine is for development only")
    return faults


def _port(text: str, faults: list[str]) -> int:
    if text.isdecimal() and 0 < int(text) < 65536:
        return int(text)
    faults.append("PORT must be a whole number from 1 to 65535")
    return DEV_PORT


def _count(name: str, text: str, most: int, faults: list[str], least: int = 0) -> int:
    if text.isascii() and text.isdecimal() and len(text) < 9 and least <= int(text) <= most:
        return int(text)
    faults.append(f"WALLET_{name} must be a whole number from {least} to {most}")
    return least


def _limits(text: str | None, faults: list[str]) -> Mapping[str, str] | None:
    """Rates by the name of a budget, in place of the defaults; None for `off`."""
    if text == "off":
        return None
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    if isinstance(found, dict) and all(isinstance(each, str) for each in found.values()):
        return found
    faults.append('WALLET_LIMITS must be "off" or a JSON object like {"provider_read": "600/minute"}')
    return {}


def _hosts(text: str | None, faults: list[str]) -> tuple[str, ...]:
    found = tuple(each.strip().lower() for each in (text or "").split(",") if each.strip())
    if not all(_HOST.fullmatch(each) for each in found):
        faults.append("WALLET_WEBHOOK_HOSTS must be names like his.example.vn, *.example.vn or a.vn:8443")
        return ()
    return found


def _paths(text: str) -> tuple[Path, ...]:
    return tuple(Path(each).absolute() for each in text.split(",") if each)


def _path(text: str | None) -> Path | None:
    return Path(text).absolute() if text else None


def _claims(text: str | None, faults: list[str]) -> Mapping[str, str]:
    if not text:
        return _CLAIMS
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not set(found) <= set(_CLAIMS):
        faults.append(f"WALLET_VNEID_CLAIMS must be a JSON object with keys among {sorted(_CLAIMS)}")
        return _CLAIMS
    return _CLAIMS | found
