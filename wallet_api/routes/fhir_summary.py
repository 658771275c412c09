"""A book as an International Patient Summary: one document, to be taken along."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Final

from flask import Response, request
from flask.views import MethodView

from wallet_api.context import caller, services
from wallet_api.errors import language
from wallet_api.records.front import Lines
from wallet_api.records.ips.document import Making, document_of
from wallet_api.records.shared import Whose
from wallet_api.routes.edge import takes
from wallet_api.routes.fhir_answers import FHIR, fhir, fhir_blueprint
from wallet_api.routes.fhir_parameters import no_parameters
from wallet_api.routes.fhir_query import plain_query
from wallet_api.routes.fhir_readers import open_book, permit
from wallet_api.routes.fhir_records import SESSION
from wallet_api.routes.guarded import book_readers
from wallet_api.routes.limits import CountedReading
from wallet_api.routes.pages import names_of
from wallet_api.routes.schemas import fhir as shapes

fhir_summary = fhir_blueprint(
    "fhir-summary",
    __name__,
    book_readers,
    "The International Patient Summary of a book, as a FHIR R4 document.",
    CountedReading(),
)
SUMMARISED: Final = (
    *("AllergyIntolerance", "Condition", "DiagnosticReport", "Immunization", "MedicationRequest"),
    *("MedicationStatement", "Observation", "Patient", "Procedure"),
)
"""What a summary is made of: a session narrowed to some of it gets none, for half a summary misleads."""


@fhir_summary.route("/Patient/<fhir_id:patient_id>/$summary")
class PatientSummary(MethodView):
    """A patient summary."""

    @fhir_summary.doc(operationId="readPatientSummary", parameters=[SESSION, *shapes.FORMAT])
    @fhir_summary.response(200, shapes.DOCUMENT, content_type=FHIR)
    @takes(any_query=True)
    def get(self, patient_id: str) -> Response:
        """What of a book whoever is new to the person has to know first: problems, allergies and medicines
        always; immunizations, results, procedures, vital signs and pregnancies if there are any.

        Made of what the caller may see, as if there were no more. Where that is nothing, it says that there
        is no information, never that there is nothing. A provider is not told who the person is. Titles are
        in the language asked for; each document is a new one.
        """
        return _summary(patient_id)

    @fhir_summary.doc(
        operationId="makePatientSummary",
        parameters=[SESSION, *shapes.FORMAT],
        requestBody=shapes.NO_PARAMETERS,
    )
    @fhir_summary.response(200, shapes.DOCUMENT, content_type=FHIR)
    @takes(any_query=True, body=True)
    def post(self, patient_id: str) -> Response:
        """The same, called as FHIR calls operations. There are no parameters: any is refused (400)."""
        no_parameters()
        return _summary(patient_id)


def _summary(patient_id: str) -> Response:
    plain_query(request.args.items(multi=True))
    for kind in SUMMARISED:
        permit(kind, "r")
        permit(kind, "s")
    book = open_book(patient_id)
    lines = book.reader.pages.summary()
    whose = _whose(book.reader.citizen_id) if caller().kind == "citizen" else None
    at, locale = services().now(), language()
    made = fhir(document_of(lines, Making(str(uuid.uuid4()), at, locale, whose, _sources(lines, locale))))
    made.headers["Cache-Control"] = "no-store"
    return made


def _whose(citizen_id: str) -> Whose:
    found = services().identity.people.profile(citizen_id)
    return Whose(found.name, found.birth_date, found.sex)


def _sources(lines: Mapping[str, Lines], locale: str) -> dict[str, str]:
    names = names_of(line.record for found in lines.values() for line in found.lines)
    return {each: told[f"name_{locale}"] for each, told in names.items()}
