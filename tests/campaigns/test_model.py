"""The way of a campaign from draft to end: steps in every order, and who may take them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from notifications.campaigns import texts
from notifications.campaigns.audience import Audience
from notifications.campaigns.model import ALONE, ENDED, Campaign, CampaignState, ListSummary
from notifications.campaigns.texts import load_texts, read_text
from notifications.errors import (
    BadTemplate,
    CampaignNeedsApproval,
    CampaignStepRefused,
    SecondPersonNeeded,
)
from tests.contracts.ground import NOW
from tests.contracts.test_campaign_stores import made

S = CampaignState
WHOLE = ListSummary(2, 2, 0, 0, "ab", True, 1)


def test_outbreaks_lists_and_large_audiences_take_two() -> None:
    small, outbreak = made(), made(kind="outbreak")
    listed = made(audience=Audience(listed=True)).with_list(WHOLE, "op-1", NOW)
    assert small.launch("op-1", NOW, ALONE).state is S.RUNNING
    for campaign, people in ((small, ALONE + 1), (outbreak, 1), (listed, 1)):
        with pytest.raises(CampaignNeedsApproval):
            campaign.launch("op-1", NOW, people)
        assert campaign.approve("op-2", NOW).launch("op-1", NOW, people).state is S.RUNNING


def test_nobody_approves_their_own_work() -> None:
    listed = made(audience=Audience(listed=True)).with_list(WHOLE, "op-3", NOW)
    for who in ("op-1", "op-3"):
        with pytest.raises(SecondPersonNeeded):
            listed.approve(who, NOW)


@pytest.mark.parametrize(
    "changed",
    [
        {"template": "outbreak_vaccination.v1"},
        {"kind": "outbreak"},
        {"audience": Audience(province="08")},
        {"per_minute": 61},
        {"starts_at": NOW + timedelta(days=1)},
        {"listed": WHOLE},
    ],
)
def test_an_approval_is_of_exactly_what_was_seen(changed: dict[str, object]) -> None:
    approved = made().approve("op-2", NOW)
    assert approved.approved and not replace(approved, **changed).approved  # type: ignore[arg-type]


def test_a_name_decides_nothing_and_so_does_a_version() -> None:
    approved = made().approve("op-2", NOW)
    assert replace(approved, name="other", version=9).approved


def test_a_campaign_waits_for_its_time_whatever_happens_before() -> None:
    later = made(starts_at=NOW + timedelta(hours=2)).launch("op-1", NOW, 1)
    assert later.state is S.SCHEDULED
    assert later.step("paused", "op-1", NOW).step("resumed", "op-1", NOW).state is S.SCHEDULED
    assert later.step("begun", "system", NOW + timedelta(hours=2)).state is S.RUNNING


class Steps(RuleBasedStateMachine):
    """Any steps by anybody in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.campaign: Campaign = made(kind="outbreak")

    @rule(
        event=st.sampled_from(["launched", "begun", "paused", "resumed", "done", "cancelled", "approved"]),
        by=st.sampled_from(["op-1", "op-2", "op-3"]),
    )
    def take(self, event: str, by: str) -> None:
        was = self.campaign
        try:
            if event == "approved":
                self.campaign = was.approve(by, NOW)
            elif event == "launched":
                self.campaign = was.launch(by, NOW, 5)
            else:
                self.campaign = was.step(event, by, NOW)
        except (CampaignStepRefused, CampaignNeedsApproval, SecondPersonNeeded):
            assert self.campaign is was
            return
        assert was.state not in ENDED, "an end is an end"
        assert self.campaign.version == was.version + 1
        assert self.campaign.history[:-1] == was.history

    @invariant()
    def nothing_runs_that_one_person_decided_alone(self) -> None:
        if self.campaign.state in (S.RUNNING, S.SCHEDULED, S.DONE):
            assert self.campaign.approved and self.campaign.approved_by != self.campaign.created_by


TestSteps = Steps.TestCase
TestSteps.settings = settings(max_examples=60, stateful_step_count=12, deadline=None)


def test_every_text_is_whole_in_both_languages_and_has_nothing_to_fill_in() -> None:
    assert {"outbreak_vaccination.v1", "catch_up.v1", "checkup_invitation.v1"} <= set(load_texts())
    for each in load_texts().values():
        for locale in ("vi", "en"):
            title, body = each.in_words(locale)  # type: ignore[arg-type]
            assert title and body and not set("{}%") & set(title + body) and each.source


@pytest.mark.parametrize("wrong", ["{name}", "%s", "{}"])
def test_a_text_with_a_place_for_a_name_stops_the_start(wrong: str) -> None:
    raw = (texts.files(texts.__name__) / "catch_up.v1.json").read_text(encoding="utf-8")
    assert read_text(raw)
    with pytest.raises(BadTemplate, match="nothing to fill in"):
        read_text(raw.replace("Tiêm bù", wrong, 1))
