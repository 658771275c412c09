"""What senders really write into visit files, read without guessing."""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Callable
from datetime import date

import pytest

from tests.visit_files import HEAD, MEDICINE, RESULT, file_of, packed, table, visit
from wallet_api.records.bundle import Entry
from wallet_api.records.errors import BundleRefused
from wallet_api.records.insurance.reading import read_visits
from wallet_api.records.insurance.values import Unreadable, day, icd10, instant, number, plain

ONE = dict(HEAD) | {"SO_CCCD": "001190999001", "NGAY_SINH": "199005040000"}


def read(**tables: str) -> list[Entry]:
    """The entries of one visit; tables are XML."""
    made = {"XML1": table("XML1", ONE)} | tables
    (found,) = read_visits(file_of(visit({name: packed(xml) for name, xml in made.items()})))
    return found.entries


def codes(entries: list[Entry]) -> list[str]:
    return [each.fault.code for each in entries if each.fault is not None]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("196800000000", "1968"),
        ("19680000", "1968"),
        ("196805000000", "1968-05"),
        ("199005040000", "1990-05-04"),
        ("19900504", "1990-05-04"),
        ("1990-05-04", "1990-05-04"),
        ("202611100800", "2026-11-10"),
        ("", None),
        ("00000000", None),
        ("000000000000", None),
    ],
)
def test_a_day_is_known_as_far_as_it_was_written(text: str, said: str | None) -> None:
    found = day(text)
    assert (found.text if found else None) == said


@pytest.mark.parametrize(
    "text",
    [
        "20260010",
        "199000040000",
        "١٩٩٠٠٥٠٤",
        "05041990",
        "4/5/1990",
        "1990",
        "19901304",
        "18990101",
        "199005041",
        "năm",
    ],
)
def test_a_day_in_another_form_is_guessed(text: str) -> None:
    if text == "1990":
        found = day(text)
        assert found is not None and found.first_day == date(1990, 1, 1)
        return
    with pytest.raises(Unreadable, match="date_unreadable"):
        day(text)


def test_times_are_vietnamese() -> None:
    assert instant("202611100800") == "2026-11-10T08:00:00+07:00"
    assert instant("20261110080059") == "2026-11-10T08:00:59+07:00"
    assert (instant("20261110"), instant("196800000000"), instant("")) == ("2026-11-10", "1968", None)
    with pytest.raises(Unreadable, match="date_unreadable"):
        instant("202611102500")


@pytest.mark.parametrize(
    ("text", "said"),
    [("7.4", 7.4), ("7,4", 7.4), ("56", 56), ("58.50", 58.5), ("-2", -2), ("007", 7)]
    + [(each, None) for each in ("<5", "4 - 6", "Âm tính", "1e5", "1.2.3", "", "٣", "0.1234567890", "NaN")],
)
def test_a_number_is_one_only_as_a_whole(text: str, said: float | None) -> None:
    assert number(text) == said


def test_codes_and_texts_are_kept_as_they_are() -> None:
    assert [icd10(each) for each in ("I10", "E11.9", "B18.1*", "i10", "Tăng huyết áp", "I10;E11")] == [
        "I10",
        "E11.9",
        "B18.1",
        None,
        None,
        None,
    ]
    apart = unicodedata.normalize("NFD", "Nguyễn Thị")
    assert plain(f"  {apart}\x07 ") == "Nguyễn Thị"


