"""The rules of kindness one by one: limits, urgent kinds, holidays, sessions, putting off, what was told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.errors import BadSessionDays, BadTemplate, SnoozeRefused
from notifications.explaining import _sentences, explain
from notifications.kindness import open_day
from notifications.languages import chain, spoken_of
from notifications.model import Exam, GivenDose, Preferences, Status, Verdict
from notifications.programmes import load_programmes
from notifications.reminders import State, when_to_send
from notifications.sessions import SessionDays, SessionPeriod, republished
from notifications.snoozes import Snoozing
from notifications.templates import read_texts
from notifications.templates.kind import load_kind_texts, read_kind_texts
from tests.contracts.notifications_builders import make_reminder
from tests.notifications.stage import DAY, Stage, full_baby, ready

PROGRAMMES = {each.id: each for each in load_programmes()}
TOMORROW = DAY + timedelta(days=1)


def sessions(*days: date, monthly: tuple[int, ...] = (), published: date = date(2026, 1, 1)) -> SessionDays:
    one = SessionPeriod(date(2026, 1, 1), date(2027, 12, 31), frozenset(days), frozenset(monthly), published)
    return SessionDays("00001", (one,))


def with_sessions(stage: Stage, found: SessionDays) -> Stage:
    stage.planning._sessions = {"00001": found}.get
    for name, facts in stage.records.people.items():
        stage.records.people[name] = replace(facts, commune="00001")
        stage.planning.replan(name)
    return stage


def sent(stage: Stage, name: str, series: str) -> dict[str, tuple[date, str]]:
    rows = [r for r in stage.of(name) if r.series_id == series]
    return {r.offset: (r.send_on, r.state.value) for r in rows}


# --- limits and urgent kinds -----------------------------------------------------------------------------


def week_of_pushes(chosen: Preferences) -> tuple[int, set[str]]:
    stage = Stage(DAY)
    stage.preferences.save("mother", chosen)
    stage.device("mother")
    for number in range(6):
        born = date(2026, 2, 20) + timedelta(days=number)
        stage.person(f"child-{number}", born, "mother")
        for vaccine in ("bcg", "hepb_mono"):
            stage.give(f"child-{number}", vaccine, born)
    for number in range(6):
        stage.a_day(DAY + timedelta(days=number))
    reasons = {r.reason for n in range(6) for r in stage.of(f"child-{n}")}
    assert stage.inbox.unread("mother") >= 6, "the inbox has everything"
    return len(stage.channel.sent), reasons


def test_a_weekly_limit_silences_what_is_above_it() -> None:
    unlimited, reasons = week_of_pushes(Preferences())
    assert unlimited == 6 and "weekly_limit" not in reasons
    both = (("checkup", 2), ("vaccination", 2))
    limited, reasons = week_of_pushes(Preferences(a_week=both))
    assert limited == 2 and "weekly_limit" in reasons
    urgent, reasons = week_of_pushes(Preferences(a_week=both, urgent=frozenset({"vaccination"})))
    assert urgent == 6, "what somebody calls urgent is above their own limit"


def test_what_somebody_calls_urgent_comes_at_any_hour() -> None:
    stage = ready()
    stage.preferences.save("mother", Preferences(urgent=frozenset({"vaccination"})))
    stage.clock.turn(DAY, 3)
    stage.dispatch.plan_day(DAY)
    assert stage.send_all() == 1


def test_a_muted_kind_does_not_spend_the_days_push() -> None:
    stage = Stage(DAY)
    stage.device("mother")
    stage.preferences.save("mother", Preferences(muted=frozenset({("checkup", "push")})))
    stage.person("child", date(2024, 11, 20), "mother")
    stage.records.given["child"] = []
    full_baby(stage, "baby", "mother")
    stage.clock.turn(DAY, 0)
    stage.dispatch.plan_day(DAY)
    quiet = {(r.topic, r.state) for name in ("child", "baby") for r in stage.of(name) if r.reason}
    assert quiet == {("checkup", State.ACCEPTED)}
    stage.clock.turn(DAY, 20)
    stage.clock.at += timedelta(minutes=59)
    assert stage.send_all() == 1, "the doses still ring"


# --- hours and holidays ----------------------------------------------------------------------------------


@given(st.integers(0, 10**9), st.sampled_from([(7, 21), (8, 9), (20, 21)]))
@settings(max_examples=200, deadline=None)
def test_nobody_is_woken_by_the_full_hour(seed: int, window: tuple[int, int]) -> None:
    at = when_to_send(DAY, window, f"person-{seed}", datetime(2026, 11, 19, tzinfo=UTC))
    assert at.minute != 0
    assert when_to_send(DAY, window, f"person-{seed}", datetime(2026, 11, 19, tzinfo=UTC)) == at


def test_a_holiday_is_left_in_peace_but_for_what_is_urgent() -> None:
    stage = ready()
    closed = {DAY, TOMORROW}
    stage.dispatch._closed = closed.__contains__
    assert stage.a_day(DAY) == 0 and stage.inbox.unread("mother") == 0
    assert stage.a_day(TOMORROW) == 0
    opens = TOMORROW + timedelta(days=1)
    assert stage.a_day(opens) == 1
    found = next(r for r in stage.of("baby") if r.series_id == "measles")
    told = explain(found, PROGRAMMES["epi_routine"], closed.__contains__)
    assert [each.code for each in told.held] == ["holiday"]
    assert opens.strftime("%d/%m/%Y") in told.held[0].vi

    stage = ready()
    stage.dispatch._closed = closed.__contains__
    stage.preferences.save("mother", Preferences(urgent=frozenset({"vaccination"})))
    assert stage.a_day(DAY) == 1


def test_a_dose_recorded_over_the_holiday_is_not_reminded_of() -> None:
    stage = ready()
    stage.dispatch._closed = {DAY}.__contains__
    stage.a_day(DAY)
    stage.give("baby", "measles", DAY)
    stage.a_day(TOMORROW)
    assert "measles" not in {r.series_id for r in stage.of("baby") if r.state is State.ACCEPTED}


def test_a_calendar_without_open_days_is_not_believed() -> None:
    assert open_day(DAY, lambda day: True) == DAY
    assert open_day(DAY, {DAY}.__contains__) == TOMORROW


# --- sessions --------------------------------------------------------------------------------------------


def test_all_offsets_count_from_the_session_and_the_first_after_it_asks_once() -> None:
    session = DAY + timedelta(days=9)
    stage = with_sessions(ready(), sessions(session))
    for number in range(40):
        stage.a_day(DAY + timedelta(days=number))
    assert sent(stage, "baby", "measles") == {
        "before_7": (session - timedelta(days=7), "accepted"),
        "on_day": (session, "accepted"),
        "after_7": (session + timedelta(days=7), "accepted"),
        "after_21": (session + timedelta(days=21), "accepted"),
    }
    titles = [m.title for m in stage.inbox.page("mother", 99)]
    assert len([t for t in titles if t.startswith("Đã tiêm chưa?") and "Sởi" in t]) == 1
    bodies = [m.body for m in stage.inbox.page("mother", 99) if "Sởi" in m.title]
    assert all(session.strftime("%d/%m/%Y") in body for body in bodies[1:]), "each before it names it"


def test_unknown_sessions_are_not_mentioned() -> None:
    stage = ready()
    stage.a_day(DAY)
    assert not [m for m in stage.inbox.page("mother", 9) if "Buổi tiêm chủng gần nhất của" in m.body]
    [measles] = [i for i in stage.planning.forecast("baby") if i.series_id == "measles"]
    assert measles.session is None


@pytest.mark.parametrize("days", [46, 400])
def test_a_session_too_far_away_is_not_waited_for(days: int) -> None:
    stage = with_sessions(ready(), sessions(DAY + timedelta(days=days)))
    stage.a_day(DAY)
    assert sent(stage, "baby", "measles")["on_day"] == (DAY, "accepted")


def test_a_session_after_the_upper_age_is_not_waited_for() -> None:
    stage = with_sessions(ready(), sessions(DAY + timedelta(days=40)))
    for item in stage.planning.forecast("baby"):
        assert item.session is None or item.expires is None or item.session < item.expires


def test_nobody_missed_a_session_before_it_was_published() -> None:
    known = sessions(monthly=(5, 20), published=DAY)
    assert known.next_from(DAY) == date(2026, 12, 5), "the 20th is the day of publishing"
    assert sessions(monthly=(31,)).next_from(date(2026, 4, 1)) is None, "no 31st within 45 days"
    assert sessions(monthly=(31,)).next_from(date(2026, 5, 1)) == date(2026, 5, 31)


def test_a_period_that_stays_keeps_the_day_it_was_published() -> None:
    before = sessions(monthly=(5,), published=date(2026, 2, 1))
    later = SessionPeriod(date(2028, 1, 1), date(2028, 2, 1), frozenset(), frozenset({3}), DAY)
    after = SessionDays("00001", (*sessions(monthly=(5,), published=DAY).periods, later))
    made = republished(before, after)
    assert [each.published_on for each in made.periods] == [date(2026, 2, 1), DAY] and made.version == 2
    changed = republished(before, sessions(monthly=(6,), published=DAY))
    assert [each.published_on for each in changed.periods] == [DAY]


def test_two_periods_must_not_overlap() -> None:
    one = sessions(monthly=(5,)).periods[0]
    with pytest.raises(BadSessionDays):
        SessionDays("00001", (one, replace(one, monthly=frozenset({6}))))
    with pytest.raises(BadSessionDays):
        SessionDays("1", ())


# --- putting off -----------------------------------------------------------------------------------------


def put_off(stage: Stage, until: date, offset: str = "on_day", today: date = DAY) -> str:
    asked = next(r for r in stage.of("baby") if (r.series_id, r.offset) == ("measles", offset))
    item = next(i for i in stage.planning.forecast("baby") if i.series_id == "measles")
    snoozing = Snoozing(stage.reminders, lambda work: work(None), stage.keys)
    return snoozing.put_off(asked, until, item, PROGRAMMES["epi_routine"], today).id


def test_what_is_put_off_after_it_was_read_comes_back_once() -> None:
    stage, until = ready(), DAY + timedelta(days=10)
    stage.a_day(DAY)
    made = put_off(stage, until)
    assert put_off(stage, until) == made
    for number in range(1, 15):
        stage.a_day(DAY + timedelta(days=number))
    found = sent(stage, "baby", "measles")
    assert found["snoozed_1"] == (until, "accepted") and found["after_7"][1] == "superseded"
    assert len([m for m in stage.inbox.page("mother", 99) if "Sởi" in m.title]) == 2


def test_what_is_put_off_and_then_given_does_not_come() -> None:
    stage, until = ready(), DAY + timedelta(days=10)
    stage.a_day(DAY)
    put_off(stage, until)
    stage.clock.turn(DAY + timedelta(days=2), 9)
    stage.give("baby", "measles", DAY + timedelta(days=2))
    assert sent(stage, "baby", "measles")["snoozed_1"][1] == "cancelled"


def test_putting_off_outlives_a_new_plan_and_has_an_end() -> None:
    stage = ready()
    stage.a_day(DAY)
    put_off(stage, DAY + timedelta(days=10))
    stage.planning.replan("baby")
    assert sent(stage, "baby", "measles")["snoozed_1"][1] == "planned"
    for number in range(2, 7):
        put_off(stage, DAY + timedelta(days=number))
        stage.a_day(DAY + timedelta(days=number))
    with pytest.raises(SnoozeRefused):
        put_off(stage, DAY + timedelta(days=20))


@pytest.mark.parametrize(
    ("until", "why"), [(DAY, "too_far"), (DAY + timedelta(days=91), "too_far"), (TOMORROW, "settled")]
)
def test_a_day_that_cannot_be_is_refused(until: date, why: str) -> None:
    stage = ready()
    stage.a_day(DAY)
    if why == "settled":
        stage.give("baby", "measles", DAY)
    with pytest.raises(SnoozeRefused) as refused:
        put_off(stage, until)
    assert refused.value.why == why


# --- what was told ---------------------------------------------------------------------------------------


def tell(stage: Stage, vaccine: str, day: date, name: str = "baby") -> None:
    told = GivenDose(vaccine, None, day, f"told-{vaccine}@{day}", told=True)
    stage.records.given.setdefault(name, []).append(told)
    stage.planning.replan(name)


def item_of(stage: Stage, series: str, dose: int, name: str = "baby") -> tuple[Status, set[Verdict]]:
    found = next(i for i in stage.planning.forecast(name) if (i.series_id, i.dose) == (series, dose))
    return found.status, {each.verdict for each in found.because.evidence}


def test_what_is_told_ends_the_reminders_of_that_dose_alone() -> None:
    stage = ready()
    stage.clock.turn(DAY, 0)
    stage.dispatch.plan_day(DAY)
    tell(stage, "measles", DAY)
    states = {(r.series_id, r.state.value, r.reason) for r in stage.of("baby")}
    assert ("measles", "cancelled", "told") in states and ("ipv", "queued", "") in states
    assert item_of(stage, "measles", 1) == (Status.TOLD, {Verdict.TOLD})


def test_the_next_dose_is_planned_from_what_was_told() -> None:
    stage = Stage(DAY)
    stage.person("child", date(2025, 11, 20), "mother")
    tell(stage, "je_inactivated", DAY, "child")
    following = next(i for i in stage.planning.forecast("child") if (i.series_id, i.dose) == ("je", 2))
    assert following.waits_for is None and following.recommended == DAY + timedelta(days=7)
    assert {each.verdict for each in following.because.evidence} == {Verdict.TOLD}


def test_a_proof_takes_the_place_of_what_was_told() -> None:
    stage = ready()
    tell(stage, "measles", DAY - timedelta(days=3))
    stage.give("baby", "measles", DAY)
    assert item_of(stage, "measles", 1) == (Status.GIVEN, {Verdict.COUNTED})


def test_what_was_told_never_spoils_a_proven_dose() -> None:
    stage = Stage(DAY)
    stage.person("child", date(2025, 10, 1), "mother")
    tell(stage, "je_inactivated", DAY - timedelta(days=2), "child")
    stage.give("child", "je_inactivated", DAY)
    assert item_of(stage, "je", 1, "child") == (Status.GIVEN, {Verdict.COUNTED})


def test_a_told_checkup_yields_to_a_proven_one_of_its_year() -> None:
    stage = Stage(DAY)
    stage.person("elder", date(1950, 5, 5))
    stage.records.given["elder"] = [Exam("periodic", date(2026, 2, 1), "said", told=True)]
    assert item_of(stage, "annual_checkup", 2026, "elder") == (Status.TOLD, {Verdict.TOLD})
    stage.records.given["elder"].append(Exam("periodic", date(2026, 9, 1), "proof"))
    assert item_of(stage, "annual_checkup", 2026, "elder") == (Status.GIVEN, {Verdict.COUNTED})


said = st.tuples(st.sampled_from(["measles", "ipv", "mr", "je_inactivated"]), st.integers(0, 280))


@given(st.lists(said, max_size=5))
@settings(max_examples=60, deadline=None)
def test_nothing_that_is_told_changes_what_is_proven(told: list[tuple[str, int]]) -> None:
    stage = Stage(DAY)
    full_baby(stage)
    proven = {i.identity for i in stage.planning.forecast("baby") if i.status is Status.GIVEN}
    for vaccine, age in told:
        tell(stage, vaccine, date(2026, 2, 20) + timedelta(days=age))
    after = {i.identity for i in stage.planning.forecast("baby") if i.status is Status.GIVEN}
    assert after == proven


# --- words -----------------------------------------------------------------------------------------------


def test_a_language_without_a_text_falls_back() -> None:
    assert chain("en-AU") == ("en-AU", "en", "vi") and chain("km-KH") == ("km-KH", "km", "vi")
    assert chain("../etc") == ("vi",)
    assert spoken_of({"vi": "v", "en": "e"}, "en-AU") == "e"
    assert spoken_of({"vi": "v", "en": "e", "km": "k"}, "km-KH") == "k"
    assert spoken_of({"vi": "v", "en": "e"}, "hmn") == "v"


def test_a_text_in_a_further_language_is_spoken() -> None:
    one = {"title": "{programme}", "body": "{programme} {day}"}
    three = dict.fromkeys(("vi", "en"), one) | {"km": {"title": "K {programme}", "body": "{programme} {day}"}}
    raw = f'{{"id": "t", "version": 1, "texts": {{"a.on": {three}}}}}'.replace("'", '"')
    assert read_texts(raw).render("a", "on", "km-KH", "x", DAY)[0] == "K x"
    assert read_texts(raw).render("a", "on", "tai", "x", DAY)[0] == "x"


def test_the_heading_counts_and_tells_nothing() -> None:
    texts = load_kind_texts()
    assert texts.heading(1, "en") == "You have 1 new message"
    assert texts.heading(3, "en-AU") == "You have 3 new messages"
    assert texts.heading(3, "tai") == "Bạn có 3 thông báo mới"


def test_a_sentence_that_asks_for_too_much_stops_the_start() -> None:
    session = {"vi": "{session}", "en": "{session} {name}"}
    raw = str({"id": "k", "version": 1, "session": session, "missed": {}, "digest": {}}).replace("'", '"')
    with pytest.raises(BadTemplate):
        read_kind_texts(raw)


def test_every_end_of_a_reminder_can_be_explained() -> None:
    for state in State:
        for reason in ("", "given", "told", "opted_out", "guardian_changed", "moved", "no_longer_due"):
            found = make_reminder(state=state, reason=reason)
            told = explain(found, PROGRAMMES["epi_routine"], lambda day: False)
            assert told.now.vi and told.now.en and told.why
    assert all(row["vi"] != row["en"] for row in _sentences().values())


def test_a_person_who_says_no_to_a_channel_still_has_the_other() -> None:
    chosen = Preferences(muted=frozenset({("vaccination", "push")}))
    assert not chosen.wants("vaccination", "push") and chosen.wants("checkup", "push")
    assert not Preferences(opted_out=frozenset({"checkup"})).wants("checkup", "push")
