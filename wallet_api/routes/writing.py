"""Providers: write what was done, and read back what was written."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Any

from flask import request
from flask.views import MethodView

from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services, viewer
from wallet_api.errors import field_text
from wallet_api.identity.clients import message_keys
from wallet_api.infra.clock import vn_day
from wallet_api.records.bundle import Reading
from wallet_api.records.checkups.message import document_of
from wallet_api.records.checkups.reading import read_check_ups
from wallet_api.records.errors import IntakeNotFound
from wallet_api.records.insurance.reading import read_visits
from wallet_api.records.intake import MAPPED, IntakeService, Sender
from wallet_api.records.model import Intake
from wallet_api.records.vaccinations import read_events
from wallet_api.routes.blur import blur
from wallet_api.routes.edge import check_json_type, takes
from wallet_api.routes.guarded import GuardedBlueprint, body_json, practitioner_only, provider_only
from wallet_api.routes.idempotency import act_id, again, once
from wallet_api.routes.references import organisation_id, seal_for_caller
from wallet_api.routes.schemas.base import LimitQuery, listed
from wallet_api.routes.schemas.bundles import CHECK_UP_MESSAGE, FHIR_BUNDLE, INSURANCE_FILE, VACCINATIONS
from wallet_api.routes.schemas.records import (
    IntakeFileSchema,
    IntakeSchema,
    OwnRecordPage,
    own_record_view,
)

writing = GuardedBlueprint(
    "writing",
    __name__,
    url_prefix="/api/v1/provider",
    guard=provider_only,
    budget="provider",
    description="Sending records in, and reading back one's own.",
)
INTAKE_LIMIT = 10 * 2**20


@writing.route("/own-records")
class OwnRecords(MethodView):
    """Reading back what we wrote."""

    @writing.doc(operationId="listOwnRecords")
    @writing.arguments(LimitQuery, location="query")
    @writing.response(200, OwnRecordPage)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """The organisation's own latest writings, newest first. A read names its practitioner."""
        practitioner_only()
        merged = services().identity.organisations.predecessors(organisation_id())
        found = services().book.readers.author(viewer(), query["limit"], merged)
        return listed(
            [own_record_view(each, seal_for_caller("record", each.citizen_id, each.id)) for each in found]
        )


@writing.route("/intake/fhir-bundles")
class FhirIntake(MethodView):
    """Writing."""

    @writing.response(202, IntakeSchema)
    @writing.doc(operationId="sendFhirBundle", requestBody=FHIR_BUNDLE)
    @takes(body=True, limit=INTAKE_LIMIT)
    @once
    def post(self) -> dict[str, Any]:
        """A FHIR R4 Bundle about one person. Each entry is reported; sending it again changes nothing.

        A document (an International Patient Summary, say) is taken apart: its records are kept, `mapped`
        counts what they name and what therefore goes along with them (medicines, who and where), and what
        holds without a date of its own is filed under the document's (`undated`).
        """
        report_id = act_id("intake")
        if (known := _reported(report_id)) is not None:
            return _intake_view(known)
        return _logged(services().book.intake.receive_bundle(_sender(), body_json(), report_id))


@writing.route("/intake/insurance-xml")
class InsuranceIntake(MethodView):
    """Writing."""

    @writing.response(202, IntakeFileSchema)
    @writing.doc(operationId="sendInsuranceFile", requestBody=INSURANCE_FILE)
    @takes(body=True, limit=INTAKE_LIMIT)
    @once
    def post(self) -> dict[str, Any]:
        """A visit file of the health insurance (GIAMDINHHS), with one visit or several.

        One report for each visit, in their order. Sending a visit again changes nothing, and sending it
        changed makes new versions. A row that was there before and is not any more is marked as entered in
        error (`left_out`) if all of the visit could be read, until it is sent again. What cannot be read is
        reported row by row, and the rest is kept. Money and devices are never kept, and neither are XML6 and
        XML15. Files of Decision 4210 are read as well; `edition` says which decision a visit follows.
        """
        sender, intake = _sender(), services().book.intake
        visits = read_visits(request.get_data(cache=False))
        return {"items": [_received(intake, sender, number, each) for number, each in enumerate(visits)]}


