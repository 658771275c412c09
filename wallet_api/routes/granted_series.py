"""Series of values for whoever reads under consent."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from wallet_api.routes.guarded import GuardedBlueprint, provider_only
from wallet_api.routes.pages import child_of, growth_in, names_of, series_asked
from wallet_api.routes.provider import granted
from wallet_api.routes.references import open_citizen, seal_for_caller
from wallet_api.routes.schemas.series import GrantedSeriesPage, SeriesQuery, granted_series_view

granted_series = GuardedBlueprint(
    "granted-series",
    __name__,
    url_prefix="/api/v1/provider/citizens/<citizen_ref>",
    guard=provider_only,
    budget="provider",
    description="Series of values under consent.",
)


@granted_series.route("/series/<code>")
class GrantedSeries(MethodView):
    """The values of one code under consent."""

    @granted_series.doc(operationId="getGrantedSeries", parameters=["Access-Session"])
    @granted_series.arguments(SeriesQuery, location="query")
    @granted_series.response(200, GrantedSeriesPage)
    def get(self, query: dict[str, Any], citizen_ref: str, code: str) -> dict[str, Any]:
        """All values of a LOINC code that the consent covers, newest first. Needs `Access-Session`.

        Measurements of a child under five carry their place in the WHO Child Growth Standards, yet neither
        age nor lines, which would tell the day of birth: who treats the child knows it, and draws them.
        """
        reader, _ = granted(open_citizen(citizen_ref))
        asked, whose = series_asked(query, code), reader.citizen_id
        found = reader.pages.series(asked)
        growth = growth_in(found, asked, child_of(whose))
        names = names_of(each.record for each in found.points)
        return granted_series_view(found, growth, names, lambda each: seal_for_caller("record", whose, each))
