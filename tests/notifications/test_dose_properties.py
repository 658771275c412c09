"""What holds of the engine and of every plan of doses, whatever was given when."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.days import DateRule, Span
from notifications.dose_rules import _later
from notifications.errors import BadProgramme
from notifications.immunization import SeriesStatus
from notifications.model import GivenDose, Status, Verdict
from notifications.planner import plan
from tests.examples import examples
from tests.notifications.engine_rules import BORN, first, group_of, rules, second, series
from tests.notifications.lives import ACTIVE, BY_ID, DOSES, child, dose, items_of
from tests.notifications.test_planner_properties import Life, lives

DOSE_PROGRAMMES = [programme for programme in BY_ID.values() if programme.kind == "dose_series"]
SETTLED = (Status.GIVEN, Status.AGED_OUT, Status.NOT_ELIGIBLE)
small = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 700)), max_size=7)


@given(lives, st.integers(1, 400))
@settings(max_examples=examples(40, 500), deadline=None)
def test_time_alone_never_takes_a_due_dose_back(life: Life, later: int) -> None:
    """What waits for nothing stays due or overdue until it is given or too late for it."""
    facts, history, today = life
    past = [each for each in history if isinstance(each, GivenDose) and each.given_on <= today]
    now = items_of(facts, past, today)
    then = items_of(facts, past, today + timedelta(days=later))
    for key, item in now.items():
        if item.programme_id == "annual_checkup" or key not in then:
            continue
        if item.status in ACTIVE:
            assert then[key].status in (*ACTIVE, Status.AGED_OUT, Status.ASK_STATION), key
            assert then[key].recommended == item.recommended
        if item.status in SETTLED:
            assert then[key].status is item.status, key


@given(lives)
@settings(max_examples=examples(40, 500), deadline=None)
def test_a_record_counts_once_in_a_chain_and_is_never_asked_for_again(life: Life) -> None:
    facts, history, today = life
    counted: dict[tuple[str, str], int] = {}
    for item in plan(facts, history, DOSE_PROGRAMMES, today):
        if item.status is Status.GIVEN:
            [seen] = item.because.evidence
            head = DOSES[item.series_id, item.dose][0]
            while head.follows:
                head = next(s for p in DOSE_PROGRAMMES for s in p.series if s.id == head.follows)
            key = head.id, seen.record_id
            counted[key] = counted.get(key, 0) + 1
            assert not item.remindable and item.recommended is None
    assert max(counted.values(), default=1) == 1


@given(st.integers(0, 2000), st.sampled_from(sorted(DOSES)), st.integers(1, 60))
@settings(max_examples=examples(60, 800), deadline=None)
def test_a_dose_given_early_is_repeated(born: int, key: tuple[str, int], days: int) -> None:
    found, rule = DOSES[key]
    birthday = date(2026, 3, 1) + timedelta(days=born % 365)
    opens = max(
        (each.after(birthday) for each in (rule.min_age, found.eligible.age_from) if each), default=birthday
    )
    if found.follows or rule is not found.doses[0] or found.branch or opens <= birthday:
        return
    early = opens - timedelta(days=days)
    vaccine = sorted(found.accepts)[0]
    sex = "male" if found.eligible.sex == "male" else "female"
    items = items_of(child(birthday, sex), [dose(vaccine, early)], opens)
    assert items[key].status is not Status.GIVEN
    if early >= birthday and items[key].because.evidence:
        [told] = items[key].because.evidence
        assert (told.verdict, told.valid_from) == (Verdict.TOO_EARLY, opens)


@given(lives, st.integers(0, 5))
@settings(max_examples=examples(30, 400), deadline=None)
def test_a_late_child_is_caught_up_one_dose_at_a_time(life: Life, weeks: int) -> None:
    facts, history, today = life
    for _ in range(weeks):
        due = [i for i in items_of(facts, history, today).values() if i.status in ACTIVE]
        due = [i for i in due if (i.series_id, i.dose) in DOSES]
        assert len({i.series_id for i in due}) == len(due), "two doses of one series at once"
        for item in due:
            product = sorted(DOSES[item.series_id, item.dose][0].accepts)[0]
            history = [*history, dose(product, today, f"{item.series_id}{item.dose}@{today}")]
        today += timedelta(days=7)


@given(small, st.integers(0, 900))
@settings(max_examples=examples(80, 1000), deadline=None)
def test_a_forecast_is_never_before_an_absolute_minimum(doses: list[tuple[str, int]], age: int) -> None:
    known = rules(series(first(), second(), second(number=3)))
    today = BORN + timedelta(days=age)
    given_on = [(vaccine, BORN + timedelta(days=day)) for vaccine, day in doses]
    found = group_of(known, *given_on, today=today)
    [best] = found.best
    for seen in best.progress.evaluations:
        assert seen.valid == (seen.reason.value == "fits")
        assert seen.since is None or seen.since > seen.dose.on
    if best.forecast.status is SeriesStatus.NOT_COMPLETE:
        target = next(d for d in best.series.doses if d.number == best.forecast.target)
        earliest = best.forecast.earliest
        assert earliest is not None and best.forecast.because
        lower = target.ages[0].absolute_minimum
        assert lower is not None and earliest >= lower.after(BORN)
        seen_days = [e.dose.on for e in best.progress.evaluations]
        gaps = [
            i.absolute_minimum.after(max(seen_days))
            for i in target.intervals
            if seen_days and i.absolute_minimum
        ]
        assert all(earliest >= day for day in gaps)


spans = st.builds(Span, st.integers(0, 2), st.integers(0, 13), st.integers(0, 40))
A_LEAP_YEAR_AND_THREE = [date(2024, 1, 1) + timedelta(days=day) for day in range(4 * 365 + 1)]


@given(spans, spans, st.sampled_from(DateRule))
@settings(max_examples=examples(60, 2000), deadline=None)
def test_the_later_of_two_ages_is_what_every_birthday_says(one: Span, other: Span, rule: DateRule) -> None:
    said = {one.after(day, rule) <= other.after(day, rule) for day in A_LEAP_YEAR_AND_THREE}
    if len(said) == 1 or one == other:
        assert _later("here", one, other, rule) == (other if said == {True} else one)
    else:
        with pytest.raises(BadProgramme, match="depends on the birthday"):
            _later("here", one, other, rule)
