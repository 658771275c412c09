"""People as FHIR R4 Patients, and all that is in somebody's book, page by page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from flask import Response
from flask.views import MethodView

from wallet_api.context import caller, services
from wallet_api.identity.model import MaskedIdentifier
from wallet_api.identity.oauth.scopes import covers
from wallet_api.records.bundle import BIRTH_REFERENCE, INSURANCE_NUMBER, NATIONAL_ID
from wallet_api.records.model import Position
from wallet_api.routes.edge import takes
from wallet_api.routes.fhir_answers import FHIR, fhir, fhir_blueprint
from wallet_api.routes.fhir_bundles import resumed, sealed, search_page
from wallet_api.routes.fhir_query import (
    PATIENT,
    everything_query,
    patient_query,
    plain_query,
    sent_pairs,
)
from wallet_api.routes.fhir_readers import Opened, open_book, people, permit
from wallet_api.routes.fhir_records import SESSION
from wallet_api.routes.fhir_resources import resource_of
from wallet_api.routes.guarded import book_readers
from wallet_api.routes.limits import CountedReading
from wallet_api.routes.schemas import fhir as shapes

fhir_patients = fhir_blueprint(
    "fhir-patients", __name__, book_readers, "Whose books the caller may read, as FHIR R4.", CountedReading()
)
Json = dict[str, Any]
_SYSTEMS: Final = {
    "national_id": NATIONAL_ID,
    "insurance_number": INSURANCE_NUMBER,
    "birth_reference": BIRTH_REFERENCE,
}
_HL7: Final = "http://hl7.org/fhir/StructureDefinition"


@fhir_patients.route("/Patient")
class Patients(MethodView):
    """Whose books the caller may read."""

    @fhir_patients.doc(operationId="searchFhirPatients", parameters=[SESSION, *shapes.PATIENT_PARAMETERS])
    @fhir_patients.response(200, shapes.SEARCH_SET, content_type=FHIR)
    @takes(any_query=True)
    def get(self) -> Response:
        """The caller and their dependents; of a provider, whose book the access session is for.

        Nobody is found by name or number.
        """
        return _found()


@fhir_patients.route("/Patient/_search")
class PostedPatients(MethodView):
    """The same with the parameters in a form."""

    @fhir_patients.doc(
        operationId="searchFhirPatientsByForm",
        parameters=[SESSION],
        requestBody=shapes.form_of(shapes.PATIENT_PARAMETERS),
    )
    @fhir_patients.response(200, shapes.SEARCH_SET, content_type=FHIR)
    @takes(any_query=True, body=True)
    def post(self) -> Response:
        """The same search, with its parameters in the body."""
        return _found()


@fhir_patients.route("/Patient/<fhir_id:patient_id>")
class OnePatient(MethodView):
    """One person."""

    @fhir_patients.doc(operationId="readFhirPatient", parameters=[SESSION, *shapes.FORMAT])
    @fhir_patients.response(200, shapes.PATIENT, content_type=FHIR)
    @takes(any_query=True)
    def get(self, patient_id: str) -> Response:
        """A person whose book the caller may read. A provider learns no more than its own name for them."""
        permit(PATIENT, "r")
        plain_query(sent_pairs())
        book = open_book(patient_id)
        _log_look(book)
        return fhir(_patient(book))


@fhir_patients.route("/Patient/<fhir_id:patient_id>/$everything")
class Everything(MethodView):
    """A whole book."""

    @fhir_patients.doc(operationId="readFhirEverything", parameters=[SESSION, *shapes.EVERYTHING_PARAMETERS])
    @fhir_patients.response(200, shapes.SEARCH_SET, content_type=FHIR)
    @takes(any_query=True)
    def get(self, patient_id: str) -> Response:
        """The person and all that the caller may see of their book, newest first, a page at a time.

        Of a narrowed session, the types that it reads.

        Each page is decided, logged and checked like any other: follow `next` for the rest.
        """
        asked, after = everything_query(sent_pairs()), None
        book = open_book(patient_id)
        listed = ("everything", book.reader.citizen_id)
        from_before = resumed(asked.cursor, *listed)
        if from_before is not None:
            asked, after = everything_query(from_before.texts), from_before.after
        wanted = replace(asked.search, kinds=_covered(asked.search.kinds))
        found = book.reader.resources.search(wanted, after, asked.count)
        shown = [resource_of(each, book.patient, book.name) for each in found.records]
        told = asked.person and after is None and covers(caller().scope, PATIENT, "r")
        person = [_patient(book)] if told else []
        more = sealed(asked, book.patient, found.rest, *listed)
        return fhir(search_page(f"Patient/{book.patient}/$everything", asked, [*person, *shown], more))


def _found() -> Response:
    permit(PATIENT, "s")
    asked, start = patient_query(sent_pairs()), 0
    from_before = resumed(asked.cursor, PATIENT)
    if from_before is not None:
        asked, start = patient_query(from_before.texts), int(from_before.after.record_id)
    found = [each for each in people() if asked.ids is None or each.patient in asked.ids]
    for each in found:
        _log_look(each)
    total = len(found) if asked.total or asked.only_count else None
    if asked.only_count:
        return fhir(search_page(PATIENT, asked, (), total=total))
    end = start + asked.count
    rest = Position("", str(end)) if len(found) > end else None
    more = sealed(asked, "", rest, PATIENT)
    return fhir(search_page(PATIENT, asked, map(_patient, found[start:end]), more, total))


def _covered(kinds: frozenset[str]) -> frozenset[str]:
    scope = caller().scope
    return frozenset(each for each in kinds if covers(scope, each, "r") and covers(scope, each, "s"))


def _log_look(book: Opened) -> None:
    """What a provider asks stands in the log, even of whom it learns nothing. A person's own does not."""
    if caller().kind == "provider":
        book.reader.resources.look()


def _patient(book: Opened) -> Json:
    made: Json = {"resourceType": "Patient", "id": book.patient}
    if caller().kind == "provider":
        return made  # who it is it knows from its own files; that it was shown a book must not tell more
    people_, whose = services().identity.people, book.reader.citizen_id
    found = people_.profile(whose)
    numbers = [_number(each) for each in people_.masked_identifiers(whose)]
    if numbers:
        made["identifier"] = numbers
    return made | {
        "name": [{"text": found.name}],
        "gender": found.sex,
        "birthDate": found.birth_date.isoformat(),
    }


def _number(number: MaskedIdentifier) -> Json:
    """A number of which only the last digits are told."""
    absent = {"url": f"{_HL7}/data-absent-reason", "valueCode": "masked"}
    rendered = {"url": f"{_HL7}/rendered-value", "valueString": number.masked}
    made: Json = {"system": _SYSTEMS[number.kind], "_value": {"extension": [absent, rendered]}}
    period = {
        name: day.isoformat()
        for name, day in (("start", number.valid_from), ("end", number.valid_to))
        if day is not None
    }
    return made | ({"period": period} if period else {})
