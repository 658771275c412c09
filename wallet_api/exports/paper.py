"""Pages of print: A4, one column, wrapped lines, a font that has every Vietnamese letter.

Fonts: DejaVu Sans 2.37 (see fonts/LICENSE). A character that it lacks is printed as a box, never left out.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.resources import as_file, files
from typing import Final

from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

_PLAIN: Final = "WalletSans"
_BOLD: Final = "WalletSans-Bold"
_FILES: Final = {_PLAIN: "DejaVuSans.ttf", _BOLD: "DejaVuSans-Bold.ttf"}
_WIDTH, _HEIGHT = A4
_MARGIN: Final = 48.0
_FOOT: Final = 40.0
_LEADING: Final = 1.4
_BOX: Final = "\u25a1"
_INDENT: Final = 74.0


class Paper:
    """One document, written from the top of its first page downwards."""

    def __init__(self, title: str, foot: str, page_word: str) -> None:
        """`foot`: what stands at the bottom of every page beside its number."""
        _fonts()
        self._out = io.BytesIO()
        self._canvas = Canvas(self._out, pagesize=A4, pageCompression=1, initialFontName=_PLAIN, lang="vi")
        self._canvas.setTitle(title)
        self._foot = foot
        self._page_word = page_word
        self._y = _HEIGHT - _MARGIN

    def heading(self, text: str, size: float = 13.0) -> None:
        """A heading, with room for something below it on the same page."""
        self._need(size * 4)
        self._y -= size * 0.5
        self._write(text, size, _BOLD, _MARGIN)
        self._y -= size * 0.2

    def text(self, text: str, size: float = 9.5) -> None:
        """A paragraph."""
        self._write(text, size, _PLAIN, _MARGIN)

    def entry(self, when: str, title: str, details: tuple[str, ...]) -> None:
        """A day at the left, and beside it what it was and what was found."""
        self._need(9.5 * _LEADING * min(3, 1 + len(details)))
        self._draw(when, 9.0, _PLAIN, _MARGIN, self._y - 9.5)
        self._write(title, 9.5, _BOLD, _MARGIN + _INDENT)
        for each in details:
            self._write(each, 9.0, _PLAIN, _MARGIN + _INDENT)
        self._y -= 4.0

    def gap(self, height: float) -> None:
        """Empty room."""
        self._y -= height

    def last(self, code: str, side: float) -> bytes:
        """End with a page stream that holds `code` as it is, in a square of `side` points.

        `code` draws a unit square; its page is not compressed, so that its bytes stand in the file.
        """
        self._need(side + 10)
        self._canvas.setPageCompression(0)
        place = f"q {side:.2f} 0 0 {side:.2f} {_MARGIN:.2f} {self._y - side:.2f} cm"
        # Canvas has no call for a stream of one's own; this is the list its own calls append to.
        self._canvas._code.append(f"{place}\n{code}\nQ")
        self._end_page()
        self._canvas.save()
        return self._out.getvalue()

    def _need(self, height: float) -> None:
        if self._y - height < _FOOT + 20:
            self._end_page()
            self._y = _HEIGHT - _MARGIN

    def _end_page(self) -> None:
        number = f"{self._page_word} {self._canvas.getPageNumber()}"
        self._draw(self._foot, 7.0, _PLAIN, _MARGIN, _FOOT - 10)
        width = pdfmetrics.stringWidth(number, _PLAIN, 7.0)
        self._draw(number, 7.0, _PLAIN, _WIDTH - _MARGIN - width, _FOOT - 10)
        self._canvas.showPage()

    def _write(self, text: str, size: float, font: str, left: float) -> None:
        for line in wrapped(printable(text), font, size, _WIDTH - _MARGIN - left):
            self._need(size * _LEADING)
            self._draw(line, size, font, left, self._y - size)
            self._y -= size * _LEADING

    def _draw(self, text: str, size: float, font: str, left: float, bottom: float) -> None:
        self._canvas.setFont(font, size)
        self._canvas.drawString(left, bottom, printable(text))


def wrapped(text: str, font: str, size: float, width: float) -> Iterator[str]:
    """The lines of a text, broken between words; a word wider than a line is broken anywhere."""
    _fonts()
    line = ""
    for word in text.split():
        tried = f"{line} {word}" if line else word
        if pdfmetrics.stringWidth(tried, font, size) <= width:
            line = tried
            continue
        if line:
            yield line
        *whole, line = _broken(word, font, size, width)
        yield from whole
    if line:
        yield line


def printable(text: str) -> str:
    """A text in composed letters, with a box for what the font lacks and no control characters."""
    _fonts()
    known = pdfmetrics.getFont(_PLAIN).face.charToGlyph
    composed = unicodedata.normalize("NFC", text)
    plain = (" " if unicodedata.category(each) in ("Cc", "Cf", "Zl", "Zp") else each for each in composed)
    return "".join(each if ord(each) in known else _BOX for each in plain)


def _broken(word: str, font: str, size: float, width: float) -> Iterator[str]:
    piece = ""
    for each in word:
        if piece and pdfmetrics.stringWidth(piece + each, font, size) > width:
            yield piece
            piece = ""
        piece += each
    yield piece


@cache
def _fonts() -> None:
    """Read the fonts, once a process."""
    for name, file in _FILES.items():
        with as_file(files("wallet_api.exports").joinpath("fonts", file)) as path:
            pdfmetrics.registerFont(TTFont(name, str(path)))
