"""Runs the access matrix: every operation x every identity x every target, through the real application."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from flask import Flask
from joserfc.jwk import ECKey
from werkzeug.test import TestResponse

from tests import checkup_messages
from tests.checkup_messages import message_of, parts_of
from tests.events.holding import statement
from tests.fhir import brought
from tests.read_once import callers_read_once
from tests.security.matrix_cast import APP, ASSESSMENT, BREACH, HOOK, NOBODYS, Cast, Target
from tests.security.matrix_table import CITIZENS, DONE, IDENTITIES, OPS, PROVIDERS, TARGETS, Row
from tests.vaccination_events import event_of
from tests.visit_files import file_of, visit_of
from tests.world import Json, bundle, code_in, condition, without_request_id
from wallet_api.infra.clock import vn_day
from wallet_api.infra.ids import new_id
from wallet_api.routes.schemas import examples

BOOK_OF = {"citizen": CITIZENS, "citizen_ref": PROVIDERS}
"""The argument that names a book, and who has one to put there."""
NOT_THINGS = {
    "organisation_id",
    "name",
    "code",
    "kind",
    "version_id",
    "purpose",
    "breach_id",
    "rebuild_id",
    "campaign_id",
    "programme_id",
    "death_id",
    "heir_id",
    "emergency_id",
    "webhook_id",
    "client_id",
    "practitioner_id",
    "file_id",
    "flag_id",
    "link",
    "ticket",
    "commune",
}
"""Arguments that name what is nobody's."""
CHOSEN = {"PUT /citizens/<citizen>/devices/<installation_id>"}
"""The caller's app chooses this id; one that another had is the same phone in other hands."""
_CONVERTER = re.compile(r"<[^<>:]+:")
"""`<string(length=26):intake_id>` is `<intake_id>` in the table."""
ENDING = {"DELETE /citizens/<citizen>/sessions"}
"""Operations that end the caller's own session."""
MANNERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Strict-Transport-Security": "max-age=63072000",
}
"""What every answer tells a browser, whoever asked and whatever came of it."""
LIVELY = {
    "audit_log": "a refused look is written down",
    "readiness": "whether a write is kept is found out by writing",
    "askings": "what is over goes by the hour of the machine, which is not the hour of the tests",
}
"""Collections that a refused call may change, and why."""

TWINS = ("other's", "absent")
"""Targets whose answers may differ in nothing."""
FRESH = (
    "id",
    "installation_id",
    "received_at",
    "citizen_ref",
    "access_session",
    "expires_at",
    "grant_id",
    "birth_reference",
)
"""Members of an answer that are new each time; their length is compared."""

LICENCE = {"purposes": ["TREAT"], "read_categories": ["condition"], "write_categories": []}
ACTS = (
    "verification",
    "suspension",
    "readmission",
    "keys/<client_id>/revocation",
    "roster/<practitioner_id>/departure",
)
"""What registrars do to an organisation for a reason and nothing else."""

