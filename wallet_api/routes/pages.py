"""The pages of a book: what a person wants to see first, each line with where it comes from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask.views import MethodView

from wallet_api.context import services
from wallet_api.identity.errors import OrganisationUnknown
from wallet_api.records.model import Record
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only
from wallet_api.routes.schemas.pages import SummarySchema, sections_view
from wallet_api.routes.subjects import reader

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
        front, people = book.front(), services().identity.people
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
