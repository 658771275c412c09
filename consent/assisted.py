"""Assisted consent: a person without a phone says yes at the station, and a named practitioner attests it.

Less can be had this way than in the app: for treatment alone, to look alone, nothing restricted, and for
hours. The person is told, and can withdraw it like any other consent. Numbers are data: `assisted.json`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from importlib import resources

from consent.ages import AGES, reached_at
from consent.errors import CoConsentRequired
from consent.lifecycle import GrantLifecycle, Journal, no_journal, notice_shown
from consent.model import Answer, Evidence, Grant, Period, Scope, Step

CHANNEL = "assisted"


@dataclass(frozen=True)
class AssistedRules:
    """For what and how long, and what a practitioner may have known the person by."""

    source: str
    valid_from: str
    purpose: str
    lasts_hours: int
    documents: tuple[str, ...]

    @property
    def lasts(self) -> timedelta:
        """The longest such a consent lasts."""
        return timedelta(hours=self.lasts_hours)


def load_rules() -> AssistedRules:
    """The rules in force. A misspelt or missing key stops the start (TypeError)."""
    said = json.loads(resources.files("consent").joinpath("assisted.json").read_text(encoding="utf-8"))
    return AssistedRules(**said | {"documents": tuple(said["documents"])})


RULES = load_rules()


def assisted_scope(
    organisation_id: str, categories: frozenset[str], record_period: Period, now: datetime
) -> Scope:
    """The widest that can be given this way."""
    return Scope(
        organisation_id=organisation_id,
        practitioner_id=None,
        purpose=RULES.purpose,
        categories=categories,
        record_period=record_period,
        expires_at=now + RULES.lasts,
    )


def check_of_age(born: date, now: datetime) -> None:
    """Refuse to hear a child this way: its consent takes a representative's as well.

    Raises:
        CoConsentRequired: by the birth date given the person is not of full age.
    """
    if now < reached_at(born, AGES.full_age):
        raise CoConsentRequired("subject")


class AssistedConsentService(GrantLifecycle):
    """Keeps what practitioners attest. What it answers is the same whoever is meant, existing or not."""

    def attest(
        self,
        citizen_id: str,
        scope: Scope,
        answer: Answer,
        heard: Evidence,
        journal: Journal = no_journal,
        grant_id: str | None = None,
    ) -> Grant:
        """Keep a consent that a practitioner heard. `journal` and `grant_id` as in `approve`.

        Somebody who blocks the organisation gives nothing by it: it has ended when this returns, and the
        attesting organisation is told so no sooner than when it reads.

        Raises:
            UnknownCode, NotLicensed, NoticeOutdated, TooManyGrants: see their own words.
        """
        now = self._now()
        self.check(scope)
        self._check_room(citizen_id, scope.organisation_id, now)
        by = heard.attested_by or heard.person_id
        grant = Grant(
            id=grant_id or self._new_id(),
            citizen_id=citizen_id,
            request_id=None,
            scope=scope,
            state="granted",
            version=1,
            granted_at=now,
            notice=notice_shown(scope.purpose, answer),
            evidence=heard,
            history=(Step("consent:grant:created", by, now, CHANNEL),),
            kind="assisted",
        )
        journal(grant)
        self._consents.give(grant)
        if self._consents.standing(citizen_id, scope.organisation_id).blocked:
            self._end_blocked(grant)
        return grant

    def _end_blocked(self, grant: Grant) -> None:
        def withdrawn(found: Grant, at: datetime) -> Grant:
            step = Step("consent:grant:withdrawn", grant.citizen_id, at, "blocked")
            history = (*found.history, step)
            over = replace(found, state="withdrawn", ended_at=at, end_reason="blocked", history=history)
            return replace(over, version=found.version + 1)

        self._close(grant.citizen_id, grant.id, withdrawn, self._consents.end)
