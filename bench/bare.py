"""The floor: a bare Flask route with the wallet's own query on the same database, and no control at all.

Once as it is, once with a row written before it answers, as durably as the wallet's log of who looked: what
the disk makes such an answer wait, nobody can save.
"""

from __future__ import annotations

import json
import os

from bson import json_util
from flask import Flask, Response

from bench import LIMIT, PIPELINE
from wallet_api.infra.mongo import connect
from wallet_api.settings import Settings

ROW = 900  # bytes: the log took 895 a page over 335 pages, 926 to 958 one at a time

app = Flask("bare")
_db = connect(Settings.from_env(os.environ))
_pipeline = json_util.loads(os.environ[PIPELINE])


@app.get("/healthz")
def alive() -> str:
    """It answers."""
    return "ok"


@app.get("/written/records")
def written() -> Response:
    """The same rows, once a row that says so is kept."""
    _db["bench_rows"].insert_one({"row": "x" * ROW})
    return records()


@app.get("/records")
def records() -> Response:
    """The rows the wallet's query finds, as the database gives them; one more than shown, as there."""
    found = list(_db["records"].aggregate(_pipeline))
    return Response(json.dumps({"items": found[:LIMIT]}, default=str), mimetype="application/json")
