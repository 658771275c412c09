"""The operations page is read at night: what it says must be so."""

from __future__ import annotations

import argparse
import re
from dataclasses import fields
from pathlib import Path

from wallet_api.cli import command_line
from wallet_api.settings import Settings

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands() -> set[str]:
    """Every command there is: `keys` and `keys rotate`."""
    found = set()
    for name, parser in choices(command_line()).items():
        found |= {name, *(f"{name} {inner}" for inner in choices(parser))}
    return found


def choices(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    groups = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    return {name: inner for group in groups for name, inner in group.choices.items()}


def test_a_page_names_a_command_that_is_not() -> None:
    known, wrong = commands(), []
    for page in PAGES:
        for line in re.findall(r"python -m wallet_api ([a-z][a-z -]*)", page.read_text(encoding="utf-8")):
            words = line.split()
            if words[0] not in known or (
                len(words) > 1
                and any(each.startswith(f"{words[0]} ") for each in known)
                and f"{words[0]} {words[1]}" not in known
            ):
                wrong.append(f"{page.name}: {line}")
    assert not wrong, wrong


def test_a_page_links_to_a_page_that_is_not() -> None:
    wrong = []
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            if not (page.parent / link).exists():
                wrong.append(f"{page.name}: {link}")
    assert not wrong, wrong


def test_a_page_names_a_file_that_is_not() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(deploy/[A-Za-z0-9_./-]+)`", text))
    assert named
    missing = sorted(each for each in named if not (ROOT / each).exists())
    assert not missing, missing


def test_the_example_environment_leaves_a_setting_of_production_out() -> None:
    text = (ROOT / "deploy" / "wallet.env.example").read_text(encoding="utf-8")
    lines = dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
    filled = lines | {"WALLET_FCM_PROJECT": "p", "WALLET_METRICS_TOKEN": "t"}
    Settings.from_env(filled)  # raises, naming every fault
    stray = [
        name
        for name in lines
        if name.removeprefix("WALLET_").lower() not in {f.name for f in fields(Settings)}
    ]
    assert not stray, stray
