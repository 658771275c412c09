"""The rules a consent must meet: what may be asked, what may be answered, who may answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from consent.codes import CATEGORIES, LABELS, PURPOSES, WITHDRAWAL_REASONS
from consent.errors import CoConsentRequired, NotLicensed, UnknownCode
from consent.model import Actor, Answer, ConsentRequest, Licence, Period, Scope, Step
from consent.periods import PERIODS

LONGEST_GRANT = PERIODS.longest_grant
MOST_RECORDS = 100
"""Records a grant can name one by one; a standing document must stay small."""
CO_CONSENT_AGE = 7
"""Age from which a child's own yes is needed as well (Law 91/2025/QH15 Art. 24)."""
_VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")


def narrowed(asked: Scope, answer: Answer) -> Scope:
    """The scope an answer describes; what it leaves open stays as asked."""
    return replace(
        asked,
        categories=asked.categories if answer.categories is None else answer.categories,
        record_period=answer.record_period or asked.record_period,
        expires_at=answer.expires_at or asked.expires_at,
        uses=answer.uses if answer.uses_given else asked.uses,
        labels=asked.labels if answer.labels is None else answer.labels,
        record_ids=asked.record_ids if answer.record_ids is None else answer.record_ids,
        mode=answer.mode or asked.mode,
    )


def answered(
    request: ConsentRequest,
    state: str,
    actor: Actor,
    now: datetime,
    *,
    grant_id: str | None = None,
    reason: str | None = None,
) -> ConsentRequest:
    """The next version of a request, answered."""
    step = Step(f"consent:request:{state}", actor.evidence.person_id, now, reason)
    return replace(
        request,
        state="granted" if grant_id else "refused",
        version=request.version + 1,
        grant_id=grant_id,
        history=(*request.history, step),
    )


def check_scope(scope: Scope, licence: Licence, now: datetime) -> None:
    """Refuse what cannot be asked or granted.

    Raises:
        UnknownCode: as `check_codes`. NotLicensed: the organisation may not have this.
    """
    check_codes(scope, now)
    if scope.purpose not in licence.purposes or not scope.categories <= licence.categories:
        raise NotLicensed(scope.organisation_id)


def check_codes(scope: Scope, now: datetime) -> None:
    """Refuse a scope that makes no sense.

    Raises:
        UnknownCode: names each field that is on no list, empty, unordered or out of bounds.
    """
    purpose = PURPOSES.codes.get(scope.purpose)
    faults = {
        "purpose": purpose is None or not purpose.more["requestable"],
        "categories": not scope.categories or not scope.categories <= CATEGORIES.codes.keys(),
        "labels": not scope.labels <= LABELS.codes.keys(),
        "record_period": not _ordered(scope.record_period),
        "expires_at": not now < scope.expires_at <= now + LONGEST_GRANT,
        "frequency": scope.uses is not None and scope.uses < 1,
        "record_ids": scope.record_ids is not None and not 1 <= len(scope.record_ids) <= MOST_RECORDS,
    }
    if any(faults.values()):
        raise UnknownCode(*(name for name, wrong in faults.items() if wrong))


def check_reason(reason: str | None) -> None:
    """Refuse a reason for a withdrawal that is on no list; none at all is enough.

    Raises:
        UnknownCode: names the field.
    """
    if reason is not None and reason not in WITHDRAWAL_REASONS:
        raise UnknownCode("reason")


def check_actor(actor: Actor, now: datetime) -> None:
    """Refuse who cannot grant alone.

    Raises:
        CoConsentRequired: a guardian, for a child of seven or more.
    """
    today = now.astimezone(_VIETNAM).date()
    if actor.evidence.relation == "guardian" and _age(actor.subject_born, today) >= CO_CONSENT_AGE:
        raise CoConsentRequired("subject")


def _ordered(period: Period) -> bool:
    return period.first is None or period.last is None or period.first <= period.last


def _age(born: date, today: date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
