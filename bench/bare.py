"""The floor: a bare Flask route with the same query on the same database, and no control at all."""

from __future__ import annotations

import json
import os

from flask import Flask, Response

from wallet_api.infra.mongo import connect
from wallet_api.settings import Settings

app = Flask("bare")
_db = connect(Settings.from_env(os.environ))


@app.get("/healthz")
def alive() -> str:
    """It answers."""
    return "ok"


@app.get("/records/<citizen_id>")
def records(citizen_id: str) -> Response:
    """Twenty of a citizen's records, newest first, as the database gives them."""
    found = _db["records"].aggregate(
        [
            {"$match": {"citizen_id": citizen_id}},
            {"$match": {"category": {"$in": ["condition", "immunization", "visit"]}}},
            {"$sort": {"first_day": -1, "_id": -1}},
            {"$limit": 20},
        ]
    )
    return Response(json.dumps({"items": list(found)}, default=str), mimetype="application/json")
