"""The pitfalls of visit files as facilities make them: each has a test of its own, named here.

`PITFALLS` lists them in the order in which they were collected from public validators, builders and guides.
"""

from __future__ import annotations

import ast
import base64
import unicodedata
from pathlib import Path

import pytest

from tests.visit_files import HEAD, MEDICINE, RESULT, Row, file_of, packed, table, visit
from wallet_api.records.bundle import Entry
from wallet_api.records.insurance.reading import read_visits

ROOT = Path(__file__).parents[1]
VALUES = "records/test_insurance_values.py"
INTAKE = "api/test_insurance_intake.py"
HOSTILE = "api/test_hostile_visits.py"
OWN = "records/test_pitfalls.py"
ONE: Row = {**HEAD, "SO_CCCD": "001190999001", "NGAY_SINH": "199005040000"}
PITFALLS: dict[int, tuple[str, str, str]] = {
    1: ("a byte order mark, outside or in a table", OWN, "test_a_byte_order_mark_is_read_as_a_letter"),
    2: ("Base64 with line breaks", VALUES, "test_a_table_is_read_however_it_is_wrapped"),
    3: ("XML where Base64 should be", VALUES, "test_a_table_is_read_however_it_is_wrapped"),
    4: ("text through a wrong encoding", VALUES, "test_text_read_with_another_encoding_is_kept"),
    5: ("CDATA, entities, document types", OWN, "test_a_text_in_cdata_is_lost"),
    6: ("empty, absent, closed at once, filled with zero", OWN, "test_nothing_said_is_told_apart_by_how"),
    7: ("elements in any order, and foreign ones", OWN, "test_the_order_of_elements_counts"),
    8: ("old wrappers", VALUES, "test_rows_are_found_below_old_wrappers_and_unknown_elements"),
    9: ("dates in many forms", VALUES, "test_a_day_in_another_form_is_guessed"),
    10: ("times without a zone", VALUES, "test_times_are_vietnamese"),
    11: ("codes that lost a zero", OWN, "test_a_code_is_a_number"),
    12: (
        "lists that belong together",
        VALUES,
        "test_what_is_no_code_is_a_text_and_lists_that_do_not_fit_are_not_guessed",
    ),
    13: ("diseases as text, and too many of them", VALUES, "test_codes_and_texts_are_kept_as_they_are"),
    14: ("editions of ICD-10", VALUES, "test_codes_from_before_the_new_edition_are_not_called_new"),
    15: ("numbers that are no personal number", VALUES, "test_a_weak_number_names_nobody"),
    16: ("names", OWN, "test_a_name_finds_somebody"),
    17: ("administrative codes", OWN, "test_where_somebody_lives_is_kept"),
    18: ("two kinds of facility code", OWN, "test_the_facility_in_a_file_is_believed"),
    19: ("no summary for outpatients", VALUES, "test_a_summary_is_made_up_only_where_none_was_sent"),
    20: ("values that are no number", VALUES, "test_a_number_is_one_only_as_a_whole"),
    21: ("times in the wrong order", OWN, "test_times_in_the_wrong_order_are_refused"),
    22: ("rows numbered anew", VALUES, "test_rows_in_another_order_are_other_things"),
    23: ("what the law closes", INTAKE, "test_a_table_that_stays_with_the_facility_is_kept"),
    24: ("money and devices", INTAKE, "test_a_visit_is_lost_or_its_money_kept"),
    25: ("names of parents and carers", OWN, "test_a_parents_name_is_kept"),
    26: ("sizes in dispute", OWN, "test_what_is_longer_than_the_form_allows_is_refused"),
    27: (
        "a check-up that is a visit too",
        "pages/test_visits.py",
        "test_a_check_up_that_is_an_insurance_visit_too_is_shown_as_one",
    ),
}


