"""Who let whom read: requests and grants of some of a shard's people, some of them ended. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Final

from consent.model import ConsentRequest, Evidence, Grant, NoticeShown, Period, Scope, Step
from consent.notices import notice_for
from consent.service import REQUEST_STAYS_OPEN
from wallet_api.infra.clock import VIETNAM
from wallet_api.wiring.population.chance import chance, id_of
from wallet_api.wiring.population.people import Someone
from wallet_api.wiring.population.providers import Provider, hospital_of, station_of

_SHARE: Final = 0.12
_SETS: Final = (
    frozenset({"condition", "medication", "visit", "allergy"}),
    frozenset(
        {"condition", "medication", "visit", "allergy", "lab_result", "vital_sign", "checkup", "immunization"}
    ),
    frozenset({"immunization", "checkup"}),
)


def consents_of(seed: int, shard: int, one: Someone, day: date) -> list[tuple[ConsentRequest, Grant | None]]:
    """What this person was asked and answered: nothing for most."""
    draw = chance(seed, "consent", shard, one.place)
    if one.age_on(day) < 18 or one.deceased_on is not None or draw.random() > _SHARE:
        return []
    hospital, station = hospital_of(one.province), station_of(one.province, one.station)
    asked = [hospital] if draw.random() < 0.8 else [hospital, station]
    return [
        _asked(draw, id_of(seed, "request", shard, one.place, nth), one, by, day)
        for nth, by in enumerate(asked)
    ]


def _asked(
    draw: Random, request_id: str, one: Someone, by: Provider, day: date
) -> tuple[ConsentRequest, Grant | None]:
    asked_on = day - timedelta(days=draw.randrange(1, 60))
    at = datetime.combine(asked_on, time(8), VIETNAM).astimezone(UTC) + timedelta(
        seconds=draw.randrange(28_000)
    )
    scope = Scope(
        organisation_id=by.id,
        practitioner_id=None,
        purpose="TREAT",
        categories=draw.choice(_SETS),
        record_period=Period(date(2015, 1, 1), None) if draw.random() < 0.5 else Period(),
        expires_at=at + timedelta(days=draw.choice((30, 90, 180, 365))),
    )
    who = draw.choice(by.roster).id
    request = ConsentRequest(
        id=request_id,
        citizen_id=one.id,
        scope=scope,
        requested_by=who,
        reason=draw.choice(("Khám bệnh", "Tái khám", "Nhập viện", "Theo dõi bệnh mạn tính")),
        state="requested",
        version=1,
        created_at=at,
        closes_at=at + REQUEST_STAYS_OPEN,
        in_visit=False,
        history=(Step("consent:request:created", who, at),),
    )
    if draw.random() < 0.12:  # nobody answered
        return request, None
    return _answered(draw, request, one, at + timedelta(minutes=draw.randrange(2, 600)))


def _answered(
    draw: Random, request: ConsentRequest, one: Someone, at: datetime
) -> tuple[ConsentRequest, Grant]:
    notice = notice_for("TREAT", "vi")
    grant_id = id_of("grant", request.id)
    session = id_of("session", request.id)
    grant = Grant(
        id=grant_id,
        citizen_id=one.id,
        request_id=request.id,
        scope=request.scope,
        state="granted",
        version=1,
        granted_at=at,
        notice=NoticeShown(notice.version, notice.locale, notice.sha256),
        evidence=Evidence(one.id, "self", session, "wallet-app", at - timedelta(minutes=1), "2"),
        history=(Step("consent:grant:created", one.id, at),),
    )
    closed = replace(
        request,
        state="granted",
        version=3,  # claimed, then answered
        grant_id=grant_id,
        history=(*request.history, Step("consent:request:granted", one.id, at)),
    )
    if draw.random() < 0.2:
        over = at + timedelta(hours=draw.randrange(1, 24))
        grant = replace(
            grant,
            state="withdrawn",
            version=2,
            ended_at=over,
            history=(*grant.history, Step("consent:grant:withdrawn", one.id, over)),
        )
    return closed, grant
