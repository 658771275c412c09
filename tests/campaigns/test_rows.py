"""Fifty kinds of bad rows: each told by its number and a code, good ones kept once, nothing echoed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.campaigns import rows
from notifications.campaigns.places import load_places
from notifications.campaigns.rows import CODES, MOST_ROWS, judge, read_rows
from notifications.errors import BadHeader, ListTooLong

PREFIXES = load_places().prefixes
GOOD = "001190999001"

BAD: tuple[tuple[bytes, str], ...] = (
    (b"", "empty"),
    (b"   ", "empty"),
    (b"\t", "empty"),
    (b"\x00", "control_characters"),
    (b"001190\x07999001", "control_characters"),
    (b"001190999001\x1b[0m", "control_characters"),
    (b"\xff\xfe0\x000\x00", "not_utf8"),
    (b"\xc3\x28", "not_utf8"),
    (b"00119099900\xe1", "not_utf8"),
    ("﻿001190999001".encode(), "hidden_characters"),
    ("001190\u200b999001".encode(), "hidden_characters"),
    (b"9" * 300, "too_long"),
    (b"001190999001" + b" " * 60 + b"x", "too_long"),
    (b"001190999001,", "too_many_columns"),
    (b"001190999001;Nguyen", "too_many_columns"),
    (b"001190999001|x", "too_many_columns"),
    (b"An,001190999001", "too_many_columns"),
    (b'"001190999001"', "quoted"),
    (b"'001190999001", "quoted"),
    (b"`001190999001", "quoted"),
    (b'=HYPERLINK("http://x")', "quoted"),
    (b"=1+1", "formula"),
    (b"=cmd", "formula"),
    (b"+84900099999", "formula"),
    (b"-001190999001", "formula"),
    (b"@SUM", "formula"),
    (b"1.19099E+11", "spreadsheet_number"),
    (b"1E11", "spreadsheet_number"),
    (b"1.19099e11", "spreadsheet_number"),
    (b"1190999001.0", "decimal"),
    (b"1190999001.00", "decimal"),
    ("００１１９０９９９００１".encode(), "other_digits"),
    ("٠٠١١٩٠٩٩٩٠٠١".encode(), "other_digits"),
    ("00119099900¹".encode(), "other_digits"),
    (b"001 190 999 001", "separators"),
    (b"001-190-999-001", "separators"),
    (b"001.190.999.001", "separators"),
    (b"001/190999001", "separators"),
    (b"(001)190999001", "separators"),
    (b"001190 999001", "separators"),
    (b"OO1190999001", "letters"),
    (b"00119O999001", "letters"),
    (b"SSABCDEFGHIJ234567", "letters"),
    ("Nguyễn".encode(), "letters"),
    (b"NULL", "letters"),
    (b"#N/A", "separators"),
    (b"null", "letters"),
    (b"1190999001", "leading_zero_lost"),
    (b"79190999001", "leading_zero_lost"),
    (b"12345", "too_short"),
    (b"0", "too_short"),
    (b"0011909990011", "too_many_digits"),
    (b"001190999001001190999001", "too_many_digits"),
    (b"000000000000", "all_alike"),
    (b"111111111111", "all_alike"),
    (b"000190999001", "province_unknown"),
    (b"003190999001", "province_unknown"),
    (b"001990999001", "sex_and_century"),
    (b"001490999001", "sex_and_century"),
)


@pytest.mark.parametrize(("raw", "code"), BAD)
def test_a_bad_row_is_told_by_its_code(raw: bytes, code: str) -> None:
    assert judge(raw, "national_id", PREFIXES) == (code, "")


def test_there_are_fifty_kinds_of_bad_rows() -> None:
    assert len({raw for raw, _ in BAD}) >= 50 and {code for _, code in BAD} <= set(CODES)


def test_a_file_of_bad_rows_keeps_its_good_ones_once() -> None:
    lines = [b"\xef\xbb\xbfnational_id\r\n"]
    for raw, _ in BAD:
        lines += [raw + b"\r\n"]
    lines += [GOOD.encode() + b"\r\n", b"  " + GOOD.encode() + b"\n", b"001190999002\n"]
    found = list(read_rows(lines, PREFIXES))
    assert [row.number for row in found] == list(range(2, len(lines) + 1))
    assert [row.code for row in found[: len(BAD)]] == [code for _, code in BAD]
    assert [(row.code, row.value) for row in found[len(BAD) :]] == [
        ("accepted", GOOD),
        ("duplicate", ""),
        ("accepted", "001190999002"),
    ]
    assert all(row.value == "" for row in found if row.code != "accepted"), "nothing is echoed"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("0123456789", "accepted"),
        ("dn4010123456789", "accepted"),
        ("DN901012345678", "too_short"),
        ("123456789", "leading_zero_lost"),
        ("DN9010123456789", "form"),
        ("0000000000", "all_alike"),
        ("12345678901234567", "too_many_digits"),
        ("thẻ", "letters"),
    ],
)
def test_an_insurance_number_has_forms_of_its_own(number: str, code: str) -> None:
    assert judge(number.encode(), "insurance_number", PREFIXES)[0] == code


def test_the_card_and_the_social_insurance_number_of_one_person_are_one() -> None:
    lines = [b"insurance_number\n", b"0123456789\n", b"DN4010123456789\n"]
    assert [row.code for row in read_rows(lines, PREFIXES)] == ["accepted", "duplicate"]


@pytest.mark.parametrize("header", [b"", b"name\n", b"national_id,name\n", b"001190999001\n", b"\xff\n"])
def test_a_list_without_its_header_is_not_read(header: bytes) -> None:
    with pytest.raises(BadHeader):
        list(read_rows([header, GOOD.encode()], PREFIXES))


def test_a_list_ends_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_ROWS", 3)
    lines = [b"national_id\n", *([GOOD.encode()] * 3)]
    assert len(list(read_rows(lines, PREFIXES))) == 3 < MOST_ROWS
    with pytest.raises(ListTooLong):
        list(read_rows([*lines, b"x"], PREFIXES))


def test_rows_are_read_one_by_one() -> None:
    asked = []

    def lines() -> Iterator[bytes]:
        yield b"national_id\n"
        for number in range(3):
            asked.append(number)
            yield GOOD.encode()

    reading = read_rows(lines(), PREFIXES)
    next(reading)
    assert asked == [0]


@settings(max_examples=300)
@given(st.binary(max_size=80))
def test_whatever_a_row_is_it_has_one_of_the_codes_and_only_good_ones_a_value(raw: bytes) -> None:
    for kind in rows.COLUMNS:
        code, value = judge(raw, kind, PREFIXES)
        assert code in CODES and (value != "") == (code == "accepted")
