"""The stand-alone verifier believes what is proven and nothing else, without the wallet's code."""

from __future__ import annotations

import ast
import base64
import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.audit.events import NOW, an_event
from wallet_api.audit import verifier
from wallet_api.audit.checkpoint import CheckpointSigner
from wallet_api.audit.log import AccessLog
from wallet_api.audit.memory import MemoryAuditStore
from wallet_api.audit.verifier import NotProven, check, keys_of
from wallet_api.infra.crypto.keystore import MemoryKeyStore

KEYS = MemoryKeyStore()
SIGNER = CheckpointSigner(KEYS)


class Scene:
    def __init__(self) -> None:
        log = AccessLog(MemoryAuditStore(), lambda: NOW, SIGNER)
        for number in range(12):
            log.append(an_event(number, reason="của bệnh nhân"))
            if number == 4:
                self.old = log.checkpoint() or ""
        entry = log.entries("an")[-4]
        self.proof: dict[str, Any] = json.loads(json.dumps(log.prove(entry.log_id, 3, since=5).to_json()))
        log.close()


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


def test_what_the_wallet_proves_is_believed(scene: Scene) -> None:
    keys = keys_of(KEYS.jwks("checkpoint"))
    assert "Entry 3 " in check(scene.proof, keys)
    assert "first 5 entries" in check(scene.proof, keys, scene.old)


def _flipped(text: str) -> str:
    raw = base64.b64decode(text)
    return base64.b64encode(bytes([raw[0] ^ 1]) + raw[1:]).decode()


FORGERIES = {
    "event": lambda proof: proof["event"].update(decision="refuse"),
    "event and leaf": lambda proof: (
        proof["event"].update(decision="refuse"),
        proof.update(leaf_hash=base64.b64encode(verifier.leaf_of(proof["event"])).decode()),
    ),
    "leaf": lambda proof: proof.update(leaf_hash=_flipped(proof["leaf_hash"])),
    "place": lambda proof: proof.update(leaf_index=2),
    "no place": lambda proof: proof.update(leaf_index="3"),
    "size": lambda proof: proof.update(tree_size=11),
    "log": lambda proof: proof.update(log_id="other"),
    "path": lambda proof: proof["audit_path"].__setitem__(1, _flipped(proof["audit_path"][1])),
    "short path": lambda proof: proof["audit_path"].pop(),
    "long path": lambda proof: proof["audit_path"].append(proof["audit_path"][0]),
    "short hash": lambda proof: proof["audit_path"].__setitem__(0, "AAAA"),
    "root": lambda proof: proof.update(checkpoint=proof["checkpoint"].replace("\n12\n", "\n13\n")),
    "time": lambda proof: proof.update(checkpoint=proof["checkpoint"].replace("\nat 2026", "\nat 2025")),
    "format": lambda proof: proof.update(format="other"),
    "nothing": lambda proof: proof.clear(),
    "no text": lambda proof: proof.update(checkpoint=3),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_what_was_changed_is_not_believed(scene: Scene, name: str) -> None:
    forged = copy.deepcopy(scene.proof)
    FORGERIES[name](forged)
    with pytest.raises(NotProven):
        check(forged, keys_of(KEYS.jwks("checkpoint")))


def test_another_key_proves_nothing(scene: Scene) -> None:
    strangers = MemoryKeyStore()
    CheckpointSigner(strangers).sign(SIGNER.open(scene.old), NOW)
    for keys in ([], keys_of(strangers.jwks("checkpoint"))):
        with pytest.raises(NotProven, match="none of the keys"):
            check(scene.proof, keys)


def test_a_log_that_was_rewritten_is_not_believed_to_have_only_grown(scene: Scene) -> None:
    keys = keys_of(KEYS.jwks("checkpoint"))
    other, unasked, forged = Scene(), copy.deepcopy(scene.proof), copy.deepcopy(scene.proof)
    with pytest.raises(NotProven, match="another log"):
        check(scene.proof, keys, other.old)
    del unasked["consistency"]
    with pytest.raises(NotProven, match="since=5"):
        check(unasked, keys, scene.old)
    forged["consistency"]["path"][0] = _flipped(forged["consistency"]["path"][0])
    with pytest.raises(NotProven, match="only added to"):
        check(forged, keys, scene.old)


def test_it_runs_alone_and_imports_nothing_of_ours(scene: Scene, tmp_path: Path) -> None:
    script = Path(verifier.__file__)
    tree = ast.parse(script.read_text())
    named = {each.module or "" for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)}
    named |= {name.name for each in ast.walk(tree) if isinstance(each, ast.Import) for name in each.names}
    roots = {name.split(".")[0] for name in named}
    assert roots <= {*sys.stdlib_module_names, "cryptography"}
    alone = tmp_path / "verifier.py"
    alone.write_text(script.read_text())
    (tmp_path / "proof.json").write_text(json.dumps(scene.proof))
    (tmp_path / "keys.json").write_text(json.dumps(KEYS.jwks("checkpoint")))
    (tmp_path / "old.txt").write_text(scene.old)
    (tmp_path / "forged.json").write_text(json.dumps(scene.proof | {"leaf_index": 4}))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "verifier.py", *words]
        return subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    good = run("proof.json", "--keys", "keys.json", "--old", "old.txt")
    assert good.returncode == 0 and "Entry 3 " in good.stdout, good.stderr
    for proof, keys in (("forged.json", "keys.json"), ("keys.json", "proof.json"), ("x", "x")):
        bad = run(proof, "--keys", keys)
        assert bad.returncode == 1 and len(bad.stderr.splitlines()) == 1, bad.stderr
