"""Between queueing and sending everything may change: each stop condition is asked again, one test each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from notifications.model import GivenDose, Preferences
from notifications.reminders import State
from tests.notifications.stage import DAY, Stage, ready

TOPICS = frozenset({"vaccination", "checkup"})


@pytest.fixture
def stage() -> Stage:
    """A baby's reminders of the day, queued at midnight; the mother has a phone."""
    made = ready()
    made.clock.turn(DAY, 0)
    made.dispatch.plan_day(DAY)
    assert {r.state for r in made.of("baby")} == {State.QUEUED}
    made.clock.turn(DAY, 20)
    return made


def outcome(stage: Stage) -> set[tuple[str, str]]:
    return {(r.state.value, r.reason) for r in stage.of("baby")}


def test_what_nothing_stops_goes_out(stage: Stage) -> None:
    assert stage.send_all() == 1 and outcome(stage) == {("accepted", "")}


def test_nobody_is_reminded_of_the_dead(stage: Stage) -> None:
    stage.records.people["baby"] = replace(stage.records.people["baby"], deceased=True)
    assert stage.send_all() == 0 and outcome(stage) == {("cancelled", "no_longer_due")}


def test_a_guardian_who_is_none_any_more_gets_nothing(stage: Stage) -> None:
    stage.guardians.of["baby"] = ["grandmother"]
    assert stage.send_all() == 0 and outcome(stage) == {("cancelled", "guardian_changed")}


def test_an_opt_out_after_queueing_counts(stage: Stage) -> None:
    stage.preferences.save("mother", Preferences(TOPICS))
    assert stage.send_all() == 0 and outcome(stage) == {("cancelled", "opted_out")}


def test_a_dose_given_after_queueing_is_not_pushed(stage: Stage) -> None:
    stage.preferences.save("mother", Preferences(frozenset({"checkup"})))
    for vaccine in ("measles", "ipv"):
        stage.records.given["baby"].append(GivenDose(vaccine, None, DAY, f"{vaccine}-today"))
    assert stage.send_all() == 0
    assert outcome(stage) == {("cancelled", "given"), ("cancelled", "opted_out")}


def test_a_programme_that_is_no_more_sends_nothing(stage: Stage) -> None:
    kept = [each for each in stage.planning.programmes.values() if each.id == "annual_checkup"]
    stage.planning._programmes = tuple(kept)
    stage.preferences.save("mother", Preferences(frozenset({"checkup"})))
    assert stage.send_all() == 0
    assert outcome(stage) == {("cancelled", "no_longer_due"), ("cancelled", "opted_out")}
