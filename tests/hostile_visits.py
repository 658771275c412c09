"""Visit files as no facility should send them: what each says wrong, and what of it is kept all the same."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable
from typing import NamedTuple

from tests.visit_files import HEAD, MEDICINE, RESULT, Row, file_of, head, packed, table, visit, visit_of
from tests.visit_files import Somebody as Known

ALL = 8
"""How many records a whole visit makes."""
_BOMB = '<!DOCTYPE a [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
_LOCAL = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
_REMOTE = '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;]>'


class Hostile(NamedTuple):
    """A file about somebody, with somebody else who has nothing to do with it.

    `code` is that of the refusal, or of one of the rows; `kept` how many records it makes of the first.
    """

    name: str
    code: str
    kept: int
    made: Callable[[Known, Known], bytes]
    refused: bool = False


def whole(name: str, code: str, made: Callable[[bytes], bytes]) -> Hostile:
    """A good file that is spoilt as a whole: nothing of it is kept."""
    return Hostile(name, code, 0, lambda an, other: made(file_of(visit_of(an))), refused=True)


def results(name: str, code: str, content: str, kept: int = ALL - 1) -> Hostile:
    """A visit whose table of results holds this, as it travels."""

    def made(an: Known, other: Known) -> bytes:
        tables = {"XML1": packed(table("XML1", head(an))), "XML4": content}
        more = {"XML2": [MEDICINE], "XML14": [NOTICE]}
        return file_of(visit(tables | {each: packed(table(each, *rows)) for each, rows in more.items()}))

    return Hostile(name, code, kept, made)


def rows(name: str, code: str, kept: int = ALL - 1, **more: list[Row]) -> Hostile:
    """A visit with these rows in place of its own."""
    return Hostile(name, code, kept, lambda an, other: file_of(visit_of(an, more)))


def heads(name: str, code: str, kept: int, **over: str) -> Hostile:
    """A visit whose head says this."""
    return Hostile(name, code, kept, lambda an, other: file_of(visit_of(an, **over)))


def result(**over: str) -> list[Row]:
    """A result that says this."""
    return [{**RESULT, **over}]


def encoded(xml: str, encoding: str, declared: str = "") -> str:
    """A table in another encoding, packed."""
    told = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    return base64.b64encode((told + xml).encode(encoding)).decode()


def _doubled(an: Known, other: Known) -> bytes:
    return file_of(visit_of(an), visit_of(an, {"XML4": result(GIA_TRI="99")}))


def _two_numbers(an: Known, other: Known) -> bytes:
    said = table("XML1", head(an)).replace("</TONG_HOP>", f"<SO_CCCD>{other.number}</SO_CCCD></TONG_HOP>")
    return file_of(visit({"XML1": packed(said), "XML4": packed(table("XML4", RESULT))}))


def _two_heads(an: Known, other: Known) -> bytes:
    return file_of(visit({"XML1": packed(table("XML1", head(an), head(other)))}))


def _beside(an: Known, other: Known) -> bytes:
    spoilt = visit({"XML1": packed(table("XML1", head(other, NGAY_SINH="05041990", MA_LK="2")))})
    return file_of(spoilt, visit_of(an))


def _attribute(raw: bytes) -> bytes:
    return raw.replace(b"<FILEHOSO>", b'<FILEHOSO x="' + b"y" * 2**21 + b'">', 1)


NOTICE: Row = {"MA_LK": HEAD["MA_LK"], "NGAY_HEN_KL": "20261129", "NGAY_CT": "20261101"}
_TABLE = table("XML4", RESULT)
_UNNAMED = "<FILEHOSO><LOAIHOSO>?</LOAIHOSO></FILEHOSO></HOSO>"
_DEEP = "<a>" * 40 + "</a>" * 40
FILES: tuple[Hostile, ...] = (
    whole("cut short", "xml_malformed", lambda raw: raw[:-40]),
    whole("cut within a letter", "not_utf8", lambda raw: raw[:-40] + b"\xe1\xba"),
    whole("UTF-16", "not_utf8", lambda raw: raw.decode().encode("utf-16")),
    whole("another encoding declared", "not_utf8", lambda raw: raw.replace(b"UTF-8", b"windows-1258", 1)),
    whole("compressed", "not_utf8", gzip.compress),
    whole("JSON", "xml_malformed", lambda raw: b'{"GIAMDINHHS": {}}'),
    whole("nothing", "xml_malformed", lambda raw: b""),
    whole("a NUL", "xml_malformed", lambda raw: raw.replace(b"<HOSO>", b"<HOSO>\x00", 1)),
    whole("a NUL by number", "xml_malformed", lambda raw: raw.replace(b"<HOSO>", b"<HOSO>&#0;", 1)),
    whole("a bare ampersand", "xml_malformed", lambda raw: raw.replace(b"99001<", b"A & B<", 1)),
    whole("an unknown entity", "xml_malformed", lambda raw: raw.replace(b"99001<", b"&nbsp;<", 1)),
    whole(
        "an attribute twice", "xml_malformed", lambda raw: raw.replace(b"<HOSO>", b'<HOSO a="1" a="2">', 1)
    ),
    whole("entities of entities", "xml_forbidden", lambda raw: _BOMB.encode() + raw.partition(b"?>")[2]),
    whole("a local file", "xml_forbidden", lambda raw: _LOCAL.encode() + raw.partition(b"?>")[2]),
    whole("another host", "xml_forbidden", lambda raw: _REMOTE.encode() + raw.partition(b"?>")[2]),
    whole("deep elements", "xml_too_deep", lambda raw: raw.replace(b"<HOSO>", b"<HOSO>" + _DEEP.encode(), 1)),
    whole(
        "as many elements as fit",
        "xml_too_large",
        lambda raw: raw.replace(b"<HOSO>", b"<HOSO>" + b"<a/>" * 200_001, 1),
    ),
    whole("another root", "not_a_visit_file", lambda raw: raw.replace(b"GIAMDINHHS", b"HOADON")),
    whole("a file in a file", "visit_nested", lambda raw: raw.replace(b"<HOSO>", b"<HOSO><A><HOSO/></A>", 1)),
    whole("no visit", "visit_count", lambda raw: raw.replace(b"HOSO>", b"HO_SO>")),
    whole(
        "too many visits", "visit_count", lambda raw: raw.replace(b"</HOSO>", b"</HOSO>" + b"<HOSO/>" * 50, 1)
    ),
    whole(
        "a table beside the visit",
        "table_outside_visit",
        lambda raw: raw.replace(b"<HOSO>", b"<FILEHOSO/><HOSO>", 1),
    ),
    whole(
        "too many tables",
        "too_many_tables",
        lambda raw: raw.replace(b"<HOSO>", b"<HOSO>" + b"<FILEHOSO/>" * 101, 1),
    ),
    Hostile("thousands of rows", "too_many_rows", 0, rows("", "", XML4=result() * 5001).made, refused=True),
    Hostile(
        "an attribute of megabytes", "accepted", ALL, lambda an, other: _attribute(file_of(visit_of(an)))
    ),
    results("no Base64", "base64_invalid", "!!!!"),
    results("Base64 cut short", "base64_invalid", packed(_TABLE)[:-3]),
    results("Base64 with a foreign letter", "base64_invalid", "á" + packed(_TABLE)),
    results("Base64 three times", "base64_invalid", encoded(encoded(packed(_TABLE), "ascii"), "ascii")),
    results("a compressed table", "not_utf8", base64.b64encode(gzip.compress(_TABLE.encode())).decode()),
    results("a table in UTF-16", "not_utf8", encoded(_TABLE, "utf-16")),
    results("a table in another encoding", "not_utf8", encoded(_TABLE, "ascii", "windows-1252")),
    results("a table with a local file", "xml_forbidden", encoded(_LOCAL + _TABLE, "ascii")),
    results("a table of entities", "xml_forbidden", encoded(_BOMB + "<a>&b;</a>", "ascii")),
    results("a table of deep elements", "xml_too_deep", packed(_DEEP)),
    results("a table with a NUL", "xml_malformed", packed(_TABLE.replace("7.4", "7\x00.4"))),
    results("a table cut short", "xml_malformed", packed(_TABLE[:-9])),
    results("a file as a table", "rows_not_found", base64.b64encode(file_of("<HOSO>x</HOSO>")).decode()),
    results("rows of another kind", "rows_not_found", packed("<BANG><DONG>1</DONG></BANG>")),
    results("an empty table", "table_empty", ""),
    rows("a result of no day", "date_missing", XML4=result(NGAY_KQ="000000000000")),
    rows("a result of month 13", "date_unreadable", XML4=result(NGAY_KQ="202613010900")),
    rows("a result of 30 February", "date_unreadable", XML4=result(NGAY_KQ="202602300900")),
    rows("a result of the year 9999", "date_unreadable", XML4=result(NGAY_KQ="999912310000")),
    rows("a result of another visit", "other_visit", XML4=result(MA_LK="another")),
    rows("a result without a value", "result_missing", XML4=result(GIA_TRI="")),
    rows("a text over 1 MiB", "text_too_long", XML4=result(GIA_TRI="x" * (2**20 + 1))),
    rows("a text read as Latin", "text_garbled", XML4=result(TEN_CHI_SO="Äá»“ng TÃ¡i")),
    rows("a pile of marks", "text_invalid", XML4=result(GIA_TRI="a" + "\u0301\u0316" * 20_000)),
    rows("a medicine without a name", "code_missing", XML2=[{**MEDICINE, "TEN_THUOC": "", "MA_THUOC": ""}]),
    rows(
        "a script as a medicine",
        "accepted",
        ALL,
        XML2=[{**MEDICINE, "TEN_THUOC": "<script>alert(1)</script>"}],
    ),
    rows("writing turned round", "accepted", ALL, XML4=result(TEN_CHI_SO="a\u202eb\u200b")),
    rows(
        "a birth of another mother",
        "visit_of_another",
        ALL,
        XML9=[{"MA_LK": HEAD["MA_LK"], "SO_CCCD_NND": "001190999999", "NGAY_SINH_CON": "202611010800"}],
    ),
    heads("a birth date the wrong way round", "date_unreadable", 0, NGAY_SINH="05041990"),
    heads("a birth date of zeros", "birth_date_needed", 0, NGAY_SINH="000000000000"),
    heads("no key", "visit_key_needed", 0, MA_LK=""),
    heads("a key of a thousand letters", "text_too_long", 0, MA_LK="k" * 1001),
    heads("a disease nobody knows", "accepted", ALL, MA_BENH_KT="ZZZ99"),
    heads("a kind of care nobody knows", "accepted", ALL, MA_LOAI_KCB="99"),
    heads("hundreds of diseases", "list_too_long", ALL - 5, MA_BENH_KT="I10;" * 300),
    heads("a visit of no day", "date_missing", ALL - 5, NGAY_VAO="0000"),
    Hostile(
        "a number of another", "accepted", 0, lambda an, other: file_of(visit_of(an, SO_CCCD=other.number))
    ),
    Hostile("two numbers", "repeated", 0, _two_numbers),
    Hostile("two heads", "visit_head_needed", 0, _two_heads),
    Hostile("one key for two visits", "repeated_source_id", ALL, _doubled),
    Hostile("a bad visit beside a good one", "date_unreadable", ALL, _beside),
    Hostile(
        "a table nobody can name",
        "table_not_kept",
        ALL,
        lambda an, other: file_of(visit_of(an).replace("</HOSO>", _UNNAMED)),
    ),
)
