"""Asking for files over HTTP, having the worker make them, and reading them with programs of others."""

from __future__ import annotations

import io
import re
from typing import Any

import zxingcpp
from PIL import Image
from pypdf import PdfReader
from werkzeug.test import TestResponse

from tests.world import Json, Person, World, found_in

_IMAGE = re.compile(rb"BI /W (\d+) /H (\d+) /BPC 1 /CS /G /F /AHx ID ([0-9A-F]+)> EI")


def ask(world: World, who: Person, whose: str = "me", locale: str = "vi", **over: Any) -> TestResponse:
    path = f"/citizens/{whose}/exports"
    return world.post(path, who, {"format": "pdf"} | over, headers={"Accept-Language": locale})


def asked(world: World, who: Person, whose: str = "me", locale: str = "vi", **over: Any) -> str:
    answer = ask(world, who, whose, locale, **over)
    assert answer.status_code == 202, answer.get_data(as_text=True)
    return str(found_in(answer)["id"])


def state(world: World, who: Person, export_id: str, whose: str = "me") -> Json:
    answer = world.get(f"/citizens/{whose}/exports/{export_id}", who)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return found_in(answer)


def work(world: World) -> None:
    """What the worker does every two seconds, until nothing waits."""
    while world.services.exports.make_next() is not None:
        pass


def fetch(world: World, who: Person, export_id: str, whose: str = "me") -> TestResponse:
    return world.get(f"/citizens/{whose}/exports/{export_id}/file", who)


def file_of(world: World, who: Person, whose: str = "me", locale: str = "vi", **over: Any) -> bytes:
    """A file from asking to fetching."""
    export_id = asked(world, who, whose, locale, **over)
    work(world)
    answer = fetch(world, who, export_id, whose)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.data


def text_of(pdf: bytes) -> str:
    """What a program that others wrote reads on the pages, with its lines joined."""
    return " ".join(" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(pdf)).pages)


def scanned(pdf: bytes) -> str:
    """The text of the QR code, from the very bits that a reader of the file draws."""
    wide, high, bits = next(_IMAGE.finditer(pdf)).groups()
    side, row = int(wide), -(-int(wide) // 8)
    raw = bytes.fromhex(bits.decode())
    assert len(raw) == row * int(high)
    picture = Image.frombytes("1", (side, int(high)), raw).convert("L")
    framed = Image.new("L", ((side + 8) * 4, (side + 8) * 4), 255)
    framed.paste(picture.resize((side * 4, side * 4), Image.Resampling.NEAREST), (16, 16))
    (found,) = zxingcpp.read_barcodes(framed)
    return str(found.text)