@pytest.mark.parametrize(("file", "test"), [each[1:] for each in PITFALLS.values()], ids=map(str, PITFALLS))
def test_a_pitfall_has_no_test(file: str, test: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert test in {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}


def test_a_pitfall_is_forgotten() -> None:
    assert list(PITFALLS) == list(range(1, 28))


def read(**tables: str) -> list[Entry]:
    """The entries of one visit; tables are XML."""
    made = {"XML1": table("XML1", ONE)} | tables
    (found,) = read_visits(file_of(visit({name: packed(xml) for name, xml in made.items()})))
    return found.entries


def the(entries: list[Entry], kind: str) -> list[Entry]:
    return [each for each in entries if each.resource.get("resourceType") == kind]


def values(entries: list[Entry]) -> list[object]:
    found = (each.resource for each in the(entries, "Observation") if "HBA1C" in str(each.resource))
    return [each.get("valueQuantity", {}).get("value", each.get("valueString")) for each in found]


def codes(entries: list[Entry]) -> list[str]:
    return [each.fault.code for each in entries if each.fault is not None]


@pytest.mark.parametrize("marked", [("\ufeff", ""), ("", "\ufeff"), ("\ufeff", "\ufeff")])
def test_a_byte_order_mark_is_read_as_a_letter(marked: tuple[str, str]) -> None:
    around, within = marked
    inner = base64.b64encode((within + table("XML1", ONE)).encode()).decode()
    (found,) = read_visits(b"\xef\xbb\xbf" + file_of(visit({"XML1": around + inner})))
    assert codes(found.entries) == [] and the(found.entries, "Encounter")


def test_a_text_in_cdata_is_lost() -> None:
    said = table("XML4", RESULT).replace("<GIA_TRI>7.4<", "<GIA_TRI><![CDATA[7.4]]><")
    assert values(read(XML4=said)) == [7.4]
    said = table("XML4", {**RESULT, "GIA_TRI": "R&D < 5"})
    assert values(read(XML4=said)) == ["R&D < 5 %"]
    assert codes(read(XML4=said.replace("&amp;", "&"))) == ["xml_malformed"]


@pytest.mark.parametrize(
    "how", ["", "<CAN_NANG></CAN_NANG>", "<CAN_NANG/>", "<CAN_NANG> </CAN_NANG>", "<CAN_NANG>0</CAN_NANG>"]
)
def test_nothing_said_is_told_apart_by_how(how: str) -> None:
    said = table("XML1", {name: text for name, text in ONE.items() if name != "CAN_NANG"})
    found = read(XML1=said.replace("</TONG_HOP>", how + "</TONG_HOP>"))
    assert codes(found) == [] and the(found, "Observation") == []


def test_the_order_of_elements_counts() -> None:
    turned = dict(reversed(ONE.items())) | {"CUA_RIENG": "x", "T_BHTT_GDV": "1"}
    told = [
        {each.source_id: each.resource for each in read(XML1=table("XML1", row))} for row in (ONE, turned)
    ]
    assert told[0] == told[1]


def test_a_code_is_a_number() -> None:
    rows = [{**RESULT, "MA_CHI_SO": code} for code in ("01", "1", "1.10", "1.1")]
    told = [
        each.resource["code"]["coding"][0]["code"]
        for each in the(read(XML4=table("XML4", *rows)), "Observation")
    ]
    assert [each for each in told if each[0] in "01"] == ["01", "1", "1.10", "1.1"]
    medicine = the(read(XML2=table("XML2", {**MEDICINE, "MA_THUOC": "05.10"})), "MedicationRequest")
    assert "'05.10'" in str(medicine[0].resource)


def test_a_name_finds_somebody() -> None:
    people = []
    for name in ("NGUYỄN VĂN HÒA", "Nguyễn Văn Hoà", "Nguyen Van Hoa"):
        row = {**ONE, "HO_TEN": name, "SO_CCCD": ""}
        (found,) = read_visits(file_of(visit({"XML1": packed(table("XML1", row))})))
        people.append(found.person)
        assert name not in str([each.resource for each in found.entries])
    assert len(set(people)) == 1 and people[0].identifiers == ()


def test_where_somebody_lives_is_kept() -> None:
    lives = {"MATINH_CU_TRU": "79", "MAHUYEN_CU_TRU": "", "MAXA_CU_TRU": "27007", "DIA_CHI": "12 Đường Thử"}
    assert [each.resource for each in read(XML1=table("XML1", {**ONE, **lives}))] == [
        each.resource for each in read()
    ]


def test_the_facility_in_a_file_is_believed() -> None:
    """Whoever sends is known by its credentials: neither kind of code decides anything."""
    tables = {"XML1": packed(table("XML1", {**ONE, "MA_CSKCB": "2990000990013"}))}
    sent = file_of(visit(tables))
    (short,), (long,) = (read_visits(each) for each in (sent, sent.replace(b"99001<", b"2990000990013<", 1)))
    assert short.entries == long.entries and codes(short.entries) == []


@pytest.mark.parametrize("when", ["202611010940", "202611010900", "202611020100"])
def test_times_in_the_wrong_order_are_refused(when: str) -> None:
    rows = table(
        "XML3",
        {
            "MA_LK": ONE["MA_LK"],
            "MA_NHOM": "8",
            "MA_DICH_VU": "1",
            "TEN_DICH_VU": "Khâu",
            "NGAY_YL": "202611010945",
            "NGAY_TH_YL": when,
        },
    )
    assert codes(read(XML3=rows, XML4=table("XML4", {**RESULT, "NGAY_YL": when}))) == []


def test_a_parents_name_is_kept() -> None:
    names = {"HO_TEN_CHA": "CHA THỬ", "HO_TEN_ME": "MẸ THỬ", "NGUOI_GIAM_HO": "NGƯỜI THỬ"}
    birth = {
        "MA_LK": ONE["MA_LK"],
        "NGAY_SINH_CON": "202611010900",
        "HO_TEN_NND": "MẸ THỬ",
        "HO_TEN_CON": "CON THỬ",
    }
    paper = {"MA_LK": ONE["MA_LK"], "NGAY_RA": "20261101", **names}
    (found,) = read_visits(
        file_of(
            visit(
                {
                    "XML1": packed(table("XML1", {**ONE, **names})),
                    "XML7": packed(table("XML7", paper)),
                    "XML9": packed(table("XML9", {**birth, **names})),
                }
            )
        )
    )
    assert codes(found.entries) == [] and not any("THỬ" in said(each) for each in found.entries)
    assert found.person.identifiers == (("national_id", ONE["SO_CCCD"]),)


def test_what_is_longer_than_the_form_allows_is_refused() -> None:
    long = {**RESULT, "GIA_TRI": "x" * 5_000, "MA_CHI_SO": "y" * 500}
    found = read(XML4=table("XML4", long), XML1=table("XML1", {**ONE, "GHI_CHU": "Dặn dò. " * 2_000}))
    assert codes(found) == [] and any("y" * 500 in str(each.resource) for each in found)


def test_accents_are_told_apart_by_how_they_are_made() -> None:
    apart = unicodedata.normalize("NFD", "Đái tháo đường")
    one, other = (
        read(XML4=table("XML4", {**RESULT, "TEN_CHI_SO": each})) for each in (apart, "Đái tháo đường")
    )
    assert [each.resource for each in one] == [each.resource for each in other]


def said(entry: Entry) -> str:
    """All that an entry says, its paper unpacked."""
    packed_papers = [each["attachment"]["data"] for each in entry.resource.get("content", ())]
    return str(entry.resource) + "".join(base64.b64decode(each).decode() for each in packed_papers)


OLD: Row = {
    "MA_LK": "old-1",
    "NGAY_SINH": "19900504",
    "MA_THE": "GD4349990009912",
    "TEN_BENH": "Tăng huyết áp; Đái tháo đường típ 2",
    "MA_BENH": "I10",
    "MA_BENHKHAC": "E11.9",
    "MA_LYDO_VVIEN": "1",
    "NGAY_VAO": "202304010800",
    "NGAY_RA": "202304010900",
    "KET_QUA_DTRI": "2",
    "MA_LOAI_KCB": "1",
}


def old(**over: str) -> list[Entry]:
    course = {"MA_LK": "old-1", "DIEN_BIEN": "Ổn định", "NGAY_YL": "202304010830"}
    tables = {"XML1": packed(table("XML1", {**OLD, **over})), "XML5": packed(table("XML5", course))}
    (found,) = read_visits(file_of(visit(tables)))
    assert found.edition == "4210"
    return found.entries


def test_a_file_of_decision_4210_is_taken_for_a_new_one() -> None:
    found = old()
    assert codes(found) == []
    told = {
        each.resource["code"]["coding"][0]["code"]: each.resource["code"]["text"]
        for each in the(found, "Condition")
    }
    assert told == {"I10": "Tăng huyết áp", "E11.9": "Đái tháo đường típ 2"}
    (seen,) = the(found, "Encounter")
    assert seen.resource["type"][0]["coding"][0]["code"] == "01"
    papers = [said(each) for each in the(found, "DocumentReference")]
    assert any("Diễn biến: Ổn định" in each for each in papers)
    when = [str(each.resource["date"]) for each in the(found, "DocumentReference") if "Ổn định" in said(each)]
    assert when == ["2023-04-01T08:30:00+07:00"]


def test_a_card_of_decision_4210_names_nobody() -> None:
    (found,) = read_visits(file_of(visit({"XML1": packed(table("XML1", OLD))})))
    assert found.person.identifiers == (("insurance_number", "GD4349990009912"),)


def test_a_disease_opens_an_old_file() -> None:
    labels = {str(each.resource.get("meta")) for each in old(MA_BENHKHAC="B20", TEN_BENH="")}
    assert len(labels) == 1 and "HIV" in labels.pop()


@pytest.mark.parametrize(
    ("more", "edition"),
    [
        ({}, "130"),
        ({"NGAY_VAO_NOI_TRU": "202611010900"}, "4750"),
        ({"NGAY_VAO_NOI_TRU": "", "NHOM_MAU": "O+"}, "3176"),
        ({"MA_THE": "GD4349990009912"}, "4210"),
    ],
)
def test_the_edition_of_a_file_is_not_told(more: Row, edition: str) -> None:
    (found,) = read_visits(file_of(visit({"XML1": packed(table("XML1", {**ONE, **more}))})))
    assert found.edition == edition


def test_an_old_card_and_a_new_one_contradict_each_other_unseen() -> None:
    both = {**ONE, "SO_CCCD": "", "MA_THE_BHYT": "GD4349990009912", "MA_THE": "DN4010000000001"}
    found = read(XML1=table("XML1", both))
    assert codes(found) == ["repeated"] and all(each.fault for each in found)