@pytest.mark.parametrize("text", ["BỆNH NHÂN ĐÃ ỔN ĐỊNH", "ĐÃ MỔ", "XÃ ĐÔNG NGÃ BA", "«Đau quá» rồi", "Ä 5"])
def test_upper_case_is_taken_for_another_encoding(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize("text", ["Nguyá»…n", "TÃ¡i khÃ¡m", "ThuỌ\ufffd"])
def test_text_read_with_another_encoding_is_kept(text: str) -> None:
    with pytest.raises(Unreadable, match="text_garbled"):
        plain(text)
    assert codes(read(XML2=table("XML2", dict(MEDICINE, TEN_THUOC=text)))) == ["text_garbled"]


WRAPPINGS: list[Callable[[str], str]] = [
    packed,
    lambda xml: "\ufeff" + packed(xml),
    lambda xml: base64.b64encode(("\ufeff" + xml).encode()).decode(),
    lambda xml: "\n".join(packed(xml)[at : at + 76] for at in range(0, len(packed(xml)), 76)),
    lambda xml: base64.b64encode(packed(xml).encode()).decode(),
    lambda xml: xml,
    lambda xml: f"<![CDATA[{xml}]]>",
]


@pytest.mark.parametrize("wrap", WRAPPINGS)
def test_a_table_is_read_however_it_is_wrapped(wrap: Callable[[str], str]) -> None:
    tables = {"XML1": wrap(table("XML1", ONE)), "XML4": wrap(table("XML4", RESULT))}
    (found,) = read_visits(b"\xef\xbb\xbf" + file_of(visit(tables)))
    assert codes(found.entries) == [] and len(found.entries) == 6
    assert found.person.identifiers == (("national_id", "001190999001"),)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "table_empty"),
        ("=======", "base64_invalid"),
        (base64.b64encode(b"\xff\xfe<A/>").decode(), "not_utf8"),
        (base64.b64encode(b"nothing, at all!").decode(), "base64_invalid"),
        (packed("<A>"), "xml_malformed"),
        (packed("<A/>")[:-2], "base64_invalid"),
        (base64.b64encode(b"<!DOCTYPE a [<!ENTITY x 'y'>]><A>&x;</A>").decode(), "xml_forbidden"),
        (packed(packed("<A/>")), "xml_malformed"),
        (base64.b64encode(base64.b64encode(base64.b64encode(b"<A/>"))).decode(), "base64_invalid"),
    ],
)
def test_a_table_that_cannot_be_read_takes_the_others_with_it(content: str, code: str) -> None:
    sent = visit({"XML1": packed(table("XML1", ONE)), "XML4": content})
    (found,) = read_visits(file_of(sent))
    assert codes(found.entries) == [code]
    assert [each.at for each in found.entries if each.fault] == ["/HOSO/0/XML4"]
    assert sum(each.fault is None for each in found.entries) == 5


def test_rows_are_found_below_old_wrappers_and_unknown_elements() -> None:
    old = f"<DSACH><X><Y>{table('XML4', dict(RESULT, LA='?'))}</Y></X></DSACH>"
    assert codes(read(XML4=old)) == [] and len(read(XML4=old)) == 6


def test_a_row_of_another_visit_or_without_a_date_is_told_alone() -> None:
    rows = [RESULT, dict(RESULT, MA_LK="another"), dict(RESULT, NGAY_KQ=""), dict(RESULT, GIA_TRI="")]
    found = read(XML4=table("XML4", *rows))
    told = {each.at: each.fault.code for each in found if each.fault}
    assert told == {
        "/HOSO/0/XML4/1/MA_LK": "other_visit",
        "/HOSO/0/XML4/2": "date_missing",
        "/HOSO/0/XML4/3": "result_missing",
    }
    assert sum(each.fault is None for each in found) == 6


def test_rows_in_another_order_are_other_things() -> None:
    early, late = dict(RESULT), dict(RESULT, STT="2", GIA_TRI="8.1", NGAY_KQ="202611011030")
    one, other = (
        {each.source_id: each.resource for each in read(XML4=table("XML4", *rows))}
        for rows in ((early, late), (late, early))
    )
    assert one == other and len(one) == 7


def test_what_is_no_code_is_a_text_and_lists_that_do_not_fit_are_not_guessed() -> None:
    head = dict(ONE, MA_BENH_CHINH="I10;Cảm cúm", MA_BENH_KT="", CHAN_DOAN_RV="Một tên", MA_LOAI_KCB="1")
    found = read(XML1=table("XML1", head))
    said = [each.resource["code"] for each in found if each.resource.get("resourceType") == "Condition"]
    coding = {"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10", "version": "2026"}
    assert said == [{"text": "I10", "coding": [coding]}, {"text": "Cảm cúm"}]
    care = next(each.resource for each in found if each.resource["resourceType"] == "Encounter")["type"]
    assert care[0]["coding"][0]["code"] == "01"


def test_codes_from_before_the_new_edition_are_not_called_new() -> None:
    found = read(XML1=table("XML1", dict(ONE, NGAY_VAO="202606300800", NGAY_RA="202606300900")))
    codings = [
        each.resource["code"]["coding"][0]
        for each in found
        if each.resource.get("resourceType") == "Condition"
    ]
    assert codings and not any("version" in each for each in codings)