Key = tuple[str, int, bool]
"""Identity, target, and whether the target's thing was asked for within the own book."""
Body = Callable[[Cast, dict[str, Any]], object]
BODIES: dict[str, Body] = {
    "POST /fhir/Patient/<patient_id>/$summary": lambda cast, meant: {"resourceType": "Parameters"},
    "POST /citizens/<citizen>/records": lambda cast, meant: examples.OWN_ENTRY,
    "PUT /citizens/<citizen>/records/<record_id>": lambda cast, meant: examples.OWN_CORRECTION,
    "PUT /citizens/<citizen>/records/<record_id>/visibility": lambda cast, meant: {
        "audience": "providers",
        "hidden": False,
    },
    "POST /citizens/<citizen>/consent-requests/<request_id>/approval": lambda cast, meant: (
        cast.world.answer_to({"purpose": "TREAT"})
    ),
    "POST /citizens/<citizen>/consent-requests/<request_id>/co-approval": lambda cast, meant: (
        cast.world.answer_to({"purpose": "TREAT"})
    ),
    "POST /citizens/<citizen>/grants/<grant_id>/resumption": lambda cast, meant: cast.world.answer_to(
        {"purpose": "TREAT"}
    ),
    "POST /citizens/<citizen>/family": lambda cast, meant: CLAIM,
    "POST /provider/consent-requests/<request_ref>/assent-attestation": lambda cast, meant: (
        HEARD | cast.world.answer_to({"purpose": "TREAT"})
    ),
    "POST /provider/assisted-consents": lambda cast, meant: (
        HEARD
        | cast.world.answer_to({"purpose": "TREAT"})
        | {
            "citizen": {"national_id": meant["person"].number},
            "birth_date": meant["person"].born.isoformat(),
            "known_by": "national_id_card",
            "categories": ["condition"],
        }
    ),
    "POST /provider/births": lambda cast, meant: _birth(cast, meant["person"].number, meant["person"].born),
    "POST /ops/births": lambda cast, meant: _birth(cast, NOBODYS, date(1999, 4, 1)),
    "POST /ops/deaths": lambda cast, meant: {
        "national_id": meant["mortal"],
        "birth_date": cast.mortal.born.isoformat(),
        "died_on": vn_day(cast.world.now()).isoformat(),
        "evidence_kind": "death_certificate",
        "paper_number": "KT-1",
    },
    "POST /ops/deaths/<death_id>/decision": lambda cast, meant: {"decision": "confirm"},
    "POST /ops/deaths/<death_id>/heirs": lambda cast, meant: {
        "national_id": cast.people["citizen"].number,
        "birth_date": cast.people["citizen"].born.isoformat(),
        "relation": "child",
        "evidence_kind": "birth_certificate",
    },
    "POST /ops/deaths/<death_id>/heirs/<heir_id>/decision": lambda cast, meant: {"decision": "give"},
    "POST /ops/merges": lambda cast, meant: {
        "surviving": {
            "national_id": cast.people["citizen"].number,
            "birth_date": cast.people["citizen"].born.isoformat(),
        },
        "absorbed": {"national_id": meant["mortal"], "birth_date": cast.mortal.born.isoformat()},
        "reason": "number_reissued",
        "evidence_kind": "reissue_decision",
        "paper_number": "QD-1",
        "accepts": ["two_numbers", "birth_date"],
    },
    "POST /ops/merges/<merge_id>/decision": lambda cast, meant: {"decision": "refuse", "reason": "no_match"},
    "POST /ops/number-links": lambda cast, meant: {
        "person": {"national_id": meant["number"]},
        "birth_date": cast.people["citizen"].born.isoformat(),
        "national_id": f"0011{secrets.randbelow(10**8):08d}",
        "evidence_kind": "identity_card",
    },
    "POST /provider/safety-flags": lambda cast, meant: FLAG | {"record_ref": meant["record_ref"]},
    "POST /ops/safety-flags": lambda cast, meant: (
        FLAG | {"citizen_id": meant["dependent_id"], "organisation_id": cast.hospital.organisation_id}
    ),
    "POST /ops/guardianships/<guardianship_id>/refusal": lambda cast, meant: {"reason": "no_match"},
    "POST /citizens/<citizen>/grants": lambda cast, meant: _standing(cast),
    "POST /fhir/Consent": lambda cast, meant: brought(
        cast.world.settings.public_url, cast.hospital.organisation_id
    ),
    "POST /citizens/<citizen>/grants/preview": lambda cast, meant: _standing(cast),
    "PATCH /citizens/<citizen>/grants/<grant_id>": lambda cast, meant: {"categories": ["condition"]},
    "POST /citizens/<citizen>/reminders/<reminder_id>/snooze": lambda cast, meant: {
        "until": (vn_day(cast.world.now()) + timedelta(days=9)).isoformat()
    },
    "POST /citizens/<citizen>/reminders/<reminder_id>/already-given": lambda cast, meant: {
        "given_on": vn_day(cast.world.now()).isoformat()
    },
    "PUT /citizens/<citizen>/vaccination-commune": lambda cast, meant: examples.COMMUNE,
    "PUT /ops/communes/<commune>/session-days": lambda cast, meant: examples.SESSION_DAYS,
    "PUT /citizens/<citizen>/devices/<installation_id>": lambda cast, meant: APP | {"address": new_id()},
    "POST /provider/consent-requests": lambda cast, meant: cast.world.proposal(meant["person"]),
    "POST /provider/access-sessions": lambda cast, meant: {
        "citizen_ref": meant["citizen"],
        "purpose": "TREAT",
    },
    "POST /provider/intake/fhir-bundles": lambda cast, meant: bundle(meant["person"], condition("sent")),
    "POST /provider/intake/immunizations": lambda cast, meant: {"events": [event_of(meant["person"])]},
    "POST /ops/organisations": lambda cast, meant: ORGANISATION,
    "POST /ops/organisations/<organisation_id>/keys": lambda cast, meant: {"jwks": {"keys": [_key()]}},
    "POST /ops/organisations/<organisation_id>/roster": lambda cast, meant: {
        "id": f"bs-{new_id()[:8]}",
        "name": "BS. Thử",
        "role": "physician",
        "valid_from": "2026-01-01",
    },
    "POST /ops/guardianships": lambda cast, meant: {
        "guardian_id": meant["guardian_id"],
        "dependent_id": meant["dependent_id"],
        "relation": "minor",
        "evidence_kind": "birth_certificate",
        "valid_from": "2026-01-01",
    },
    "POST /ops/account-changes": lambda cast, meant: {
        "national_id": meant["number"],
        "change": "unlock",
        "evidence_kind": "call",
    },
    "POST /provider/emergency-access": lambda cast, meant: {
        "citizen": {"national_id": meant["person"].number},
        "reason_code": "unconscious",
        "reason": "x",
    },
    "POST /ops/emergency-reviews/<emergency_id>/decision": lambda cast, meant: {
        "verdict": "justified",
        "reason": "x",
    },
    "POST /ops/emergency-reviews/<emergency_id>/lifting": lambda cast, meant: {"reason": "x"},
    **{
        f"POST /ops/organisations/<organisation_id>/{act}": lambda cast, meant: {"reason": "x"}
        for act in ACTS
    },
    "PUT /ops/organisations/<organisation_id>/licence": lambda cast, meant: LICENCE,
    "POST /ops/organisations/<organisation_id>/merger": lambda cast, meant: {
        "into": cast.hospital.organisation_id,
        "reason": "x",
    },
    "POST /provider/erasure-attestations": lambda cast, meant: {
        "attestation": statement(cast.world, meant["signer"], meant["grant_ref"])
    },
    "POST /ops/organisations/<organisation_id>/webhooks": lambda cast, meant: {"url": HOOK},
    "POST /ops/organisations/<organisation_id>/webhooks/<webhook_id>/rewind": lambda cast, meant: {
        "since": 0
    },
    "POST /ops/campaigns": lambda cast, meant: examples.CAMPAIGN,
    "POST /ops/breaches": lambda cast, meant: BREACH | {"detected_at": cast.world.now().isoformat()},
    "POST /citizens/<citizen>/rights-requests": lambda cast, meant: {"kind": "correct"},
    "POST /citizens/<citizen>/shares": lambda cast, meant: {
        "kind": "summary",
        "expires_at": (cast.world.now() + timedelta(days=1)).isoformat(),
    },
    "POST /citizens/<citizen>/cards": lambda cast, meant: {"kind": "immunization"},
    "POST /citizens/<citizen>/exports": lambda cast, meant: {"format": "fhir"},
    "POST /share-links/<link>": lambda cast, meant: {"recipient": "BS. Thử"},
    "POST /ops/rights-requests/<rights_id>/acknowledgement": lambda cast, meant: {"with_others": False},
    "POST /ops/rights-requests/<rights_id>/extension": lambda cast, meant: {"note": "x"},
    "POST /ops/rights-requests/<rights_id>/refusal": lambda cast, meant: {"code": "nothing_held"},
    "POST /citizens/<citizen>/correction-requests": lambda cast, meant: {
        "record_id": meant["record_id"],
        "record_version": 1,
        "kind": "wrong_date",
        "details": "x",
    },
    "POST /provider/correction-requests/<correction_id>/answer": lambda cast, meant: {
        "outcome": "refused",
        "refusal": "record_is_right",
    },
    "POST /ops/mismatches/<dispute_id>/decision": lambda cast, meant: {
        "decision": "remove",
        "reason": "identity_differs",
    },
    "POST /ops/parked-intakes/<parked_id>/release": lambda cast, meant: {
        "citizen": {
            "national_id": cast.people["citizen"].number,
            "birth_date": cast.people["citizen"].born.isoformat(),
        },
        "evidence": "person_confirmed",
    },
    "POST /ops/parked-intakes/<parked_id>/reject": lambda cast, meant: {"reason": "test_data"},
    "POST /ops/programmes/rebuilds/<rebuild_id>/decision": lambda cast, meant: {"decision": "cancel"},
    "POST /ops/breaches/<breach_id>/assessment": lambda cast, meant: ASSESSMENT,
    "POST /ops/breaches/<breach_id>/notification": lambda cast, meant: {
        "to": ["authority"],
        "told_at": cast.world.now().isoformat(),
        "reason": "form 08",
    },
    "POST /ops/breaches/<breach_id>/closure": lambda cast, meant: {"reason": "done"},
}
RAW: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "POST /citizens/<citizen>/family/<guardianship_id>/evidence": lambda meant: b"%PDF-1.7",
    "POST /provider/intake/checkups": lambda meant: message_of(
        checkup_messages.file_of(parts_of(meant["person"]))
    ),
    "POST /citizens/<citizen>/correction-requests/<correction_id>/evidence": lambda meant: b"%PDF-1.7",
    "PUT /ops/campaigns/<campaign_id>/list": lambda meant: b"national_id\n001190999001\n",
    "POST /provider/intake/insurance-xml": lambda meant: file_of(visit_of(meant["person"])),
}
"""Operations whose body is a file."""
FORMS = {"POST /fhir/<kind>/_search", "POST /fhir/Patient/_search"}
"""Searches whose parameters are sent as a form."""
QUERIES = {
    "GET /fhir/<kind>": "?patient=<patient_id>",
    "POST /fhir/<kind>/_search": "?patient=<patient_id>",
    "GET /organisations": "?query=thu",
    "GET /ops/breaches/<breach_id>/affected": "?from=2026-11-03&to=2026-11-03",
    "GET /ops/breaches/<breach_id>/notice": "?to=authority",
    "GET /ops/coverage": "?series=mr&born_from=2024&born_to=2025",
}
BODILESS = {
    "PUT /citizens/<citizen>/merges/<merge_id>/objection",
    "PUT /citizens/<citizen>/blocked-organisations/<organisation_id>",
    "POST /oauth/token",
    "POST /oauth/revoke",
}
CLAIM = {
    "dependent": {"national_id": "001324000555"},
    "birth_date": "2024-02-01",
    "relation": "minor",
    "evidence_kind": "birth_certificate",
}
HEARD = {"heard_in_person": True}
FLAG = {"kind": "child_abuse", "since": "2026-11-01T00:00:00Z"}
ORGANISATION = {
    "name_vi": "Trạm y tế Thử",
    "name_en": "Test station",
    "kind": "commune_station",
    "purposes": ["TREAT"],
    "read_categories": ["immunization"],
    "write_categories": ["immunization"],
}


