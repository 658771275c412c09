"""What holds of every plan, whatever the life behind it."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.model import Care, CitizenFacts, Exam, GivenDose, Status, Verdict
from notifications.planner import plan
from tests.examples import examples
from tests.notifications.lives import ACTIVE, CLASSES, DOSES, PROGRAMMES, child, dose, items_of

Life = tuple[CitizenFacts, list[Care], date]

FIRST, LAST = date(2019, 1, 1), date(2026, 6, 30)
DAYS = 3001


def made(born: int, age: int, doses: list[int], exams: list[int], sex: str) -> Life:
    """`born` counts from the first birthday; a dose is a day of the life and a vaccine in one number."""
    birthday = FIRST + timedelta(days=born)
    care: list[Care] = []
    for number, each in enumerate(doses):
        vaccine, day = divmod(each, DAYS)
        care.append(dose(CLASSES[vaccine], birthday + timedelta(days=day), f"r{number}"))
    care += [Exam("periodic", birthday + timedelta(days=day), f"x{n}") for n, day in enumerate(exams)]
    return child(birthday, sex), care, birthday + timedelta(days=age)


# Plain numbers, and no strategy made anew for each life: drawing them took more time than planning for them.
lives = st.builds(
    made,
    st.integers(0, (LAST - FIRST).days),
    st.integers(0, DAYS - 1),
    st.lists(st.integers(0, len(CLASSES) * DAYS - 1), max_size=12),
    st.lists(st.integers(0, DAYS - 1), max_size=3),
    st.sampled_from(["female", "male", "unknown"]),
)


@given(lives, st.integers(0, 2**32 - 1))
@settings(max_examples=examples(50, 600), deadline=None)
def test_the_order_of_the_history_does_not_matter(life: Life, seed: int) -> None:
    facts, history, today = life
    shuffled = list(history)
    Random(seed).shuffle(shuffled)
    assert plan(facts, shuffled, PROGRAMMES, today) == plan(facts, history, PROGRAMMES, today)


@given(lives)
@settings(max_examples=examples(50, 600), deadline=None)
def test_nothing_is_due_before_its_age_or_interval(life: Life) -> None:
    facts, history, today = life
    given_on = {d.record_id: d.given_on for d in history if isinstance(d, GivenDose)}
    for item in plan(facts, history, PROGRAMMES, today):
        if (item.series_id, item.dose) not in DOSES or item.recommended is None:
            continue
        _, rule = DOSES[item.series_id, item.dose]
        assert item.earliest is None or item.earliest <= item.recommended
        assert rule.min_age is None or item.recommended >= rule.min_age.after(facts.born)
        counted = [given_on[e.record_id] for e in item.because.evidence if e.verdict is Verdict.COUNTED]
        if counted and rule.min_interval is not None and item.waits_for is None:
            assert item.recommended >= rule.min_interval.after(max(counted))
        assert (item.status in ACTIVE) <= (today >= item.recommended)


@given(lives)
@settings(max_examples=examples(50, 600), deadline=None)
def test_a_chain_of_series_has_at_most_one_dose_due(life: Life) -> None:
    facts, history, today = life
    chains: dict[str, int] = {}
    heads = {s.id: s.follows for p in PROGRAMMES for s in p.series}
    for item in plan(facts, history, PROGRAMMES, today):
        head = item.series_id
        while heads.get(head):
            head = heads[head] or ""
        chains[head] = chains.get(head, 0) + (item.status in ACTIVE)
    assert max(chains.values(), default=0) <= 1


@given(lives)
@settings(max_examples=examples(50, 600), deadline=None)
def test_giving_what_is_due_settles_it_and_makes_no_earlier_dose_due(life: Life) -> None:
    facts, history, today = life
    before = items_of(facts, history, today)
    for key, item in before.items():
        if item.status not in ACTIVE or key not in DOSES:
            continue
        series, _ = DOSES[key]
        product = sorted(series.accepts)[0]
        after = items_of(facts, [*history, dose(product, today, "now")], today)
        assert after[key].status is Status.GIVEN
        assert all(after[k].status is Status.GIVEN for k, i in before.items() if i.status is Status.GIVEN)


@given(lives)
@settings(max_examples=examples(50, 600), deadline=None)
def test_a_stored_item_seen_on_its_own_day_is_unchanged(life: Life) -> None:
    facts, history, today = life
    for item in plan(facts, history, PROGRAMMES, today):
        assert item.seen_on(today) == item