def test_a_summary_is_made_up_only_where_none_was_sent() -> None:
    summary = {"MA_LK": HEAD["MA_LK"], "QT_BENHLY": "Ổn định", "NGAY_CT": "20261101"}
    derived = [each for each in read() if each.resource.get("description") == "derived"]
    assert len(derived) == 1
    own = read(XML8=table("XML8", summary))
    assert not any(each.resource.get("description") for each in own) and codes(own) == []


@pytest.mark.parametrize(
    ("over", "numbers"),
    [
        ({"SO_CCCD": "", "MA_THE_BHYT": "GD4349990009912;DN4010000000001"}, 2),
        ({"SO_CCCD": "123456789", "MA_THE_BHYT": ""}, 0),
        ({"SO_CCCD": "C1234567", "MA_THE_BHYT": "GD4349990009912"}, 1),
        ({"SO_CCCD": "٠٠١١٩٠٩٩٩٠٠١"}, 0),
    ],
)
def test_a_weak_number_names_nobody(over: dict[str, str], numbers: int) -> None:
    (found,) = read_visits(file_of(visit({"XML1": packed(table("XML1", dict(ONE, **over)))})))
    assert len(found.person.identifiers) == numbers
    assert all(kind == "insurance_number" for kind, _ in found.person.identifiers)


def test_a_text_longer_than_a_string_of_fhir_takes_its_visit_with_it() -> None:
    long = dict(RESULT, GIA_TRI="x" * (2**20 + 1))
    assert codes(read(XML4=table("XML4", long, RESULT))) == ["text_too_long"]


def test_a_table_of_deep_elements_is_refused_alone() -> None:
    assert codes(read(XML4="<a>" * 40 + "</a>" * 40)) == ["xml_too_deep"]


def test_thousands_of_rows_are_one_visit() -> None:
    many = table("XML4", *[RESULT] * 5001)
    with pytest.raises(BundleRefused, match="too_many_rows"):
        read(XML4=many)


def labels(entries: list[Entry]) -> set[tuple[str, ...]]:
    """What each record is closed by."""
    return {
        tuple(each["code"] for each in entry.resource.get("meta", {}).get("security", ()))
        for entry in entries
        if entry.fault is None
    }


@pytest.mark.parametrize("code", ["B20", "b20", "B200", "B20, E11", "B20 - HIV", "E11;B20.9"])
@pytest.mark.parametrize("where", ["XML1", "XML13"])
def test_a_code_opens_the_visit_because_of_how_it_is_written(code: str, where: str) -> None:
    head = table("XML1", ONE if where == "XML13" else dict(ONE, MA_BENH_KT=code))
    paper = table("XML13", {"MA_LK": HEAD["MA_LK"], "NGAY_RA": "20261101", "MA_BENH_CHINH": code})
    tables = {"XML1": head, "XML2": table("XML2", MEDICINE)} | ({"XML13": paper} if where == "XML13" else {})
    assert labels(read(**tables)) == {("HIV",)}


@pytest.mark.parametrize(
    "head",
    [
        dict(ONE, MA_BENH_KT="B20", NGAY_VAO=""),
        dict(ONE, MA_BENH_KT="B20", NGAY_RA="202611012560"),
        dict(ONE, NGAY_VAO=""),
        dict(ONE, MA_BENH_KT="TÃ¡i"),
    ],
)
def test_a_head_that_cannot_be_read_opens_its_visit(head: dict[str, str]) -> None:
    (found,) = labels(read(XML1=table("XML1", head), XML2=table("XML2", MEDICINE)))
    assert "R" in found


@pytest.mark.parametrize("name", ["XML6", "6", "XML 6", "XML6_HIV", "XML006", "XML-6", "xml6.xml", "Sổ 6"])
def test_a_closed_table_opens_by_its_spelling(name: str) -> None:
    sent = visit({"XML1": packed(table("XML1", ONE)), name: packed("<A><B>x</B></A>")})
    (found,) = read_visits(file_of(sent))
    assert labels(found.entries) <= {("HIV",), ("R",)} and len(labels(found.entries)) == 1


def test_names_in_a_namespace_and_repeated_elements_hide_something() -> None:
    spaced = table("XML7", {"MA_LK": HEAD["MA_LK"], "NGAY_RA": "20261101"}).replace(
        "</CHI_TIEU", "<TUOI_THAI/><TUOI_THAI>12</TUOI_THAI></CHI_TIEU"
    )
    assert labels(read(XML7=spaced)) == {("SEX",)}
    sent = file_of(visit({"XML1": packed(table("XML1", ONE)), "XML6": packed("<A/>")}))
    (found,) = read_visits(sent.replace(b"<GIAMDINHHS>", b'<GIAMDINHHS xmlns="urn:x">'))
    assert labels(found.entries) == {("HIV",)}


