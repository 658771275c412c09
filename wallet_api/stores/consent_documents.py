"""Consents as MongoDB documents, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from consent.codes import LABELS
from consent.model import Evidence, Grant, LiveGrant, NoticeShown, Period, Scope, Signature, Standing, Step
from wallet_api.infra.crypto.blind import BlindIndex

Document = dict[str, Any]


class LabelTokens:
    """Restricted labels as keyed tokens, and back: a dump names no disease. The list of labels is closed."""

    def __init__(self, blind: BlindIndex) -> None:
        self._tokens = {label: blind.label_token(label) for label in LABELS.codes}
        self._labels = {token: label for label, token in self._tokens.items()}

    def sealed(self, labels: Iterable[str]) -> list[str]:
        """The tokens of labels."""
        return [self._tokens[label] for label in sorted(labels)]

    def opened(self, tokens: Iterable[str]) -> frozenset[str]:
        """The labels of tokens; one that stands for no label of today opens nothing."""
        return frozenset(self._labels[token] for token in tokens if token in self._labels)


def live_document(grant: Grant, uses_left: int | None, tokens: LabelTokens) -> Document:
    """A grant as the standing holds it."""
    return {
        "id": grant.id,
        "scope": scope_document(grant.scope, tokens),
        "uses_left": uses_left,
        "holds_until": grant.holds_until,
        "used_at": None,
    }


def uses_left(found: Mapping[str, Any] | None, grant_id: str) -> int | None:
    """How many uses a grant on a standing has left."""
    live = found["live"] if found else []
    return next((each["uses_left"] for each in live if each["id"] == grant_id), None)


def scope_document(scope: Scope, tokens: LabelTokens) -> Document:
    """A scope as it is stored."""
    period = scope.record_period
    return {
        "organisation_id": scope.organisation_id,
        "practitioner_id": scope.practitioner_id,
        "purpose": scope.purpose,
        "categories": sorted(scope.categories),
        "first": period.first.isoformat() if period.first else None,
        "last": period.last.isoformat() if period.last else None,
        "expires_at": scope.expires_at,
        "uses": scope.uses,
        "labels": tokens.sealed(scope.labels),
        "record_ids": None if scope.record_ids is None else sorted(scope.record_ids),
        "mode": scope.mode,
    }


def scope_of(found: Mapping[str, Any], tokens: LabelTokens) -> Scope:
    """A stored scope. One from before single records and modes were dimensions names neither."""
    named = found.get("record_ids")
    return Scope(
        organisation_id=found["organisation_id"],
        practitioner_id=found["practitioner_id"],
        purpose=found["purpose"],
        categories=frozenset(found["categories"]),
        record_period=Period(_day(found["first"]), _day(found["last"])),
        expires_at=found["expires_at"].astimezone(UTC),
        uses=found["uses"],
        labels=tokens.opened(found["labels"]),
        record_ids=None if named is None else frozenset(named),
        mode=found.get("mode", "VIEW"),
    )


def _instant(found: datetime | None) -> datetime | None:
    return found.astimezone(UTC) if found else None


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def step_document(step: Step) -> Document:
    """A line of history as it is stored."""
    return {"event": step.event, "by": step.by, "at": step.at, "reason": step.reason}


def history_of(found: Mapping[str, Any]) -> tuple[Step, ...]:
    """The history of a stored request or grant."""
    return tuple(Step(**each) for each in found["history"])


def signature_documents(signatures: Iterable[Signature], tokens: LabelTokens) -> list[Document]:
    """Signatures as they are stored."""
    return [
        {
            "role": each.role,
            "evidence": dict(vars(each.evidence)),
            "notice": dict(vars(each.notice)),
            "scope": scope_document(each.scope, tokens),
            "at": each.at,
        }
        for each in signatures
    ]


def signatures_of(found: Iterable[Mapping[str, Any]], tokens: LabelTokens) -> tuple[Signature, ...]:
    """Stored signatures."""
    return tuple(
        Signature(
            role=each["role"],
            evidence=Evidence(**each["evidence"]),
            notice=NoticeShown(**each["notice"]),
            scope=scope_of(each["scope"], tokens),
            at=each["at"].astimezone(UTC),
        )
        for each in found
    )


def grant_document(grant: Grant, tokens: LabelTokens) -> Document:
    """A grant as it is stored."""
    shown, made = grant.notice, grant.evidence
    return {
        "_id": grant.id,
        "citizen_id": grant.citizen_id,
        "request_id": grant.request_id,
        "scope": scope_document(grant.scope, tokens),
        "state": grant.state,
        "version": grant.version,
        "granted_at": grant.granted_at,
        "notice": {"version": shown.version, "locale": shown.locale, "sha256": shown.sha256},
        "evidence": dict(vars(made)),
        "held_back": list(grant.held_back),
        "ended_at": grant.ended_at,
        "end_reason": grant.end_reason,
        "kind": grant.kind,
        "successor_id": grant.successor_id,
        "holds_until": grant.holds_until,
        "signatures": signature_documents(grant.signatures, tokens),
        "pending": signature_documents(grant.pending, tokens),
        "history": [step_document(step) for step in grant.history],
    }


def grant_of(found: Mapping[str, Any], tokens: LabelTokens) -> Grant:
    """A stored grant."""
    return Grant(
        id=found["_id"],
        citizen_id=found["citizen_id"],
        request_id=found["request_id"],
        scope=scope_of(found["scope"], tokens),
        state=found["state"],
        version=found["version"],
        granted_at=found["granted_at"],
        notice=NoticeShown(**found["notice"]),
        evidence=Evidence(**found["evidence"]),
        held_back=tuple(found["held_back"]),
        ended_at=found["ended_at"],
        end_reason=found["end_reason"],
        history=history_of(found),
        kind=found.get("kind", "consent"),
        successor_id=found.get("successor_id"),
        holds_until=_instant(found.get("holds_until")),
        signatures=signatures_of(found.get("signatures", ()), tokens),
        pending=signatures_of(found.get("pending", ()), tokens),
    )


def standing_of(found: Mapping[str, Any] | None, tokens: LabelTokens) -> Standing:
    """A stored standing; an absent one is that of strangers."""
    if found is None:
        return Standing()
    live = tuple(
        LiveGrant(
            each["id"],
            scope_of(each["scope"], tokens),
            each["uses_left"],
            _instant(each.get("holds_until")),
            _instant(each.get("used_at")),
        )
        for each in found.get("live", ())
    )
    marks = found.get("hidings", 0), found.get("restricted", False)
    return Standing(found["epoch"], live, found["blocked"], found["known"], *marks)
