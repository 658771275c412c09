"""The envelope of a file of visits: one outermost element, visits in it, tables in each, mostly in Base64.

Structure after Decision 130/QD-BYT with its amendments and Circular 48/2017/TT-BYT. What senders really
write differs: nested XML instead of Base64, Base64 of Base64, byte order marks, old wrappers. All of these
are read; a document type, an entity or another encoding than UTF-8 is not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from xml.etree.ElementTree import Element, tostring

from wallet_api.records.errors import BundleRefused
from wallet_api.records.insurance.dictionary import VISITS, Form, Table
from wallet_api.records.insurance.packing import document, tables_in
from wallet_api.records.insurance.values import Unreadable, plain
from wallet_api.records.types import Fault

MOST_VISITS: Final = 50
"""In one file that is sent over HTTP; each is filed in a transaction of its own."""
_MOST_ROWS: Final = 5_000
_MOST_TABLES: Final = 100
_LARGEST_VISIT: Final = 12 * 2**20
"""What fits nobody is kept as it came, in one document of the database, which holds 16 MiB."""
_LONGEST_TEXT: Final = 2**20
"""Of one element, as FHIR limits a string."""
_TABLE_NAME = re.compile(r"(?:XML)?\W*0*([1-9][0-9]?)\b.*", re.ASCII | re.DOTALL)
_LONGEST_TAG: Final = 100
UNNAMED: Final = "XML"
"""A table of which nobody can tell what it is."""


@dataclass(frozen=True)
class TableRow:
    """One row: the elements that are kept and said something, and those that cannot be read. `at` points to
    it, for the report; `identified`: all that says whose it is could be read."""

    at: str
    values: Mapping[str, str]
    faults: tuple[Fault, ...] = ()
    identified: bool = True


@dataclass
class Visit:
    """One visit with its tables, by name. `named` are all that were sent, kept or not; `body` is the visit as
    it came, without what is never kept."""

    number: int
    body: bytes
    tables: dict[str, list[TableRow]] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    faults: list[tuple[str, Fault]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    """The elements of its rows that may tell the edition, as `table/element`."""
    restricted: bool = False
    rows: int = 0


def visits_of(raw: bytes, most: int = MOST_VISITS, form: Form = VISITS) -> list[Visit]:
    """Take a file of at most so many visits apart.

    Raises:
        BundleRefused: it is no visit file as a whole.
    """
    try:
        root = document(raw)
    except Unreadable as why:
        raise BundleRefused("", why.code) from why
    if root.tag != form.root:
        raise BundleRefused("", "not_a_visit_file")
    found = list(root.iter("HOSO"))
    if not 0 < len(found) <= most:
        raise BundleRefused("/DANHSACHHOSO", "visit_count")
    if any(inner is not each for each in found for inner in each.iter("HOSO")):
        raise BundleRefused("/DANHSACHHOSO", "visit_nested")
    if len(list(root.iter("FILEHOSO"))) != sum(len(list(each.iter("FILEHOSO"))) for each in found):
        raise BundleRefused("/DANHSACHHOSO", "table_outside_visit")
    return [_visit(number, each, form) for number, each in enumerate(found)]


def _visit(number: int, hoso: Element, form: Form) -> Visit:
    at, packed = f"/HOSO/{number}", list(hoso.iter("FILEHOSO"))
    if len(packed) > _MOST_TABLES:
        raise BundleRefused(at, "too_many_tables")
    tables = [(_table_name(each), each) for each in packed]
    visit = Visit(number, _body([each for name, each in tables if name in form.tables]))
    if len(visit.body) > _LARGEST_VISIT:
        raise BundleRefused(at, "visit_too_large")
    for name, each in tables:
        _read_table(visit, name, each, form)
    return visit


def _body(kept: Sequence[Element]) -> bytes:
    """The visit as it came, without the tables that stay with their source or that nobody can name."""
    whole = Element("HOSO")
    whole.extend(kept)
    written: bytes = tostring(whole, encoding="utf-8")
    return written


def _read_table(visit: Visit, name: str, packed: Element, form: Form) -> None:
    visit.named.add(name)
    kept, at = form.tables.get(name), f"/HOSO/{visit.number}/{name}"
    if kept is None:
        stays = name in form.never_kept
        visit.faults.append((at, Fault("", "kept_by_source") if stays else Fault("", "table_not_kept")))
        return
    contents = packed.findall("NOIDUNGFILE")
    if not contents:
        visit.faults.append((at, Fault("", "table_empty")))
    for content in contents:
        try:
            found = tables_in(content)
        except Unreadable as why:
            visit.faults.append((at, Fault("", why.code)))
        else:
            _read_rows(visit, name, kept, found, form)


def _read_rows(visit: Visit, name: str, kept: Table, found: Element, form: Form) -> None:
    at, rows = f"/HOSO/{visit.number}/{name}", list(found.iter(kept.record))
    if not rows and "".join(found.itertext()).strip():
        visit.faults.append((at, Fault("", "rows_not_found")))
    visit.rows += len(rows)
    if visit.rows > _MOST_ROWS:
        raise BundleRefused(at, "too_many_rows")
    for element in rows:
        place = f"{at}/{len(visit.tables.setdefault(name, []))}"
        visit.tables[name].append(
            _row(place, element, kept.fields, form.aliases.get(name, {}), form.identity)
        )
        if form.marks:
            visit.seen |= {f"{name}/{child.tag}" for child in element if len(child.tag) <= _LONGEST_TAG}
        visit.restricted |= any(_said(element, each) for each in kept.restricted)


def _table_name(packed: Element) -> str:
    """XML1 to XML15, however it is spelt."""
    names = {_name_of((each.text or "").strip().upper()) for each in packed.findall("LOAIHOSO")} - {UNNAMED}
    return names.pop() if len(names) == 1 else UNNAMED


def _name_of(said: str) -> str:
    found = _TABLE_NAME.fullmatch(said.replace("_", " "))
    return f"XML{found[1]}" if found else UNNAMED


def _row(
    at: str, element: Element, kept: Mapping[str, str], aliases: Mapping[str, str], identity: frozenset[str]
) -> TableRow:
    values: dict[str, str] = {}
    faults: list[Fault] = []
    for child in element:
        name = aliases.get(child.tag, child.tag)
        if name not in kept:
            continue
        # Empty, absent and closed at once are the same: nothing said. The first that says something counts.
        try:
            text = _value(child, name)
        except Unreadable as why:
            faults.append(Fault(f"/{name}", why.code))
            continue
        if text and text != values.setdefault(name, text) and name in identity:
            faults.append(Fault(f"/{name}", "repeated"))
    known = not any(fault.pointer[1:] in identity for fault in faults)
    return TableRow(at, values, tuple(faults), known)


def _value(child: Element, name: str) -> str:
    said = "".join(child.itertext())
    if len(said) > _LONGEST_TEXT:
        raise Unreadable("text_too_long")
    text = plain(said)
    return " ".join(text.split()) if name.startswith("MA_") else text


def _said(element: Element, name: str) -> bool:
    return any("".join(each.itertext()).strip("0 \r\n\t") for each in element.findall(name))
