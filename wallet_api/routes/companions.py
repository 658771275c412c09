"""What a guardian must not learn from the log, the requests and the grants of whom they act for.

Each answer is as if what is hidden had never been: hidden records, what was read or written of them alone,
and all that an organisation did under a safety flag.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

from consent.decision import decide_guardian
from consent.errors import GrantNotFound, RequestNotFound
from consent.model import ConsentRequest, Grant
from consent.ports import Before
from wallet_api.audit.log import LogEntry
from wallet_api.audit.model import Action, AuditEvent
from wallet_api.context import services, viewer
from wallet_api.records.errors import IntakeNotFound
from wallet_api.records.safety import SafetyFlag
from wallet_api.routes.log_lines import not_for_companions
from wallet_api.routes.subjects import Subject

_ABOUT_RECORDS = frozenset({Action.RECORD_READ, Action.RECORD_WRITTEN, Action.RECORD_CORRECTED})
_EYES = decide_guardian(acts_for=True).predicate


class CompanionView:
    """One guardian's view of one book, for one request."""

    def __init__(self, citizen_id: str) -> None:
        self._citizen_id = citizen_id
        self._known: dict[str, bool] = {}

    @cached_property
    def flags(self) -> Sequence[SafetyFlag]:
        """The flags over this person."""
        return services().safety.of(self._citizen_id)

    def flagged(self, organisation_id: str | None, at: datetime) -> bool:
        """Whether a safety flag covers what this organisation did then."""
        return any(each.covers(organisation_id, at) for each in self.flags)

    def hides(self, event: AuditEvent) -> bool:
        """Whether a line of the log is not for this guardian."""
        if not_for_companions(event):
            return True
        if event.actor_id == viewer().id:
            return False
        if self.flagged(event.organisation_id, event.at):
            return True
        return event.action in _ABOUT_RECORDS and self._of_hidden_records(event)

    def _of_hidden_records(self, event: AuditEvent) -> bool:
        """Whether it is about records of which this guardian may see none."""
        named = self._records_of(event)
        return bool(named) and not any(self._sees(record_id) for record_id in named)

    def _records_of(self, event: AuditEvent) -> list[str]:
        record, intake = event.detail.get("record"), event.detail.get("intake")
        if record is not None:
            return [str(record)]
        if intake is None or event.organisation_id is None:
            return []
        try:
            report = services().book.intake.report(event.organisation_id, str(intake))
        except IntakeNotFound:
            return []
        return [row.record_id for row in report.rows if row.accepted and row.record_id is not None]

    def _sees(self, record_id: str) -> bool:
        if record_id not in self._known:
            found = services().book.readers.admits(self._citizen_id, record_id, _EYES)
            self._known[record_id] = found
        return self._known[record_id]


def requests_seen(who: Subject, limit: int, before: Before | None) -> list[ConsentRequest]:
    """The newest requests this reader may know of, from a place on."""
    consent, found = services().consent, list[ConsentRequest]()
    if who.relation == "self":
        return consent.requests(who.citizen_id, limit, before)
    view = CompanionView(who.citizen_id)
    while len(found) < limit:
        page = consent.requests(who.citizen_id, limit, before)
        found += [each for each in page if not view.flagged(each.scope.organisation_id, each.created_at)]
        if len(page) < limit:
            break
        before = (page[-1].created_at, page[-1].id)
    return found[:limit]


def grants_seen(who: Subject, limit: int, before: Before | None) -> list[Grant]:
    """The newest grants this reader may know of, from a place on."""
    consent, found = services().consent, list[Grant]()
    while len(found) < limit:
        page = consent.grants(who.citizen_id, limit, before)
        found += in_sight(who, page)
        if len(page) < limit:
            break
        before = (page[-1].granted_at, page[-1].id)
    return found[:limit]


def request_seen(who: Subject, request_id: str) -> ConsentRequest:
    """One request, if this reader may know of it. Raises RequestNotFound."""
    found = services().consent.request(who.citizen_id, request_id)
    if who.relation != "self" and CompanionView(who.citizen_id).flagged(
        found.scope.organisation_id, found.created_at
    ):
        raise RequestNotFound(request_id)
    return found


def grant_seen(who: Subject, grant_id: str) -> Grant:
    """One grant, if this reader may know of it. Raises GrantNotFound."""
    found = services().consent.grant(who.citizen_id, grant_id)
    if not in_sight(who, [found]):
        raise GrantNotFound(grant_id)
    return found


def check_request(who: Subject, request_id: str) -> None:
    """Let an act on a request go on only if this reader may know of it. Raises RequestNotFound."""
    if who.relation != "self":
        request_seen(who, request_id)


def check_grant(who: Subject, grant_id: str) -> None:
    """Let an act on a grant go on only if this reader may know of it. Raises GrantNotFound."""
    if who.relation != "self":
        grant_seen(who, grant_id)


def in_sight(who: Subject, grants: Sequence[Grant]) -> list[Grant]:
    """Those of a person's grants that this reader may know of."""
    if who.relation == "self":
        return list(grants)
    view = CompanionView(who.citizen_id)
    return [each for each in grants if not _hidden_grant(view, each)]


def entries_seen(who: Subject, before: str | None, limit: int) -> list[LogEntry]:
    """At most so many entries of the person's log that this reader may know of, newest first."""
    found: list[LogEntry] = []
    view = CompanionView(who.citizen_id) if who.relation == "guardian" else None
    while len(found) < limit:
        batch = services().log.entries(who.citizen_id, before, limit)
        found += [each for each in batch if view is None or not view.hides(each.event)]
        if len(batch) < limit:
            break
        before = batch[-1].entry_id
    return found[:limit]


def _hidden_grant(view: CompanionView, grant: Grant) -> bool:
    mine = viewer().id
    if mine in {grant.evidence.person_id, *(each.evidence.person_id for each in grant.signatures)}:
        return False
    return view.flagged(grant.scope.organisation_id, grant.granted_at)
