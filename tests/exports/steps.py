"""Asking for files over HTTP, having the worker make them, and reading them with programs of others."""

from __future__ import annotations

import io
from typing import Any

import zxingcpp
from PIL import Image
from pypdf import PdfReader
from werkzeug.test import TestResponse

from tests.world import Json, Person, World, found_in


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
    """The text of the QR code, from the picture that a program of others finds on the last page."""
    (drawn,) = PdfReader(io.BytesIO(pdf)).pages[-1].images
    assert drawn.image is not None
    wide, high = drawn.image.size
    framed = Image.new("L", ((wide + 8) * 4, (high + 8) * 4), 255)
    framed.paste(drawn.image.convert("L").resize((wide * 4, high * 4), Image.Resampling.NEAREST), (16, 16))
    (found,) = zxingcpp.read_barcodes(framed, formats=zxingcpp.BarcodeFormat.QRCode)
    return str(found.text)
