"""Proof that an entry of the access log is in the log, and that the log was only ever added to."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from consent.errors import UnknownCode
from wallet_api.audit.log import LogEntry
from wallet_api.audit.model import AuditEvent
from wallet_api.context import services, viewer
from wallet_api.infra.ids import id_bytes, id_from_bytes
from wallet_api.records.errors import RecordNotFound
from wallet_api.routes.companions import CompanionView
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only
from wallet_api.routes.schemas.log_proofs import LogProofSchema, ProofQuery
from wallet_api.routes.subjects import subject

log_proofs = GuardedBlueprint(
    "log-proofs",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>/access-log",
    guard=citizen_only,
    budget="citizen",
    description="Proofs out of the access log.",
)
_KIND = "log-entry"


def entry_ref(citizen_id: str, entry: LogEntry) -> str:
    """What an entry is called outside: its id would tell of the process that wrote it."""
    place = id_from_bytes(entry.seq.to_bytes(16, "big"))
    return services().references.seal(citizen_id, _KIND, entry.log_id, place)


@log_proofs.route("/<entry_ref>/proof")
class EntryProof(MethodView):
    """The proof of one entry."""

    @log_proofs.doc(operationId="proveLogEntry")
    @log_proofs.arguments(ProofQuery, location="query")
    @log_proofs.response(200, LogProofSchema)
    @log_proofs.alt_response(409)
    def get(self, query: dict[str, Any], citizen: str, entry_ref: str) -> dict[str, object]:
        """The entry as stored, its way up the tree and the signed root; verifiable without the wallet.

        A guardian is given proofs of those entries whose lines hold nothing back from them. An entry of the
        last ten seconds may not be provable yet.
        """
        who = subject(citizen)
        entry = _entry(who.citizen_id, entry_ref)
        if who.relation == "guardian" and not _told_whole(who.citizen_id, entry.event):
            raise RecordNotFound(entry_ref)
        try:
            return services().log.prove(entry.log_id, entry.seq, query["since"]).to_json()
        except ValueError as why:
            raise UnknownCode("since") from why


def _entry(citizen_id: str, reference: str) -> LogEntry:
    """The entry that a line of this citizen's log is named by.

    Raises:
        BadReference, RecordNotFound: there is none.
    """
    log_id, place = services().references.open(citizen_id, _KIND, reference)
    found = services().log.entry(log_id, int.from_bytes(id_bytes(place), "big"))
    if found is None or found.event.citizen_id != citizen_id:
        raise RecordNotFound(reference)
    return found


def _told_whole(citizen_id: str, event: AuditEvent) -> bool:
    """Whether a companion may see the whole event, which the proof has to show.

    Not what others saw or wrote, whose lines lack counts and categories, and no details of others' acts.
    """
    if CompanionView(citizen_id).hides(event):
        return False
    return event.actor_id == viewer().id or not (event.detail or str(event.action).startswith("record:"))
