"""What a FHIR search lets the store leave out never fits; how days compare; what tokens find."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from consent.predicate import own_eyes
from wallet_api.records.fhir_search import KINDS, Days, Search, Token
from wallet_api.records.memory import MemoryRecords
from wallet_api.records.model import Filter, PartialDate, Record, Source

NOW = datetime(2026, 11, 3, 3, 0, tzinfo=UTC)
partial = st.builds(
    lambda day, length: PartialDate(day.isoformat()[:length]),
    st.dates(date(2024, 1, 1), date(2027, 12, 31)),
    st.sampled_from((4, 7, 10)),
)
asked = st.lists(
    st.builds(Days, st.sampled_from(("eq", "ge", "le", "gt", "lt")), partial), min_size=1, max_size=3
)


def record(when: PartialDate, kind: str = "Condition", category: str = "condition") -> Record:
    resource = {"resourceType": kind, "code": {"coding": [{"system": "s", "code": "c"}, {"code": "bare"}]}}
    return Record("r", "whose", 1, category, when, NOW, Source(None, None, "x", NOW), resource, "f")


@given(partial, asked, st.booleans())
def test_the_store_never_leaves_out_what_fits(when: PartialDate, days: list[Days], oldest: bool) -> None:
    book, found = MemoryRecords(), record(when)
    book.save([found], None)
    wanted = Search(frozenset({"Condition"}), days=tuple(days), oldest_first=oldest)
    if wanted.fits(found):
        assert book.page("whose", own_eyes(), wanted.filter, None, 1) == [found]


@given(partial, partial)
def test_days_compare_as_ranges(when: PartialDate, value: PartialDate) -> None:
    first, last = value.first_day, value.last_day
    assert Days("gt", value).holds(when) == (when.last_day > last)
    assert Days("lt", value).holds(when) == (when.first_day < first)
    if Days("eq", value).holds(when):
        assert Days("ge", value).holds(when) and Days("le", value).holds(when)
        assert not Days("gt", value).holds(when) and not Days("lt", value).holds(when)


def test_a_token_finds_its_system_or_any_or_none() -> None:
    found = record(PartialDate("2026"))
    told = {
        Token("c"): True,
        Token("c", "s"): True,
        Token("", "s"): True,
        Token("c", "t"): False,
        Token("c", ""): False,
        Token("bare", ""): True,
        Token("nothing"): False,
    }
    for token, fits in told.items():
        assert Search(frozenset({"Condition"}), codes=((token,),)).fits(found) is fits, token
    assert not Search(frozenset({"Condition"}), categories=((Token("c"),),)).fits(found)


def test_a_whole_book_is_asked_for_without_a_filter() -> None:
    assert Search().filter == Filter()
    assert Search(frozenset({"Immunization"})).filter == Filter(frozenset({"immunization"}))
    assert not Search(frozenset()).fits(record(PartialDate("2026")))
    everything = frozenset(one for each in KINDS.values() for one in each)
    other = replace(record(PartialDate("2026")), category=sorted(everything)[0])
    assert Search().fits(other)
