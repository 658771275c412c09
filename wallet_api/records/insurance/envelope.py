"""The envelope of a visit file: one GIAMDINHHS, visits in it, tables in each, mostly packed in Base64.

Structure after Decision 130/QD-BYT with its amendments and Circular 48/2017/TT-BYT. What senders really
write differs: nested XML instead of Base64, Base64 of Base64, byte order marks, old wrappers. All of these
are read; a document type, an entity or another encoding than UTF-8 is not.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, ParseError, tostring

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from wallet_api.records.errors import BundleRefused
from wallet_api.records.insurance.dictionary import dictionary
from wallet_api.records.insurance.values import Unreadable, plain
from wallet_api.records.types import Fault

MOST_VISITS: Final = 50
"""In one file that is sent over HTTP; each is filed in a transaction of its own."""
_MOST_ROWS: Final = 5_000
_LARGEST_TABLE: Final = 10 * 2**20
_MOST_PACKED: Final = 2
_MOST_TAGS: Final = 200_000
"""In one XML document: each costs a hundred bytes of memory, however short it is written."""
_DEEPEST: Final = 32
_LONGEST_TEXT: Final = 2**20
"""Of one element, as FHIR limits a string."""
_ENCODING = re.compile(r"""<\?xml[^>]*encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_BOM = "\ufeff"


@dataclass(frozen=True)
class TableRow:
    """One row: the elements that are kept and said something. `at` points to it, for the report."""

    at: str
    values: Mapping[str, str]
    fault: Fault | None = None


@dataclass(frozen=True)
class Visit:
    """One visit with its tables, by name. `tables_named` are all that were sent, kept or not; `body` is the
    visit as it came."""

    number: int
    tables: Mapping[str, list[TableRow]]
    tables_named: frozenset[str]
    faults: list[tuple[str, Fault]]
    restricted: bool
    body: bytes


def visits_of(raw: bytes, most: int = MOST_VISITS) -> list[Visit]:
    """Take a file of at most so many visits apart.

    Raises:
        BundleRefused: it is no visit file as a whole.
    """
    try:
        root = _parsed(_text(raw))
    except Unreadable as why:
        raise BundleRefused("", why.code) from why
    if root.tag != "GIAMDINHHS":
        raise BundleRefused("", "not_a_visit_file")
    found = list(root.iter("HOSO"))
    if not 0 < len(found) <= most:
        raise BundleRefused("/DANHSACHHOSO", "visit_count")
    return [_visit(number, each) for number, each in enumerate(found)]


def _visit(number: int, hoso: Element) -> Visit:
    tables: dict[str, list[TableRow]] = {}
    faults: list[tuple[str, Fault]] = []
    named: set[str] = set()
    restricted, rows = False, 0
    for packed in hoso.iter("FILEHOSO"):
        name = _table_name(packed)
        named.add(name)
        kept = dictionary().tables.get(name)
        at = f"/HOSO/{number}/{name}"
        if kept is None:
            never = name in dictionary().never_kept
            faults.append((at, Fault("", "kept_by_source", "") if never else Fault("", "table_not_kept", "")))
            continue
        try:
            table = _content(packed)
        except Unreadable as why:
            faults.append((at, Fault("", why.code, "")))
            continue
        for element in table.iter(kept.record):
            rows += 1
            if rows > _MOST_ROWS:
                raise BundleRefused(at, "too_many_rows")
            place = f"{at}/{len(tables.setdefault(name, []))}"
            tables[name].append(_row(place, element, kept.fields))
            restricted = restricted or any(_said(element, each) for each in kept.restricted)
    return Visit(number, tables, frozenset(named), faults, restricted, tostring(hoso, encoding="utf-8"))


def _table_name(packed: Element) -> str:
    """XML1 to XML15, as it is called in the file; anything else by no name at all."""
    said = (packed.findtext("LOAIHOSO") or "").strip().upper()
    number = said.removeprefix("XML")
    return f"XML{int(number)}" if number.isascii() and number.isdigit() and len(number) < 3 else "XML"


def _row(at: str, element: Element, kept: Mapping[str, str]) -> TableRow:
    values: dict[str, str] = {}
    for child in element:
        # Empty, absent and closed at once are the same: nothing said. The first that says something counts.
        if child.tag not in kept or child.tag in values:
            continue
        try:
            said = "".join(child.itertext())
            if len(said) > _LONGEST_TEXT:
                raise Unreadable("text_too_long")
            text = plain(said)
        except Unreadable as why:
            return TableRow(at, values, Fault(f"/{child.tag}", why.code, ""))
        if text:
            values[child.tag] = text
    return TableRow(at, values)


def _said(element: Element, name: str) -> bool:
    return (element.findtext(name) or "").strip("0 \r\n\t") != ""


def _content(packed: Element) -> Element:
    """The table in a NOIDUNGFILE: nested as XML, written out as text, or packed once or twice."""
    content = packed.find("NOIDUNGFILE")
    if content is None:
        raise Unreadable("table_empty")
    nested: Iterator[Element] = iter(content)
    if (first := next(nested, None)) is not None:
        return first
    text = (content.text or "").lstrip(_BOM).strip()
    for _ in range(_MOST_PACKED):
        if text.startswith("<"):
            break
        text = _unpacked(text)
    if not text.startswith("<"):
        raise Unreadable("table_empty" if not text else "base64_invalid")
    return _parsed(text)


def _unpacked(text: str) -> str:
    packed = "".join(text.split())
    if len(packed) > _LARGEST_TABLE * 4 // 3 + 4:
        raise Unreadable("table_too_large")
    try:
        return _text(base64.b64decode(packed, validate=True))
    except (binascii.Error, ValueError) as why:
        raise Unreadable("base64_invalid") from why


def _text(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8").lstrip(_BOM).strip()
    except UnicodeDecodeError as why:
        raise Unreadable("not_utf8") from why
    said = _ENCODING.match(text)
    if said is not None and said[1].lower() not in ("utf-8", "utf8"):
        raise Unreadable("not_utf8")
    return text


def _parsed(text: str) -> Element:
    if text.count("<") > _MOST_TAGS:
        raise Unreadable("xml_too_large")
    try:
        root: Element = fromstring(text, forbid_dtd=True)
    except DefusedXmlException as why:
        raise Unreadable("xml_forbidden") from why
    except (ParseError, ValueError) as why:
        raise Unreadable("xml_malformed") from why
    _check_depth(root)
    return root


def _check_depth(root: Element) -> None:
    level, depth = [root], 0
    while level:
        depth += 1
        if depth > _DEEPEST:
            raise Unreadable("xml_too_deep")
        level = [inner for each in level for inner in each]
