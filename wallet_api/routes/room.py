"""Nothing new is begun while the disk is nearly full; what takes access away still finds room."""

from __future__ import annotations

from flask import Flask, request

from wallet_api.context import services
from wallet_api.routes.limits import UNCAPPED

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_MINE = "/api/v1/citizens/<citizen>"
ENDS = frozenset(
    {
        ("POST", f"{_MINE}/grants/<grant_id>/withdrawal"),
        ("PUT", f"{_MINE}/blocked-organisations/<organisation_id>"),
        ("DELETE", f"{_MINE}/sessions"),
        ("DELETE", f"{_MINE}/sessions/<session_id>"),
        ("POST", "/api/v1/ops/account-changes"),
        ("POST", "/oauth/revoke"),
    }
)
"""Who takes access away may always: the reserve is kept for that, and for the rows that readers leave."""


def keep_room(app: Flask) -> None:
    """Refuse writes with 503 while less of the disk is free than must stay free.

    Reading goes on, and the row that each disclosure leaves in the access log comes out of the reserve.
    """

    def look() -> None:
        if request.method in _READS or request.blueprint in UNCAPPED:
            return
        if (request.method, str(request.url_rule)) not in ENDS:
            services().room()

    app.before_request(look)
