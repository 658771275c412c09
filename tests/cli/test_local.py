"""What a local wallet is made of, and that `make soak` has something to run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.cli.runs import ROOT, environment
from wallet_api.cli.local import LocalWallet, Ports, prepare, ready_file


def test_a_worker_is_not_ready_because_an_earlier_one_was(tmp_path: Path) -> None:
    told = {"WALLET_DATA_DIR": str(tmp_path), "WALLET_VNEID_ISSUER": "https://id.example.vn"}
    wallet = LocalWallet.described(environment(**told), Ports(1, 2, 3))
    ready_file(wallet.settings).touch()
    prepare(wallet, lambda line: None)
    worker = wallet.worker()
    assert not worker.is_ready()
    ready_file(wallet.settings).touch()
    assert worker.is_ready()


def test_make_soak_finds_its_runs() -> None:
    asked = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "soak", "tests/soak"]
    found = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "test_fence.py" in found.stdout and "test_durability.py" in found.stdout
