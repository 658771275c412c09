"""What An takes home, to be checked without the wallet: that a look at her book is in the log for good."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from wallet_api.audit import verifier
from wallet_api.cli.story.cast import Act, Cast

_LOG = "/api/v1/citizens/me/access-log"


def citizen_proves_a_look(cast: Cast) -> None:
    """Entry, way up the tree and signed root, checked by one file in a process that knows no wallet."""
    cast.journal.step("An takes home the proof that the doctor's look is in the log; a lone file verifies it")
    found = cast.journal.answered(cast.citizen.call("GET", f"{_LOG}?limit=100"), 200)["items"]
    looks = [each for each in found if each["action"] == "record:searched" and each["organisation"]]
    look = looks[-1]
    proof = cast.journal.soon("the signing of the log", lambda: _proof(cast, look["id"]))
    kept = cast.leave_proof("log-proof.json", proof)
    key_set = cast.journal.answered(cast.citizen.send("GET", "/.well-known/checkpoint-jwks.json"), 200)
    keys = cast.leave_proof("checkpoint-jwks.json", key_set)
    cast.journal.note(look=look["text"], entry=f"{proof['leaf_index']} of {proof['tree_size']}")
    genuine, said = verify_alone(kept, keys)
    cast.journal.must(genuine, "the verifier must find the entry in the log.")
    cast.journal.note(verifier=said)
    proof["event"]["record_count"] = 0
    changed, said = verify_alone(cast.leave_proof("log-proof-changed.json", proof), keys)
    cast.journal.must(not changed, "an entry that was changed must not verify.")
    cast.journal.note(with_another_count=said)


def verify_alone(proof: Path, keys: Path) -> tuple[bool, str]:
    """Whether the stand-alone verifier accepts, and its one line: Python in isolated mode, one file."""
    command = [sys.executable, "-I", verifier.__file__, str(proof), "--keys", str(keys)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - our own verifier on our own files
    return done.returncode == 0, (done.stdout or done.stderr).strip()


def _proof(cast: Cast, entry: str) -> Any:
    answer = cast.citizen.call("GET", f"{_LOG}/{entry}/proof")
    return None if answer.code == "proof_pending" else cast.journal.answered(answer, 200)


ACTS: tuple[Act, ...] = (citizen_proves_a_look,)
