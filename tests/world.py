"""A whole wallet in this process: the real services over a database, real sessions, real access tokens.

Nothing is faked but the people. Requests go through Flask's own client; tokens are issued by the product's
token desk, so a guard that reads them is tested with what it will really be given.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from joserfc.jwk import ECKey
from pymongo.database import Database
from werkzeug.test import TestResponse

from tests.fhir import (
    CVX,
    Json,
    bundle,
    condition,
    immunization,
    labelled,
    observation,
    sources,
)
from wallet_api.app import create_app
from wallet_api.context import Services
from wallet_api.identity.ages import AGES, has_reached
from wallet_api.identity.model import Identifier, Licence, Organisation, Practitioner, Profile, Role
from wallet_api.identity.oauth.model import SignedIn
from wallet_api.infra.clock import FileClock, vn_day
from wallet_api.infra.ids import new_id
from wallet_api.settings import Settings
from wallet_api.wiring import build_services

START = datetime(2026, 11, 3, 3, 0, tzinfo=UTC)
KEPT = timedelta(seconds=30)  # how long a caller of these tests goes on with an access token
__all__ = [
    "CVX",
    "Doctor",
    "Granted",
    "Json",
    "Person",
    "World",
    "bundle",
    "code_in",
    "condition",
    "found_in",
    "immunization",
    "labelled",
    "observation",
    "sources",
    "without_request_id",
]
READS = (
    "immunization",
    "visit",
    "condition",
    "allergy",
    "medication",
    "lab_result",
    "vital_sign",
    "procedure",
)
REDIRECT = "https://app.example.vn/signed-in"


@dataclass(frozen=True)
class Person:
    """Somebody synthetic; serials begin with 999."""

    world: World = field(repr=False)
    id: str
    number: str
    born: date
    name: str
    phone: str
    session_id: str

    @property
    def token(self) -> str:
        """An access token of the open session, issued within the last half minute."""
        return self.world.token_of(self.session_id, lambda: self.world.session_token(self.session_id))


@dataclass(frozen=True)
class Doctor:
    """A roster member of an organisation, at the keyboard of its system."""

    world: World = field(repr=False)
    organisation_id: str
    client_id: str
    practitioner_id: str | None

    @property
    def token(self) -> str:
        """An access token that names the practitioner, issued within the last half minute."""
        return self.world.token_of(f"{self.client_id}:{self.practitioner_id}", self._issued)

    def _issued(self) -> str:
        client = self.world.services.identity.clients.get(self.client_id)
        return str(self.world.desk.provider_answer(client, self.practitioner_id)["access_token"])

    @property
    def system(self) -> Doctor:
        """The organisation's system alone, with nobody named."""
        return Doctor(self.world, self.organisation_id, self.client_id, None)


@dataclass(frozen=True)
class Official:
    """Somebody of ops."""

    world: World = field(repr=False)
    session_id: str

    @property
    def token(self) -> str:
        """An access token of the open session, issued within the last half minute."""
        return self.world.token_of(self.session_id, lambda: self.world.session_token(self.session_id))


Caller = Person | Doctor | Official | str | None


class World:
    """One wallet: `call` speaks to it, the rest puts people and organisations into it."""

    def __init__(self, db: Database[Json], folder: Path, **settings: str) -> None:
        self.clock = FileClock(folder / "clock")
        self.clock.set_to(START)
        self.settings = Settings.from_env(
            {
                "WALLET_ENV": "dev",
                "WALLET_DATA_DIR": str(folder),
                "WALLET_CLOCK_FILE": str(folder / "clock"),
                "WALLET_DATABASE": db.name,
                "WALLET_VNEID_ISSUER": "http://127.0.0.1:9",
                "WALLET_OPS_ISSUER": "http://127.0.0.1:9",
                "WALLET_LIMITS": "off",
                "WALLET_LOOKUP_BLUR": "0",
                "WALLET_CONCURRENT": "10000",
                **settings,
            }
        )
        self.db = db
        self.services: Services = build_services(self.settings, db)
        self.app: Flask = create_app(self.settings, self.services)
        self.desk = self.services.identity.oauth.server.desk
        self._tokens: dict[str, tuple[datetime, str]] = {}
        self._serial = itertools.count()
        self.client_keys: dict[str, ECKey] = {}
        self.services.identity.clients.register("app", "app", "A phone", redirect_uris=(REDIRECT,))
        self.services.identity.clients.register("console", "ops", "Console", redirect_uris=(REDIRECT,))

    # --- people ----------------------------------------------------------------------------------------

    def new_number(self, born: date, male: bool = False) -> str:
        """A synthetic national number that nobody in this world has, with the century and year of a birth."""
        # A shared world holds more than the 999 people whose serials of one province begin with 999.
        province, serial = divmod(next(self._serial), 999)
        century = 2 * (born.year // 100 - 19) + (not male)
        return f"{1 + province:03d}{century}{born.year % 100:02d}{999001 + serial}"

    def person(
        self,
        name: str = "Lê Thị Thử",
        born: date = date(1990, 5, 4),
        phone: str = "+84900099999",
        **more: Any,
    ) -> Person:
        """A registered person with a live session whose sign-in was just now."""
        number = self.new_number(born)
        places = {"province": more.get("province"), "commune": more.get("commune")}
        profile = Profile(name, born, "female", phone, **places)
        citizen_id = self.services.identity.people.register(profile, [Identifier("national_id", number)])
        made = Person(self, citizen_id, number, born, name, phone, "")
        return self.signed_in(made)

    def signed_in(self, who: Person, ago: timedelta = timedelta(0)) -> Person:
        """The same person in a new session, authenticated some time ago."""
        at = self.now() - ago
        return Person(
            self, who.id, who.number, who.born, who.name, who.phone, self._session(who.id, "citizen", at)
        )

    def child_of(self, guardian: Person, born: date = date(2024, 2, 1), **more: Any) -> Person:
        """A child with a standing guardianship."""
        child = self.person("Bé Thử", born, **more)
        self.guard(guardian, child)
        return child

    def guard(self, guardian: Person, dependent: Person) -> str:
        """Make somebody the guardian; the id of the relation."""
        family = self.services.identity.family
        found = family.propose(
            guardian.id,
            dependent.id,
            relation="minor",
            evidence_kind="birth_certificate",
            valid_from=dependent.born,
        )
        return family.confirm(found.id, verified_by="registrar").id

    def ops(self, *roles: Role) -> Official:
        """Somebody of ops with these roles."""
        return Official(self, self._session(new_id(), "ops", self.now(), frozenset(roles)))

    def _session(self, subject_id: str, kind: Any, at: datetime, roles: frozenset[Role] = frozenset()) -> str:
        client = self.services.identity.clients.get("console" if kind == "ops" else "app")
        signed = SignedIn(kind, subject_id, "2", at, roles)
        return self.services.identity.sessions.open(new_id(), signed, client).session.id

    def token_of(self, whose: str, issue: Callable[[], str]) -> str:
        """A token in hand, or a fresh one: a caller keeps it too, and signing is a third of a request."""
        now = self.now()
        issued, token = self._tokens.get(whose, (now, ""))
        if not token or not timedelta(0) <= now - issued < KEPT:
            issued, token = self._tokens[whose] = now, issue()
        return token

    def forget_tokens(self) -> None:
        """Let every caller fetch a fresh token."""
        self._tokens.clear()

    def session_token(self, session_id: str) -> str:
        """An access token for an open session, as the token endpoint would issue it."""
        session = self.services.identity.sessions.get(session_id)
        assert session is not None
        return self.desk.tokens.issue(self.desk._session_claims(session))

    # --- organisations ---------------------------------------------------------------------------------

    def doctor(
        self,
        reads: Iterable[str] = READS,
        writes: Iterable[str] = READS,
        purposes: Iterable[str] = ("TREAT",),
        name: str = "Bệnh viện Thử",
    ) -> Doctor:
        """A doctor of a new organisation."""
        identity = self.services.identity
        licence = Licence(frozenset(purposes), frozenset(reads), frozenset(writes))
        made = identity.organisations.add(Organisation(new_id(), name, "Test Hospital", "hospital", licence))
        key = ECKey.generate_key("P-256", {"kid": "k1"})
        client = identity.clients.register(
            new_id(),
            "provider",
            "HIS",
            organisation_id=made.id,
            jwks={"keys": [key.as_dict(private=False)]},
        )
        self.client_keys[client.id] = key
        return self.colleague(Doctor(self, made.id, client.id, None), "BS. Khánh")

    def colleague(self, of: Doctor, name: str = "BS. Bình") -> Doctor:
        """Another practitioner of the same organisation."""
        practitioner_id = f"bs-{new_id()[:8]}"
        self.services.identity.organisations.enroll(
            Practitioner(practitioner_id, of.organisation_id, name, "physician", date(2020, 1, 1))
        )
        return Doctor(self, of.organisation_id, of.client_id, practitioner_id)

    # --- time ------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The wallet's time."""
        return self.services.now()

    def forward(self, **step: float) -> None:
        """Let time pass."""
        self.clock.set_to(self.now() + timedelta(**step))

    # --- HTTP ------------------------------------------------------------------------------------------

    def call(
        self,
        method: str,
        path: str,
        as_: Caller = None,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
        kind: str = "application/json",
    ) -> TestResponse:
        """One request. `path` may leave out /api/v1; `as_` is a caller, a bearer text, or nobody."""
        sent = dict(headers or {})
        token = as_ if isinstance(as_, str) or as_ is None else as_.token
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        data = raw if raw is not None else (None if body is None else json.dumps(body).encode())
        url = (
            path
            if path.startswith(("/api/", "/oauth", "/fhir", "/.well", "/cards/", "/healthz", "/readyz"))
            else f"/api/v1{path}"
        )
        more: Json = {"content_type": kind} if data is not None else {}
        return self.app.test_client().open(url, method=method, headers=sent, data=data, **more)

    def get(self, path: str, as_: Caller = None, **more: Any) -> TestResponse:
        """GET."""
        return self.call("GET", path, as_, **more)

    def post(self, path: str, as_: Caller = None, body: object = None, **more: Any) -> TestResponse:
        """POST, with an empty object for a body unless one is given."""
        return self.call("POST", path, as_, {} if body is None and "raw" not in more else body, **more)

    # --- the everyday steps ----------------------------------------------------------------------------

    def send(self, doctor: Doctor, sent: Json) -> Json:
        """Send a bundle; the report. It must be taken."""
        answer = self.post("/provider/intake/fhir-bundles", doctor, sent, kind="application/fhir+json")
        assert answer.status_code == 202, answer.get_data(as_text=True)
        return found_in(answer)

    def ask(self, doctor: Doctor, person: Person, **over: Any) -> str:
        """Put a request before somebody; its reference."""
        answer = self.post("/provider/consent-requests", doctor, self.proposal(person, **over))
        assert answer.status_code == 202, answer.get_data(as_text=True)
        return str(found_in(answer)["id"])

    def proposal(self, person: Person, **over: Any) -> Json:
        """What a doctor sends to ask for somebody's records."""
        return {
            "citizen": {"national_id": person.number},
            "purpose": "TREAT",
            "categories": ["condition", "immunization"],
            "expires_at": (self.now() + timedelta(days=30)).isoformat(),
            "reason": "follow-up",
        } | over

    def newest_request(self, person: Person) -> Json:
        """The newest request as the citizen sees it."""
        return found_in(self.get("/citizens/me/consent-requests", person))["items"][0]

    def answer_to(self, request: Json, **over: Any) -> Json:
        """What the app sends to say yes: as asked unless told otherwise."""
        notice = self.services.consent.notice(request["purpose"], "vi")
        return {"notice": {"version": notice.version, "locale": "vi"}} | over

    def agree(
        self, person: Person, request_id: str, said: Json, signer: Person | None = None
    ) -> TestResponse:
        """Every yes it takes: the person's own, a guardian's, or both; the last answer."""
        path = f"consent-requests/{request_id}"
        if has_reached(person.born, AGES.co_consent, vn_day(self.now())):
            made = self.post(f"/citizens/me/{path}/approval", person, said)
            if made.status_code != 202:
                return made
            path += "/co-approval"
        else:
            path += "/approval"
        return self.post(f"/citizens/{person.id}/{path}", signer or self.guardian_of(person), said)

    def guardian_of(self, child: Person) -> Person:
        """One of the child's guardians in a new session; somebody is made one if there is none."""
        found = self.services.identity.family.guardians_of(child.id, self.now())
        if not found:
            guardian = self.person()
            self.guard(guardian, child)
            return guardian
        whose = self.services.identity.people.profile(found[0].guardian_id)
        name = Person(self, found[0].guardian_id, "", whose.birth_date, whose.name, whose.phone or "", "")
        return self.signed_in(name)

    def grant(
        self,
        doctor: Doctor,
        person: Person,
        answer: Json | None = None,
        signer: Person | None = None,
        **asked: Any,
    ) -> Granted:
        """The whole way from asking to a standing grant. `signer`: which guardian says yes for a child."""
        reference = self.ask(doctor, person, **asked)
        request = self.newest_request(person)
        said = self.answer_to(request, **(answer or {}))
        made = self.agree(person, request["id"], said, signer)
        assert made.status_code == 201, made.get_data(as_text=True)
        outcome = found_in(self.get(f"/provider/consent-requests/{reference}", doctor))
        return Granted(self, doctor, person, found_in(made), outcome, reference)


@dataclass(frozen=True)
class Granted:
    """A standing grant and what its holder was told."""

    world: World = field(repr=False)
    doctor: Doctor
    person: Person
    grant: Json
    outcome: Json
    request_ref: str

    @property
    def citizen_ref(self) -> str:
        """The citizen's name at this organisation."""
        return str(self.outcome["citizen_ref"])

    def open(self, doctor: Doctor | None = None, purpose: str = "TREAT") -> TestResponse:
        """Open an access session."""
        body = {"citizen_ref": self.citizen_ref, "purpose": purpose}
        return self.world.post("/provider/access-sessions", doctor or self.doctor, body)

    def session(self) -> str:
        """An open access session."""
        answer = self.open()
        assert answer.status_code == 201, answer.get_data(as_text=True)
        return str(found_in(answer)["id"])

    def read(
        self, session: str, doctor: Doctor | None = None, path: str = "", query: str = ""
    ) -> TestResponse:
        """Read the list, or one record of it."""
        url = f"/provider/citizens/{self.citizen_ref}/records{path}{query}"
        return self.world.get(url, doctor or self.doctor, headers={"Access-Session": session})

    def seen(self) -> list[Json]:
        """What the holder sees now, in a new session."""
        answer = self.read(self.session())
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return list(found_in(answer)["items"])

    def withdraw(self) -> TestResponse:
        """The citizen ends it."""
        return self.world.post(f"/citizens/me/grants/{self.grant['id']}/withdrawal", self.person)


def found_in(answer: TestResponse) -> Json:
    """The JSON of an answer."""
    body = answer.get_json(silent=True, force=True)
    assert isinstance(body, dict), answer.get_data(as_text=True)
    return body


def code_in(answer: TestResponse) -> str:
    """The stable code of a refusal, in whichever form it is told."""
    body = found_in(answer)
    issues = body.get("issue") or [{}]
    told = issues[0].get("details", {}).get("coding", [{}])[0].get("code", "")
    return str(body.get("code", told))


def without_request_id(answer: TestResponse) -> tuple[int, bytes, tuple[tuple[str, str], ...]]:
    """All of an answer that a caller could tell apart, less the one thing that always differs."""
    body = found_in(answer)
    named = str(body.get("request_id") or (body.get("issue") or [{}])[0].get("diagnostics", ""))
    plain = answer.get_data().replace(named.encode(), b"-") if named else answer.get_data()
    headers = tuple(sorted((k, v) for k, v in answer.headers if k not in ("Request-Id", "Date")))
    return answer.status_code, plain, headers