def operations(app: Flask) -> dict[str, list[str]]:
    """ "METHOD /path" -> its arguments, of everything the application serves."""
    return {
        f"{method} {_CONVERTER.sub('<', rule.rule.removeprefix('/api/v1'))}": sorted(rule.arguments)
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    }


@dataclass
class Outcome:
    """What a run of the matrix found."""

    cells: int = 0
    calls: int = 0
    twins: int = 0
    faults: list[str] = field(default_factory=list)


class Matrix:
    """The policy against the application."""

    def __init__(self, cast: Cast, *, watched: bool = True) -> None:
        """`watched`: compare the whole database before and after what must not change it."""
        self.cast = cast
        self.watched = watched
        self.world = cast.world
        self._targets: dict[tuple[str, int], Target] = {}
        self.arguments = operations(self.world.app)

    def run(self, rows: Iterable[Row]) -> Outcome:
        """Check every cell of some rows. Refusals and reads first: they leave the database as it was."""
        found, seen, rows = Outcome(), {row.name: dict[Key, object]() for row in rows}, list(rows)
        for identity in IDENTITIES:
            self.cast.token(identity)
        self.cast.read_feeds()
        before = self.stored()
        rows.sort(key=lambda row: row.method != "GET")
        with callers_read_once():  # nothing that happens here changes them, as is seen right after
            for row in rows:
                self._check_cells(row, seen[row.name], found, done=False)
            reads = [row for row in rows if row.method == "GET"]
            for row in reads:
                self._check_cells(row, seen[row.name], found, done=True)
        self._unchanged(before, "refused calls and reads", found)
        for identity in (*CITIZENS, *OPS):
            self.cast.forget(identity)  # some acts need a sign-in of the last minutes
        for row in rows[len(reads) :]:
            self._check_cells(row, seen[row.name], found, done=True)
        for row in rows:
            self._compare_twins(row, seen[row.name], found)
        return found

    def _check_cells(self, row: Row, seen: dict[Key, object], found: Outcome, *, done: bool) -> None:
        """The cells of a row in which something is done, or those in which nothing is."""
        for letter, identity, position in self._cells(row):
            if (letter in DONE) is done:
                if done:
                    self._renew(row, identity)
                self._check(row, identity, position, seen, found)

    def _unchanged(self, before: dict[str, list[str]], what: str, found: Outcome) -> None:
        after = self.stored()
        found.faults += [f"{what} changed {name}" for name in after if after[name] != before.get(name)]

    def _cells(self, row: Row) -> Iterator[tuple[str, str, int]]:
        for identity in IDENTITIES:
            for position, letter in enumerate(row.cells[identity]):
                if letter != "-":
                    yield letter, identity, position

    def _renew(self, row: Row, identity: str) -> None:
        if row.method != "GET":
            self._targets.clear()
            for name in self.arguments.get(row.name, ()):
                self.cast.renew(identity, name, row.name)

    def _target(self, identity: str, position: int) -> Target:
        """Made once, until something is renewed."""
        if (identity, position) not in self._targets:
            self._targets[identity, position] = self.cast.target(identity, position)
        return self._targets[identity, position]

    def _check(self, row: Row, identity: str, position: int, seen: dict[Key, object], found: Outcome) -> None:
        """One cell; where a thing of one book can be asked for within another, that as well."""
        letters = row.cells[identity]
        found.cells += 1
        caller = self.cast.token(identity)
        answer = self.call(row, caller, self._target(identity, position))
        answer.get_data()  # whatever is done while an answer goes out is done
        if TARGETS[position] in TWINS:
            seen[identity, position, False] = self._bytes(answer)
        if letters[position] == "A" and row.name in ENDING:
            self.cast.signed_out(identity)
        self._compare(row, f"{identity} on {TARGETS[position]}", letters[position], answer, found)
        if letters[position] == "A" and row.name == "POST /ops/guardianships":
            self.cast.next_ward()
            self._targets.clear()
        if position and self._has_thing(row, identity):
            answer = self.call(row, caller, self._mixed(row, identity, position))
            if TARGETS[position] in TWINS:
                seen[identity, position, True] = self._bytes(answer)
            # In a book whose grant has ended every record is answered alike, and with nobody named likewise.
            within = {"-": letters[2], "P": "P"}.get(letters[0], letters[3])
            self._compare(row, f"{identity} on {TARGETS[position]} within own", within, answer, found)

    def _compare(self, row: Row, what: str, letter: str, answer: TestResponse, found: Outcome) -> None:
        found.calls += 1
        status, code = row.expected(letter)
        said = code_in(answer) if answer.status_code >= 400 and code else ""
        if (answer.status_code, said) != (status, code):
            found.faults.append(
                f"{row.name} as {what}: {status} {code} expected, "
                f"{answer.status_code} {answer.get_data(as_text=True)[:200]}"
            )
        for name, value in MANNERS.items():
            if value not in answer.headers.get(name, ""):
                found.faults.append(f"{row.name} as {what}: {name} is {answer.headers.get(name)}")
        answer.close()

    def _compare_twins(self, row: Row, seen: dict[Key, object], found: Outcome) -> None:
        """Other's and absent: one answer to the byte, whoever asks, wherever both exist."""
        for (identity, position, mixed), theirs in seen.items():
            nobodys = seen.get((identity, 3, mixed))
            if TARGETS[position] != TWINS[0] or nobodys is None:
                continue
            found.twins += 1
            if theirs != nobodys:
                where = " within own" if mixed else ""
                found.faults.append(f"{row.name} as {identity}: other's{where} {theirs} and absent {nobodys}")

    def _bytes(self, answer: TestResponse) -> object:
        """All of an answer; of a permitted one the fresh ids are masked, their length kept."""
        if answer.status_code >= 400 and answer.is_json:
            return without_request_id(answer)
        body = json.loads(answer.get_data() or b"{}") if answer.is_json else {}
        reports = [each for each in body.get("items", ()) if "rows" in each]
        for part in (body, *reports):
            for name in FRESH:
                if name in part:
                    part[name] = "-" * len(str(part[name]))
        if "access_session" in body:
            body["access_session"] = "-"  # an instant is sealed in it, a digit longer or shorter
        return answer.status_code, json.dumps(body), sorted(answer.headers.keys())

    def _has_thing(self, row: Row, identity: str) -> bool:
        """Whether a thing of one book can be asked for within another."""
        names = set(self.arguments.get(row.name, ()))
        books = {name for name, who in BOOK_OF.items() if identity in who}
        return bool(names & books) and bool(names - set(BOOK_OF) - NOT_THINGS) and row.name not in CHOSEN

    def _mixed(self, row: Row, identity: str, position: int) -> Target:
        """The own book, or one once granted, with a thing of another target in it."""
        own = self._target(identity, 2 if row.cells[identity][0] == "-" else 0)
        things = self._target(identity, position).path
        books = {name: own.path[name] for name in BOOK_OF}
        return Target(things | books, own.meant)

    def call(self, row: Row, caller: str | None, target: Target) -> TestResponse:
        """One request of the matrix."""
        path = row.path
        for name in self.arguments.get(row.name, ()):
            path = path.replace(f"<{name}>", target.path[name])
        if row.path == "/code-systems/<name>" and target.path["name"] == "swagger-ui.css":
            path = "/code-systems/purposes"
        in_session = row.path.startswith(("/provider", "/fhir"))
        headers = {"Access-Session": target.meant["session"]} if in_session else {}
        if row.method == "PATCH":
            headers["If-Match"] = '"1"'
        if row.path.endswith(("/verification", "/licence")):
            headers["If-Match"] = self.cast.tag_of(target.path["organisation_id"])
        if row.path.startswith("/ops/rights-requests/<"):
            headers["If-Match"] = '"1"' if row.path.endswith("/acknowledgement") else '"2"'
        if row.path.endswith(("<correction_id>/answer", "<dispute_id>/decision", "/release", "/reject")):
            headers["If-Match"] = '"1"'
        if row.path.startswith("/ops/breaches/<"):
            headers["If-Match"] = '"1"' if row.path.endswith("/assessment") else '"2"'
        if row.path.endswith("/session-days") and row.method == "PUT":
            headers["If-Match"] = self.cast.session_tag(target.path["commune"])
        if row.path.startswith("/ops/campaigns/<"):
            headers["If-Match"] = {"pause": '"2"', "resume": '"3"'}.get(row.path.rpartition("/")[2], '"1"')
        body: Json | object | None = None
        if row.method in ("POST", "PUT", "PATCH") and row.name not in BODILESS:
            make = BODIES.get(row.name)
            body = make(self.cast, target.meant) if make is not None else {}
        if row.name in RAW:
            return self.world.call(row.method, path, caller, raw=RAW[row.name](target.meant), headers=headers)
        query = QUERIES.get(row.name, "").replace("<patient_id>", target.path["patient_id"])
        if row.name in FORMS:
            kind, form = "application/x-www-form-urlencoded", query.removeprefix("?").encode()
            return self.world.call(row.method, path, caller, raw=form, headers=headers, kind=kind)
        return self._open(row, path + query, caller, body, headers)

    def _open(
        self, row: Row, path: str, caller: str | None, body: object, headers: dict[str, str]
    ) -> TestResponse:
        if path in ("/", "/metrics"):  # the paths outside /api and /oauth that `World.call` leaves alone
            return self.world.app.test_client().get(path)
        return self.world.call(row.method, path, caller, body, headers=headers)

    def stored(self) -> dict[str, list[str]]:
        """Everything in the database but what lives by itself."""
        db = self.world.db
        if not self.watched:
            return {}
        return {
            name: sorted(map(repr, db[name].find({})))
            for name in db.list_collection_names()
            if name not in LIVELY
        }


def _birth(cast: Cast, mother: str, born: date) -> Json:
    """A child that a woman of this number bore today."""
    return {
        "mother": {"national_id": mother, "birth_date": born.isoformat()},
        "newborn": {"name": "Bé Thử", "birth_date": vn_day(cast.world.now()).isoformat(), "sex": "female"},
        "paper": {"kind": "birth_record", "number": "CS-1"},
    }


def _standing(cast: Cast) -> Json:
    """A grant to the hospital that nobody has asked for."""
    return {
        "organisation_id": cast.hospital.organisation_id,
        "purpose": "TREAT",
        "categories": ["condition"],
        "expires_at": (cast.world.now() + timedelta(days=200)).isoformat(),
        **cast.world.answer_to({"purpose": "TREAT"}),
    }


def _key() -> Json:
    return dict(ECKey.generate_key("P-256", {"kid": "k1"}).as_dict(private=False))
