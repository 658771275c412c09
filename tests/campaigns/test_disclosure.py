"""No count of a handful of people is told, and none follows from what is told."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.campaigns.audience import Audience
from notifications.campaigns.counting import Counting, Estimate
from notifications.campaigns.disclosure import gaps, progress_shown, rounded, share_is_small, too_like
from notifications.campaigns.memory import MemoryPeople, MemoryPreviews
from notifications.campaigns.names import CampaignNames
from notifications.errors import BadAudience
from tests.contracts.ground import NOW
from tests.contracts.test_campaign_stores import person

COUNTS = st.integers(0, 200)


@given(COUNTS, st.integers(0, 9))
def test_a_count_is_told_in_tens_and_never_below_ten(count: int, shift: int) -> None:
    told = rounded(count, shift)
    assert (told is None) == (count < 10)
    assert told is None or (told % 10 == 0 and abs(told - count) <= 9 and told >= 10)


@given(st.integers(10, 200))
def test_one_person_more_is_seen_in_one_of_ten_places_of_the_cut(count: int) -> None:
    changed = [rounded(count, shift) != rounded(count + 1, shift) for shift in range(10)]
    assert sum(changed) <= 1


@given(st.dictionaries(st.sampled_from("abcde"), COUNTS, min_size=1))
def test_no_part_of_a_known_total_stands_alone(counts: dict[str, int]) -> None:
    shown = progress_shown(counts)
    assert all(shown[name] is None for name, count in counts.items() if 0 < count < 10)
    hidden = [name for name in counts if shown[name] is None]
    others = [name for name, count in counts.items() if count > 0]
    assert len(hidden) != 1 or others == hidden, "one gap would follow from the total"


@given(
    st.integers(1, 5).flatmap(
        lambda width: st.lists(st.lists(COUNTS, min_size=width, max_size=width), min_size=1, max_size=5)
    )
)
def test_no_line_of_a_table_has_a_single_gap(sizes: Sequence[Sequence[int]]) -> None:
    mask = gaps([[size < 10 for size in row] for row in sizes], sizes)
    assert all(mask[r][c] for r, row in enumerate(sizes) for c, size in enumerate(row) if size < 10)
    lines = [list(row) for row in mask] + [list(column) for column in zip(*mask, strict=True)]
    assert all(sum(line) != 1 or len(line) == 1 or not _could_hide(line) for line in lines) or _too_small(
        sizes
    )


def _could_hide(line: Sequence[bool]) -> bool:
    return len(line) > 1


def _too_small(sizes: Sequence[Sequence[int]]) -> bool:
    return any(size == 0 for row in sizes for size in row)


def test_a_part_and_what_it_leaves_are_both_groups() -> None:
    assert [share_is_small(part, 100) for part in (0, 9, 10, 90, 91, 100)] == [
        True,
        True,
        False,
        False,
        True,
        True,
    ]


@pytest.fixture
def counting() -> Counting:
    people = MemoryPeople()
    for number in range(40):
        people.put(person(f"p{number:02}", shard=number % 64, commune="00070" if number < 35 else "00071"))
    return Counting(people, MemoryPreviews(), CampaignNames(b"secret"), lambda: NOW)


def test_two_nested_counts_give_no_handful_away(counting: Counting) -> None:
    province, commune = Audience(province="01"), Audience(province="01", commune="00070")
    assert counting.tell(province).people in (40, 50)
    assert counting.tell(commune).held_back == "too_like", "forty less thirty-five would be five people"
    assert counting.tell(province).people in (40, 50), "the same may be asked again"
    assert counting.tell(Audience(province="01", commune="00071")).held_back == "few"


def test_a_count_far_enough_from_its_neighbours_is_told(counting: Counting) -> None:
    counting._people.put(person("x", commune="00072"))  # type: ignore[attr-defined]
    for number in range(20):
        counting._people.put(person(f"y{number:02}", commune="00072"))  # type: ignore[attr-defined]
    assert counting.tell(Audience(province="01")).people is not None
    assert counting.tell(Audience(province="01", commune="00072")).people is not None
    assert too_like(40, [49]) and not too_like(40, [50])


def test_the_same_question_always_gets_the_same_answer(counting: Counting) -> None:
    assert len({counting.tell(Audience(sex="female")).people for _ in range(5)}) == 1


def test_a_large_audience_is_counted_in_a_sample() -> None:
    people = MemoryPeople()
    for number in range(64 * 100):
        people.put(person(f"p{number:05}", shard=number % 64))
    counting = Counting(people, MemoryPreviews(), CampaignNames(b"secret"), lambda: NOW)
    assert counting.estimate(Audience()) == Estimate(6400, True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"age_from": 9, "age_to": 8},
        {"series": "mr"},
        {"status": "due"},
        {"commune": "00070"},
        {"listed": True, "sex": "female"},
    ],
)
def test_an_audience_that_does_not_hold_together_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadAudience):
        Audience(**wrong)  # type: ignore[arg-type]
