"""Under which licence each part comes, and the list of parts (SBOM, CycloneDX)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.scanners.finding import ROOT

SBOM = ROOT / "build" / "sbom.cdx.json"
SHIPPED = ("requirements.txt", "requirements-tracing.txt")
ALLOWED = re.compile(
    r"(MIT|MIT-0|BSD|0BSD|Apache|ISC|PSF|Python Software Foundation|Zlib|CC0|MPL|Mozilla|Unlicense|HPND)",
    re.IGNORECASE,
)
"""Licences under which a part may be shipped in a service. MPL: files unchanged, as we use them."""
APART = {"secantusdb": "GPL-2.0: the embedded database of development, a process of its own, never imported"}


def locked(names: tuple[str, ...]) -> dict[str, str]:
    """Each pinned package and its version."""
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in names)
    return {
        name.lower(): version
        for name, version in re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", text, re.MULTILINE)
    }


def licences(binaries: Path) -> tuple[int, list[str]]:
    """How many packages were looked at, and those whose licence does not allow shipping them."""
    told = json.loads(_run(binaries / "pip-licenses", "--python", sys.executable, "--format", "json"))
    by_name = {each["Name"].lower().replace("_", "-"): each["License"] for each in told}
    asked = locked((*SHIPPED, "requirements-embedded.txt"))
    here = {name: by_name[name] for name in asked if name in by_name}
    open_ = [
        f"{name} {asked[name]}: {licence}: not a licence we may ship under"
        for name, licence in sorted(here.items())
        if name not in APART and not all(ALLOWED.search(each) for each in re.split(r" AND |; ", licence))
    ]
    missing = {"flask", "pymongo", "cryptography"} - here.keys()
    return len(here), open_ + [f"{name} was not looked at" for name in sorted(missing)]


def sbom(binaries: Path) -> tuple[int, list[str]]:
    """How many parts the list of parts names, and what it leaves out. Written to build/."""
    SBOM.parent.mkdir(exist_ok=True)
    _run(binaries / "cyclonedx-py", "requirements", "requirements.txt", "--of", "JSON", "-o", str(SBOM))
    found = json.loads(SBOM.read_text(encoding="utf-8"))["components"]
    listed = {each["name"].lower(): each["version"] for each in found}
    open_ = [
        f"sbom: {name} {version} is missing"
        for name, version in locked(("requirements.txt",)).items()
        if listed.get(name) != version
    ]
    open_ += [f"sbom: {each['name']} has no hash" for each in found if "SHA-256" not in json.dumps(each)]
    return len(found), open_


def _run(*words: str | Path) -> str:
    done = subprocess.run(
        [str(word) for word in words], check=False, cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{Path(words[0]).name} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout
