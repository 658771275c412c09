"""Consent for health records: asking, granting, deciding, withdrawing, proving. Needs no web or database."""

from consent.access import AccessService, AccessSession, Fence, Permission, ReadRefused
from consent.decision import Ask, Decision, decide, decide_author, decide_guardian, decide_own
from consent.errors import ConsentError
from consent.model import (
    Actor,
    Answer,
    ConsentRequest,
    Evidence,
    Grant,
    Licence,
    LiveGrant,
    Period,
    RecordFacts,
    Scope,
    Standing,
)
from consent.predicate import Clause, Predicate
from consent.service import ConsentService, Proposal
from consent.visit_codes import VisitCodeService

__all__ = [
    "AccessService",
    "AccessSession",
    "Actor",
    "Answer",
    "Ask",
    "Clause",
    "ConsentError",
    "ConsentRequest",
    "ConsentService",
    "Decision",
    "Evidence",
    "Fence",
    "Grant",
    "Licence",
    "LiveGrant",
    "Period",
    "Permission",
    "Predicate",
    "Proposal",
    "ReadRefused",
    "RecordFacts",
    "Scope",
    "Standing",
    "VisitCodeService",
    "decide",
    "decide_author",
    "decide_guardian",
    "decide_own",
]
