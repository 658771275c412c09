"""People at work while something dies: what they were promised is written down, and looked for afterwards."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import requests

from tests.faults.plant import Pair, Plant, patiently
from tests.logged import logged
from tests.world import bundle, condition
from wallet_api.audit.verify import verify_all
from wallet_api.stores.audit_log import MongoAuditLog

KEPT_EVERY = 20  # so that no standing grows to its limit


@dataclass
class Ledger:
    """What was acknowledged: (what, id, request id of the answer). And what came instead."""

    promised: list[tuple[str, str, str]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    def note(self, what: str, about: str, answer: requests.Response) -> None:
        self.promised.append((what, about, answer.headers["Request-Id"]))


class Writer(threading.Thread):
    """One doctor and one patient who write as fast as they are answered, and never write a thing twice."""

    def __init__(self, plant: Plant, pair: Pair, ledger: Ledger, number: int) -> None:
        super().__init__(daemon=True)
        self._plant, self._pair, self._ledger, self._number = plant, pair, ledger, number
        self._version = plant.world.services.consent.notice("TREAT", "vi").version
        self.over = threading.Event()

    def run(self) -> None:
        turn = 0
        while not self.over.is_set():
            turn += 1
            self._file(f"w{self._number}-{turn}")
            self._consent(turn)

    def _file(self, source_id: str) -> None:
        sent = bundle(self._pair.person, condition(source_id))
        answer = self._post(
            "/provider/intake/fhir-bundles", self._pair.doctor_token, sent, 202, kind="application/fhir+json"
        )
        if answer is not None:
            self._ledger.note("intake", answer.json()["id"], answer)

    def _consent(self, turn: int) -> None:
        world, pair = self._plant.world, self._pair
        # Until another day each time: what equals an open request is that request, and no row tells of it.
        until = (world.now() + timedelta(days=1 + turn % 300)).isoformat()
        asking = world.proposal(pair.person, expires_at=until)
        asked = self._post("/provider/consent-requests", pair.doctor_token, asking, 202)
        if asked is None:
            return
        self._ledger.note("request", "", asked)
        listed = self._plant.try_call("GET", "/citizens/me/consent-requests", pair.citizen_token)
        if listed is None or listed.status_code != 200:
            return
        newest = listed.json()["items"][0]["id"]
        said = {"notice": {"version": self._version, "locale": "vi"}}
        path = f"/citizens/me/consent-requests/{newest}/approval"
        granted = self._post(path, pair.citizen_token, said, 201)
        if granted is None:
            return
        grant = granted.json()["id"]
        self._ledger.note("grant", grant, granted)
        if turn % KEPT_EVERY:
            ended = self._post(f"/citizens/me/grants/{grant}/withdrawal", pair.citizen_token, {}, 200)
            if ended is not None:
                self._ledger.note("withdrawal", grant, ended)

    def _post(
        self, path: str, token: str, body: object, wanted: int, **more: Any
    ) -> requests.Response | None:
        answer = self._plant.try_call("POST", path, token, body, **more)
        if answer is not None and answer.status_code == wanted:
            return answer
        said = "cut" if answer is None else f"{answer.status_code} {answer.json().get('code')}"
        self._ledger.refused[said] += 1
        return None


@dataclass
class Damage:
    """What is not as promised, as sentences; and what was never promised but is there by half."""

    lost: list[str] = field(default_factory=list)
    half: list[str] = field(default_factory=list)
    unlogged: list[str] = field(default_factory=list)


_LOGGED = {
    "intake": "record:written",
    "request": "consent:requested",
    "grant": "consent:granted",
    "withdrawal": "consent:withdrawn",
}


def inspect(db: Any, ledger: Ledger) -> Damage:
    """Compare the whole database with what was promised, and with itself."""
    with patiently(db):
        found = {name: {each["_id"]: each for each in db[name].find()} for name in _COLLECTIONS}
        found["audit_log"] = {each["entry_id"]: each for each in logged(db)}
        report = verify_all(MongoAuditLog(db))
    damage = Damage()
    damage.lost += [f"access log {fault}" for fault in report.faults]
    acts: dict[str, set[str]] = defaultdict(set)
    for row in found["audit_log"].values():
        acts[row["request_id"]].add(row["action"])
    for what, about, request_id in ledger.promised:
        if not _kept(what, about, found):
            damage.lost.append(f"{what} {about}")
        if _LOGGED[what] not in acts[request_id]:
            damage.unlogged.append(f"{what} {about}")
    damage.half += _half_records(found) + _half_consents(found)
    return damage


_COLLECTIONS = ("records", "intakes", "consent_requests", "grants", "standings")
Found = dict[str, dict[Any, Any]]


def _kept(what: str, about: str, found: Found) -> bool:
    if what == "intake":
        rows = found["intakes"].get(about, {}).get("rows", [])
        named = [row["record_id"] for row in rows if row["record_id"] is not None]
        return bool(named) and all(each in found["records"] for each in named)
    if what == "grant":
        return about in found["grants"]
    if what == "withdrawal":
        return found["grants"].get(about, {}).get("state") == "withdrawn"
    return True  # a request's own id is not told to its asker; its row in the log is looked for


def _half_records(found: Found) -> list[str]:
    reported = {row["record_id"] for each in found["intakes"].values() for row in each["rows"]}
    reported.discard(None)  # of what went along with another record
    half = [f"record {each} without a report" for each in found["records"] if each not in reported]
    return half + [f"report of {each} without its record" for each in reported - found["records"].keys()]


def _half_consents(found: Found) -> list[str]:
    half = []
    live = {grant["id"] for each in found["standings"].values() for grant in each["live"]}
    logged = {
        row.get("grant_id") for row in found["audit_log"].values() if row["action"] == "consent:granted"
    }
    for grant in found["grants"].values():
        request = found["consent_requests"].get(grant["request_id"], {})
        if request.get("state") != "granted" or request.get("grant_id") != grant["_id"]:
            half.append(f"grant {grant['_id']} whose request does not say so")
        if (grant["state"] == "granted") != (grant["_id"] in live):
            half.append(f"grant {grant['_id']} is {grant['state']} but not so in the standing")
        if grant["state"] == "withdrawn" and (not grant["ended_at"] or len(grant["history"]) < 2):
            half.append(f"grant {grant['_id']} withdrawn without history")
        if grant["_id"] not in logged:
            half.append(f"grant {grant['_id']} that no log tells of")
    answered = (each for each in found["consent_requests"].values() if each["state"] == "granted")
    half += [
        f"request {each['_id']} without its grant"
        for each in answered
        if each["grant_id"] not in found["grants"]
    ]
    return half + [f"live grant {each} that was never made" for each in live - found["grants"].keys()]