@writing.route("/intake/immunizations")
class VaccinationIntake(MethodView):
    """Writing."""

    @writing.response(202, IntakeFileSchema)
    @writing.doc(operationId="sendVaccinations", requestBody=VACCINATIONS)
    @takes(body=True, limit=INTAKE_LIMIT)
    @once
    def post(self) -> dict[str, Any]:
        """A batch of vaccination events about at most 100 people: one report for each person.

        An event is known by its `event_id`. Of its versions the highest counts, whichever comes last, and
        `cancel` takes a dose back; reminders follow at once. A bad event is reported, and the rest is kept.
        """
        sender, intake = _sender(), services().book.intake
        people = read_events(body_json(), vn_day(services().now()))
        return {"items": [_received(intake, sender, number, each) for number, each in enumerate(people)]}


@writing.route("/intake/checkups")
class CheckUpIntake(MethodView):
    """Writing."""

    @writing.response(202, IntakeFileSchema)
    @writing.doc(operationId="sendCheckUps", requestBody=CHECK_UP_MESSAGE)
    @takes(body=True, limit=INTAKE_LIMIT)
    @once
    def post(self) -> dict[str, Any]:
        """A check-up as it is pushed to the national platform (KHAMSUCKHOE): one report for each check-up.

        The signature is proved over the bytes sent, with an RSA key registered for this system. Sending a
        check-up again changes nothing, and sending it changed makes new versions. What a person remembers of
        vaccinations is no dose.
        """
        sender, intake = _sender(), services().book.intake
        check_json_type()
        client = services().identity.clients.get(caller().client_id)
        found = read_check_ups(document_of(request.get_data(cache=False), message_keys(client)))
        return {"items": [_received(intake, sender, number, each) for number, each in enumerate(found)]}


@writing.route("/intake/<string(length=26):intake_id>")
class IntakeReport(MethodView):
    """What became of something sent."""

    @writing.doc(operationId="getIntakeReport")
    @writing.response(200, IntakeSchema)
    def get(self, intake_id: str) -> dict[str, Any]:
        """The report, row by row."""
        return _intake_view(services().book.intake.report(organisation_id(), intake_id))


def _reported(report_id: str) -> Intake | None:
    """The report of an earlier run of this act: it and what it reports are kept in one step."""
    if again() is None:
        return None
    with suppress(IntakeNotFound):
        return services().book.intake.report(organisation_id(), report_id)
    return None


def _received(intake: IntakeService, sender: Sender, number: int, part: Reading) -> dict[str, Any]:
    """One part of what was sent: what an earlier run of this act has filed stays as it is."""
    # By what it says too: another day may read a batch otherwise, and number its parts otherwise.
    report_id = act_id(f"intake {number} {hashlib.sha256(part.body).hexdigest()}")
    known = _reported(report_id)
    return _logged(intake.receive(sender, part, report_id)) if known is None else _intake_view(known)


def _logged(made: Intake) -> dict[str, Any]:
    kept = sum(row.kept for row in made.rows)
    # Of whoever it is filed under: a row less for nobody would be told by the time it takes.
    about = {"intake": made.id}
    log_act(Action.RECORD_WRITTEN, made.book_id, reason="author", record_count=kept, detail=about)
    return _intake_view(made)


def _sender() -> Sender:
    blur()  # whoever sends looks somebody up
    known = services().identity.organisations.get(organisation_id())
    return Sender(known.id, caller().practitioner_id, known.licence.write_categories)


def _intake_view(made: Intake) -> dict[str, Any]:
    kept = sum(row.kept for row in made.rows)
    mapped = sum(row.code == MAPPED for row in made.rows)
    refused = sum(not row.accepted for row in made.rows)
    said = [field_text(row.code, row.message or "") or None for row in made.rows]
    return {
        "id": made.id,
        "format": made.format,
        "edition": made.edition,
        "received_at": made.received_at,
        "accepted": kept,
        "mapped": mapped,
        "unused": len(made.rows) - kept - mapped - refused,
        "rejected": refused,
        "rows": [vars(row) | {"message": text} for row, text in zip(made.rows, said, strict=True)],
    }
