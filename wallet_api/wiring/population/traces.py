"""What the access log tells of a shard: who filed records, who was let in, who looked. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

from consent.model import ConsentRequest, Grant
from wallet_api.audit.chain import AuditRow, chained
from wallet_api.audit.model import Action, ActorKind, AuditEvent
from wallet_api.records.model import Record
from wallet_api.wiring.population.chance import chance, id_of
from wallet_api.wiring.population.people import Someone


def log_rows(
    seed: int,
    shard: int,
    day: date,
    people: Sequence[Someone],
    records: Sequence[Record],
    consents: Sequence[tuple[ConsentRequest, Grant | None]],
) -> tuple[AuditRow, ...]:
    """One whole log, in the order of time."""
    events = [*_filed(records), *_granted(seed, day, consents)]
    events.sort(key=lambda event: (event.at, event.request_id))
    # A log for each size: a shard that grew is told of in a log of its own, and none is ever rewritten.
    return chained(id_of(seed, "log", shard, len(people)), [event.to_json() for event in events])


def _filed(records: Sequence[Record]) -> Iterator[AuditEvent]:
    """A line for each organisation that wrote into a book, at its last writing."""
    last: dict[tuple[str, str], datetime] = {}
    count: Counter[tuple[str, str]] = Counter()
    for each in records:
        pair = (each.citizen_id, each.source.organisation_id or "")
        last[pair] = max(each.recorded_at, last.get(pair, each.recorded_at))
        count[pair] += 1
    for (citizen_id, organisation_id), at in last.items():
        yield AuditEvent(
            at=at,
            request_id=id_of("filed", citizen_id, organisation_id),
            action=Action.RECORD_WRITTEN,
            actor_kind=ActorKind.ORGANISATION,
            actor_id=organisation_id,
            decision="permit",
            reason="author",
            citizen_id=citizen_id,
            organisation_id=organisation_id,
            record_count=count[citizen_id, organisation_id],
        )


def _granted(
    seed: int, day: date, consents: Sequence[tuple[ConsentRequest, Grant | None]]
) -> Iterator[AuditEvent]:
    until = datetime.combine(day, datetime.min.time(), UTC)
    for request, grant in consents:
        if grant is None:
            continue
        scope, draw = grant.scope, chance(seed, "looks", grant.id)
        yield AuditEvent(
            at=grant.granted_at,
            request_id=id_of("granted", grant.id),
            action=Action.CONSENT_GRANTED,
            actor_kind=ActorKind.CITIZEN,
            actor_id=grant.citizen_id,
            decision="permit",
            reason="own_record",
            citizen_id=grant.citizen_id,
            organisation_id=scope.organisation_id,
            purpose=scope.purpose,
            grant_id=grant.id,
            categories=tuple(scope.categories),
        )
        for look in range(draw.randrange(4)):
            at = grant.granted_at + timedelta(hours=draw.randrange(1, 400))
            if at >= min(until, grant.ended_at or until, scope.expires_at):
                continue
            yield AuditEvent(
                at=at,
                request_id=id_of("look", grant.id, look),
                action=Action.RECORD_SEARCHED,
                actor_kind=ActorKind.PRACTITIONER,
                actor_id=request.requested_by,
                decision="permit",
                reason="granted",
                citizen_id=grant.citizen_id,
                organisation_id=scope.organisation_id,
                practitioner_id=request.requested_by,
                purpose=scope.purpose,
                grant_id=grant.id,
                record_count=draw.randrange(1, 20),
                categories=tuple(scope.categories),
            )
