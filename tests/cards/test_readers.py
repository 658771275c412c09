"""Health cards in the hands of readers that others wrote, over real HTTP.

`SHCReader` of npm kill-the-clipboard, `healthcards` of PyPI, and zxing's scanner. `make test` installs the
first where npm is; elsewhere its test is skipped.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from healthcards import parser
from jwcrypto.jws import InvalidJWSSignature
from PIL import Image
from pymongo.database import Database

from tests.cards.steps import made
from tests.node_peers import asked, at_a_port, needs
from tests.world import Json, World, bundle, immunization

needs_node = needs("kill-the-clipboard")


@pytest.fixture
def wallet(embedded_db: Database[Json], tmp_path: Path) -> Iterator[World]:
    with at_a_port(embedded_db, tmp_path) as world:
        yield world


@pytest.fixture
def card(wallet: World) -> Json:
    an = wallet.person("Nguyễn Thị Hường")
    doses = (immunization(), immunization("i2", "05", on="2026-03-04", lotNumber="M-7"))
    wallet.send(wallet.doctor(), bundle(an, *doses))
    (one,) = made(wallet, an)["cards"]
    found: Json = one
    return found


def flipped(jws: str) -> str:
    """The same card with one byte of its content changed."""
    head, body, seal = jws.split(".")
    at = len(body) // 2
    other = "A" if body[at] != "A" else "B"
    return f"{head}.{body[:at]}{other}{body[at + 1 :]}.{seal}"


def by_clipboard(**told: Any) -> Json:
    found: Json = asked("health_card.mjs", told)
    return found


def names(fhir: Json) -> tuple[str, list[str]]:
    """Who, and which vaccines, a reader shows."""
    patient, *doses = [each["resource"] for each in fhir["entry"]]
    name = patient["name"][0]
    codes = [each["vaccineCode"]["coding"][0]["code"] for each in doses]
    return " ".join([name["family"], *name["given"]]), codes


@needs_node
def test_kill_the_clipboard_reads_our_card_and_refuses_a_changed_one(card: Json) -> None:
    expected = ("Nguyễn Thị Hường", ["08", "05"])
    assert names(by_clipboard(jws=card["card"])["bundle"]) == expected
    assert names(by_clipboard(qr=card["qr"])["bundle"]) == expected
    assert "error" in by_clipboard(jws=flipped(card["card"]))
    head, body, seal = card["card"].split(".")
    other = "A" if seal[0] != "A" else "B"
    refused = by_clipboard(jws=f"{head}.{body}.{other}{seal[1:]}")
    assert "signature" in refused["message"].lower(), refused


def test_healthcards_verifies_our_card_with_the_keys_it_fetches(card: Json) -> None:
    jws = parser.decode_qr_to_jws(card["qr"])
    assert jws == card["card"]
    found = parser.JWS(jws)
    assert found.verified
    assert names(found.payload["vc"]["credentialSubject"]["fhirBundle"])[1] == ["08", "05"]
    head, body, seal = jws.split(".")
    other = "A" if seal[0] != "A" else "B"
    with pytest.raises(InvalidJWSSignature):
        parser.JWS(f"{head}.{body}.{other}{seal[1:]}")


def test_a_scanner_reads_from_the_picture_what_was_drawn(card: Json) -> None:
    picture = Image.open(io.BytesIO(base64.b64decode(card["png"]))).convert("L")
    (found,) = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)
    assert found.text == card["qr"]
    assert card["svg"].startswith("<svg") and "</svg>" in card["svg"]
