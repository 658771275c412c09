"""The files of deploy/, each by the linter of its kind."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from tests.scanners.finding import ROOT

DEPLOY = ROOT / "deploy"


def deployment(binaries: Path) -> tuple[int, list[str]]:
    """How many files were linted, and what is wrong with them."""
    manifests = sorted(
        each for each in (DEPLOY / "kubernetes").glob("*.yaml") if each.stem != "kustomization"
    )
    listed = set(re.findall(r"  - (\S+)", (DEPLOY / "kubernetes" / "kustomization.yaml").read_text("utf-8")))
    differ = listed ^ {each.name for each in manifests}
    open_ = [f"kustomization.yaml and its folder differ in {name}" for name in sorted(differ)]
    open_ += _dockerfile(binaries, DEPLOY / "Dockerfile")
    open_ += _compose(binaries, DEPLOY / "compose.yaml")
    open_ += _kubernetes(binaries, manifests)
    return len(manifests) + 2, open_


def planted(binaries: Path) -> tuple[int, list[str]]:
    """Three bad files, and a complaint for each that its linter takes."""
    with tempfile.TemporaryDirectory() as folder:
        image, compose, manifest = (Path(folder) / name for name in ("Dockerfile", "compose.yaml", "a.yaml"))
        image.write_text("FROM python:latest\nRUN cd / && sudo ls\n", encoding="utf-8")
        compose.write_text("services: {api: {imagee: x}}\n", encoding="utf-8")
        manifest.write_text("apiVersion: v1\nkind: Namespace\nmetadata: {nam: x}\n", encoding="utf-8")
        taken = {
            "hadolint": not _dockerfile(binaries, image),
            "check-jsonschema": not _compose(binaries, compose),
            "kubernetes-validate": not _kubernetes(binaries, [manifest]),
        }
    return len(taken), [f"planted: {name} takes a bad file" for name, missed in taken.items() if missed]


def _dockerfile(binaries: Path, path: Path) -> list[str]:
    return _lint(binaries / "hadolint", path)


def _compose(binaries: Path, path: Path) -> list[str]:
    return _lint(binaries / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", path)


def _kubernetes(binaries: Path, paths: list[Path]) -> list[str]:
    return _lint(binaries / "kubernetes-validate", "--strict", *paths)


def _lint(*words: str | Path) -> list[str]:
    done = subprocess.run(
        [str(word) for word in words], check=False, cwd=ROOT, capture_output=True, text=True
    )
    said = (done.stdout + done.stderr).strip().splitlines()
    return [f"{Path(words[0]).name}: {line}" for line in said[-8:]] if done.returncode else []
