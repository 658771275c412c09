"""The pages of a book: what a person wants to see first, each line with where it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from flask.views import MethodView

from wallet_api.context import caller, services
from wallet_api.identity.errors import OrganisationUnknown
from wallet_api.infra.crypto.jws import sign_compact
from wallet_api.records.book_pages import Asked, Series
from wallet_api.records.emergency_card import TYPE, VALID, Holder, card_content
from wallet_api.records.errors import RecordNotFound
from wallet_api.records.growth.comparing import Child, Growth, growth_of
from wallet_api.records.model import Filter, Record
from wallet_api.records.series import LOINC
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only, compact
from wallet_api.routes.schemas.pages import (
    CardQuery,
    CardSchema,
    SummarySchema,
    VisitQuery,
    VisitSchema,
    sections_view,
    visit_view,
)
from wallet_api.routes.schemas.series import SeriesPage, SeriesQuery, series_view
from wallet_api.routes.subjects import Subject, reader, subject

_LOINC_CODE = re.compile(r"[0-9]{1,7}-[0-9]")
pages = GuardedBlueprint(
    "pages",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>",
    guard=citizen_only,
    budget="citizen",
    description="The front page of a book, a visit as a whole, series of values, and the emergency card.",
)


@pages.route("/summary")
class Summary(MethodView):
    """The front page."""

    @pages.doc(operationId="getSummary")
    @pages.response(200, SummarySchema)
    def get(self, citizen: str) -> dict[str, Any]:
        """The front page: what stands now in each section, newest first, and what lies ahead.

        Of each diagnosis and each medicine the newest record; what a person says of themselves has lines
        of its own. `more` says that the book holds more of a section; `records?category=` has them all.
        """
        book = reader(citizen)
        front, people = book.pages.front(), services().identity.people
        found = people.profile(book.citizen_id)
        numbers = people.masked_identifiers(book.citizen_id)
        shown = [line.record for lines, _ in front.values() for line in lines]
        return {
            "id": book.citizen_id,
            "name": found.name,
            "birth_date": found.birth_date,
            "sex": found.sex,
            "insurance": [each for each in numbers if each.kind == "insurance_number"],
            "made_at": services().now(),
            "sections": sections_view(front, names_of(shown)),
        }


@pages.route("/encounters/<visit_id>")
class OneVisit(MethodView):
    """One visit."""

    @pages.doc(operationId="getVisit")
    @pages.arguments(VisitQuery, location="query")
    @pages.response(200, VisitSchema)
    def get(self, query: dict[str, Any], citizen: str, visit_id: str) -> dict[str, Any]:
        """A visit with all that names it: diagnoses, prescriptions, results, procedures and papers.

        Where one organisation sent the visit in two formats, and no other of that day can be meant, both are
        shown as one; `together=false` has them apart. A condition may have begun long before the visit.
        """
        found = reader(citizen).pages.visit(visit_id, together=query["together"] == "true")
        return visit_view(found, names_of(found.visits))


@pages.route("/series/<code>")
class ValueSeries(MethodView):
    """The values of one code."""

    @pages.doc(operationId="getSeries")
    @pages.arguments(SeriesQuery, location="query")
    @pages.response(200, SeriesPage)
    def get(self, query: dict[str, Any], citizen: str, code: str) -> dict[str, Any]:
        """All values of a LOINC code (or of another `system`), newest first: vital signs, growth, results.

        What cannot be a LOINC code is 404. A reference range is the one that came with the value, never
        a made-up one. Units are as they were sent.

        Weight, length or height, head circumference and body mass index of a child under five carry their
        place in the WHO Child Growth Standards: a z-score, where it lies, the lines of that day, and a curve
        to draw. It is no diagnosis, and no age is corrected for children born too early. Where nothing can
        be compared, `reason` says why.
        """
        book = reader(citizen)
        asked = series_asked(query, code)
        found, child = book.pages.series(asked), child_of(book.citizen_id)
        names = names_of(each.record for each in found.points)
        return series_view(found, growth_in(found, asked, child), child.born, names)


@pages.route("/emergency-card")
class EmergencyCard(MethodView):
    """The emergency card."""

    @pages.doc(operationId="getEmergencyCard")
    @pages.arguments(CardQuery, location="query")
    @pages.response(200, CardSchema)
    def get(self, query: dict[str, Any], citizen: str) -> Any:
        """Blood group, allergies, conditions and medicines, signed: whoever helps can check it offline.

        What a label restricts is left out unless the label is named; what was hidden from providers always
        is. A guardian's card for a child names the guardian to call. Good for 90 days: fetch it again.
        """
        who, now = subject(citizen), services().now()
        lines = reader(citizen).pages.card(frozenset(query["label"]))
        content = card_content(_holder(who), lines, services().settings.public_url, now)
        card = sign_compact(services().keys.signer("card"), compact(content), typ=TYPE)
        told = {"card": card, "issued_at": now, "valid_until": now + VALID}
        return told, {"Cache-Control": "no-store"}


def series_asked(query: dict[str, Any], code: str) -> Asked:
    """What a request for a series asks for.

    Raises:
        RecordNotFound: what cannot be a LOINC code.
    """
    if query["system"] == LOINC and not _LOINC_CODE.fullmatch(code):
        raise RecordNotFound(code)
    period = Filter(None, query["first"], query["last"])
    return Asked(query["system"], code, period, query["cursor"], query["limit"])


def child_of(citizen_id: str) -> Child:
    """What a growth standard needs of a person."""
    found = services().identity.people.facts(citizen_id)
    return Child(found.born, found.sex)


def growth_in(found: Series, asked: Asked, child: Child) -> Growth | None:
    """How the values of a page lie against the growth standard; nothing that is not on the page counts."""
    return growth_of(found.points, asked.system, asked.code, child, services().book.growth)


def _holder(who: Subject) -> Holder:
    people = services().identity.people
    found, contact = people.profile(who.citizen_id), None
    if who.relation == "guardian":
        mine = people.profile(caller().subject_id)
        contact = {"name": mine.name} | ({"phone": mine.phone} if mine.phone else {})
    return Holder(found.name, found.birth_date, found.sex, contact)


def names_of(records: Iterable[Record]) -> dict[str, dict[str, str]]:
    """The names of the organisations that these records come from; one that is gone has none."""
    found = {}
    for organisation_id in sorted({each.source.organisation_id or "" for each in records} - {""}):
        try:
            known = services().identity.organisations.get(organisation_id)
        except OrganisationUnknown:
            continue
        found[organisation_id] = {"name_vi": known.name_vi, "name_en": known.name_en}
    return found
