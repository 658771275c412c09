"""QR codes as pictures (ISO/IEC 18004), drawn by segno."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Final

import segno

_BORDER: Final = 4
"""Modules of quiet zone around a code, as the standard asks."""
_PIXELS: Final = 4
"""Pixels a module in a PNG."""


@dataclass(frozen=True)
class Pictures:
    """A QR code as an SVG document and as a PNG in base64."""

    svg: str
    png: str


def pictures(prefix: str, digits: str, largest: int) -> Pictures:
    """Draw `prefix` in bytes and `digits` in numeric mode, which takes a third of the room.

    `largest`: the QR version it must fit with error correction L. Raises ValueError when it does not.
    """
    # Two segments, each in the mode that fits it; the library's types know only one.
    code = segno.make([prefix, digits], error="l", micro=False, boost_error=False)  # type: ignore[arg-type]
    if int(code.version) > largest:
        raise ValueError("a QR code would be larger than readers of its kind take")
    return _drawn(code)


def _drawn(code: segno.QRCode) -> Pictures:
    svg, png = io.BytesIO(), io.BytesIO()
    code.save(svg, kind="svg", border=_BORDER, xmldecl=False, svgns=True)
    code.save(png, kind="png", border=_BORDER, scale=_PIXELS)
    return Pictures(svg.getvalue().decode(), base64.b64encode(png.getvalue()).decode())


def bitmap(text: str, version: int) -> tuple[int, str]:
    """The modules of a side, and the code as rows of bits in hex (1 is light, rows filled up to a byte).

    Always of this version, whatever the text, with error correction M where that holds it, else L. Raises
    ValueError when neither does.
    """
    try:
        code = segno.make(text, error="m", version=version, micro=False, boost_error=False)
    except segno.DataOverflowError:
        code = segno.make(text, error="l", version=version, micro=False, boost_error=False)
    rows = list(code.matrix)
    side = len(rows)
    wide = -(-side // 8) * 8
    bits = ("".join("0" if each else "1" for each in row).ljust(wide, "1") for row in rows)
    return side, "".join(f"{int(row, 2):0{wide // 4}X}" for row in bits)
