"""The arrows between the packages, and what the domain packages bring along."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STRANGERS = (
    "flask",
    "marshmallow",
    "pymongo",
    "bson",
    "celery",
    "kombu",
    "requests",
    "firebase_admin",
    "google",
    "fhir",
    "jwt",
    "authlib",
    "wallet_api",
)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )


def test_the_import_contracts_are_kept() -> None:
    code = "from importlinter.cli import lint_imports_command as go; go()"
    done = run("-c", code)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("package", ["consent", "notifications"])
def test_a_domain_package_brings_neither_web_nor_database_nor_the_wallet(package: str) -> None:
    other = {"consent": "notifications", "notifications": "consent"}[package]
    code = f"""
import importlib, pkgutil, sys
package = importlib.import_module({package!r})
for module in pkgutil.walk_packages(package.__path__, {package + "."!r}):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
loaded = {{name.partition(".")[0] for name in sys.modules}}
sys.exit(", ".join(sorted(loaded & {{*{STRANGERS!r}, {other!r}}})) or 0)
"""
    done = run("-W", "error", "-c", code)
    assert done.returncode == 0, done.stderr


def test_the_wallet_can_be_imported_without_starting_or_reading_anything(tmp_path: Path) -> None:
    code = """
import socket, sys, pathlib
def refuse(*args, **more): raise RuntimeError("connected at import")
socket.socket.connect = refuse
before = set(pathlib.Path(".").iterdir())
import wallet_api.app, wallet_api.wiring
assert set(pathlib.Path(".").iterdir()) == before, "wrote at import"
assert not any(name.startswith("pygrowup") for name in sys.modules), "tables wait to be asked for"
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