@pytest.mark.parametrize("field", ["SO_CCCD", "NGAY_SINH", "MA_LK"])
def test_a_head_that_says_two_things_is_believed(field: str) -> None:
    head = table("XML1", ONE).replace("</TONG_HOP>", f"<{field}>001190999002</{field}></TONG_HOP>")
    found = read(XML1=head)
    assert codes(found) == ["repeated"] and all(each.fault for each in found)


def test_a_garbled_remark_takes_the_visit_with_it() -> None:
    found = read(XML1=table("XML1", dict(ONE, GHI_CHU="TÃ¡i khÃ¡m")), XML4=table("XML4", RESULT))
    assert codes(found) == ["text_garbled"] and sum(each.fault is None for each in found) == 6


def test_a_conclusion_is_lost_behind_a_value() -> None:
    both = dict(RESULT, KET_LUAN="Cao")
    filler = dict(RESULT, GIA_TRI="0", KET_LUAN="Nhồi máu cơ tim", MA_CHI_SO="ECG")
    found = [
        each.resource for each in read(XML4=table("XML4", both, filler)) if each.at.startswith("/HOSO/0/XML4")
    ]
    assert [each["resourceType"] for each in found] == ["Observation", "DiagnosticReport", "DiagnosticReport"]


def test_rows_of_the_same_time_change_places() -> None:
    one, other = dict(RESULT, GIA_TRI="7.1"), dict(RESULT, GIA_TRI="7.2")
    first, second = (
        {each.source_id: each.resource for each in read(XML4=table("XML4", *rows))}
        for rows in ((one, other), (other, one))
    )
    assert first == second


def test_two_visits_under_one_key_overwrite_each_other() -> None:
    visits = [
        visit({"XML1": packed(table("XML1", dict(ONE, CAN_NANG=kilos)))}) for kilos in ("50", "60", "50")
    ]
    found = [codes(each.entries) for each in read_visits(file_of(*visits))]
    assert found == [[], ["repeated_source_id"], []]


@pytest.mark.parametrize(
    ("cards", "numbers"),
    [
        ("GD4349990009912", 1),
        ("ABCDEFGHIJ", 0),
        ("GD9349990009912", 0),
        (";".join(["GD4349990009912"] * 11), 0),
    ],
)
def test_what_is_no_card_names_somebody(cards: str, numbers: int) -> None:
    head = dict(ONE, SO_CCCD="", MA_THE_BHYT=cards)
    (found,) = read_visits(file_of(visit({"XML1": packed(table("XML1", head))})))
    assert len(found.person.identifiers) == numbers


def test_what_multiplies_is_bounded() -> None:
    assert codes(read(XML1=table("XML1", dict(ONE, MA_LK="k" * 1001)))) == ["text_too_long"]
    assert "list_too_long" in codes(read(XML1=table("XML1", dict(ONE, MA_BENH_KT="I10;" * 300))))
    for sent, code in (
        (file_of("<HOSO><HOSO/></HOSO>"), "visit_nested"),
        (file_of("<HOSO>" + "<FILEHOSO/>" * 101 + "</HOSO>"), "too_many_tables"),
        (b"<GIAMDINHHS><FILEHOSO/><HOSO/></GIAMDINHHS>", "table_outside_visit"),
        (file_of(visit({"XML2": ">" * (4 * 2**20)})), "visit_too_large"),
    ):
        with pytest.raises(BundleRefused, match=code):
            read_visits(sent)


def test_piles_of_marks_take_hours() -> None:
    assert codes(read(XML4=table("XML4", dict(RESULT, GIA_TRI="a" + "\u0301\u0316" * 20_000)))) == [
        "text_invalid"
    ]


def test_rows_under_another_name_and_siblings_vanish() -> None:
    assert codes(read(XML4="<BANG><DONG>1</DONG></BANG>")) == ["rows_not_found"]
    rows = table("XML4", RESULT, dict(RESULT, MA_CHI_SO="B")).removeprefix("<BANG><DSACH_CHI_TIET_CLS>")
    bare = rows.removesuffix("</DSACH_CHI_TIET_CLS></BANG>")
    (found,) = read_visits(file_of(visit({"XML1": packed(table("XML1", ONE)), "XML4": bare})))
    assert codes(found.entries) == [] and len(found.entries) == 7
