"""The people of the access matrix, and what each of the four targets is to each of them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from notifications.outgoing import Batch, BatchState, Message, Push
from notifications.reminders import copy_of
from notifications.schedule import Offset
from tests.checkup_messages import may_push
from tests.pages.resources import visit
from tests.security.matrix_table import CITIZENS, OPS, PROVIDERS
from tests.world import (
    Caller,
    Doctor,
    Granted,
    Person,
    World,
    bundle,
    condition,
    found_in,
    immunization,
)
from wallet_api.corrections.desk import Asked as Correcting
from wallet_api.corrections.disputes import DisputeDesk, NotMine
from wallet_api.corrections.model import Answer
from wallet_api.corrections.model import EvidenceFile as EvidenceSent
from wallet_api.exports.model import Export
from wallet_api.identity.errors import OrganisationUnknown
from wallet_api.identity.evidence import EvidenceFile
from wallet_api.identity.family import Claim
from wallet_api.identity.merging import Grounds
from wallet_api.infra.clock import vn_day
from wallet_api.infra.crypto.framing import to_base64url
from wallet_api.infra.ids import id_from_bytes, new_id
from wallet_api.records.safety import SafetyFlag
from wallet_api.rights.desk import Asked
from wallet_api.routes.share_links import share_id_of
from wallet_api.shares.desk import Proposal
from wallet_api.shares.model import Wanted

BREACH = {"kind": "confidentiality", "cause": "insider", "data": ["health"], "what": "Thử"}
ASSESSMENT = {"risk": "none", "must_notify": False, "affected": 0, "reason": "read the log"}
HOOK = "http://localhost:9/wallet-events"
NOBODYS = "001188998877"
APP = {"platform": "ios", "address_kind": "fid", "address": "f" * 22, "locale": None}


RECENT = timedelta(minutes=2)
"""How old a sign-in may be that an act is to follow; the wallet asks for one of the last five minutes."""
BOOKS = ("citizen", "baby", "girl", "other", "former")
"""Whose books are targets: each caller's own, somebody else's, and one that was theirs to read."""


@dataclass(frozen=True)
class Target:
    """One target: what goes into the path, by argument, and into a body, by name."""

    path: dict[str, str]
    meant: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Absent:
    """Somebody who was never there."""

    number: str
    born: date = date(1988, 8, 8)


class Cast:
    """Everybody in their place. `target` says what a target is; `renew` puts back what a call used up.

    `books`: whose are filled, and so may be a target; with the citizen's alone, what is the citizen's own
    and what the hospital holds are all the targets there are.
    """

    def __init__(self, world: World, books: tuple[str, ...] = BOOKS) -> None:
        self.world = world
        self._filled = books
        self._callers: dict[str, Caller] = {}
        self._sessions_of: dict[str, tuple[datetime, Person]] = {}
        self.hospital, self.other_hospital, self.left = (
            world.doctor(purposes=("TREAT", "BTG")) for _ in range(3)
        )
        self.asker = world.doctor(name="Phòng khám Thử")
        for each in (self.hospital, self.other_hospital, self.left, self.asker):
            may_push(world, each)
        self.people = self._people()
        self.records: dict[str, str] = {}
        self.visits: dict[str, str] = {}
        self.requests: dict[str, str] = {}
        self.grants: dict[str, str] = {}
        self.messages: dict[str, str] = {}
        self.reminders: dict[str, str] = {}
        self.apps: dict[str, str] = {}
        self.sessions: dict[str, str] = {}
        self.claims: dict[str, str] = {}
        self.coming: dict[str, str] = {}
        self.written: dict[str, str] = {}
        self.entries: dict[str, str] = {}
        self.rights: dict[str, str] = {}
        self.shares: dict[str, str] = {}
        self.exports: dict[str, str] = {}
        self.bequests: dict[str, str] = {}
        self.merges: dict[str, str] = {}
        self.file_of_citizen = ""
        self.corrections: dict[str, tuple[str, str]] = {}
        for name in books:
            self._fill(self.people[name])
        if "girl" in books:
            self._hide("girl")
            self._export(self.people["girl"])  # made before, it would hold what is hidden from its reader
        self.given = self._given()
        self.intakes = self._intakes()
        self.never = Absent("001088999999")
        self.ended_session = world.person()
        self._ended_token = self.ended_session.token
        world.services.identity.sessions.end_all(self.ended_session.id)
        self._wards()
        self._raise_flag()
        self.link = self._share(world.person())
        self.breach = self.emergency = self.webhook = ""
        self._open_breach("")
        self._ask_rebuild()
        self._draft_campaign("")
        self._open_case("")
        self._open_emergency("")
        self._add_webhook()
        for doctor in (self.hospital, self.left, self.other_hospital):
            self._ask_author(doctor.organisation_id)
        self._open_dispute()
        self._park()
        self._give_up()
        self.mortal = world.person()
        self.heir = new_id()
        self._report_death("")
        self.merge = self._propose_merge(world.person())

    # --- who calls -------------------------------------------------------------------------------------

    def caller(self, identity: str) -> Caller:
        """Who an identity is; a person in a session of their own, opened this moment."""
        if identity == "nobody":
            return None
        if identity == "signed_out":
            return self._ended_token
        if identity in CITIZENS:
            return self.world.signed_in(self.people[identity])
        if identity in OPS:
            return self.world.ops(identity)  # type: ignore[arg-type]  # the names of the roles
        return {"doctor": self.hospital, "ex_doctor": self.left, "system": self.hospital.system}[identity]

    def token(self, identity: str) -> str | None:
        """A token of an identity, fresh enough; its session is kept until `forget`."""
        if identity not in self._callers:
            self._callers[identity] = self.caller(identity)
        who = self._callers[identity]
        return who if isinstance(who, str) or who is None else who.token

    def forget(self, identity: str) -> None:
        """Sign in anew next time."""
        self._callers.pop(identity, None)

    def signed_out(self, identity: str) -> None:
        """Their sessions have all ended."""
        self.forget(identity)
        self._sessions_of.pop(self.people[identity].id, None)

    def _signed(self, whose: Person) -> Person:
        """Somebody with a sign-in of the last minutes, in a session that no row of the matrix ends."""
        held = self._sessions_of.get(whose.id)
        if held is None or self.world.now() - held[0] > RECENT:
            held = self._sessions_of[whose.id] = self.world.now(), self._sign_in(whose)
        return held[1]

    def _sign_in(self, whose: Person) -> Person:
        for each in CITIZENS:  # a person has only so many sessions: the oldest makes room
            self.forget(each)
        return self.world.signed_in(whose)

    # --- what a target is ------------------------------------------------------------------------------

    def target(self, identity: str, position: int) -> Target:
        """The target of an identity at one of the four positions."""
        book = self._book(identity if identity in CITIZENS else "citizen", position)
        held = self._held("ex_doctor" if identity == "ex_doctor" else "doctor", position)
        exists = position != 3
        named = {
            "organisation_id": self.asker.organisation_id if exists else new_id(),
            "name": "swagger-ui.css" if exists else "no-such-file",
            "code": "29463-7",
            "commune": "00004" if exists else "99999",
            "breach_id": self.breach if exists else new_id(),
            "rebuild_id": self.rebuild if exists else new_id(),
            "campaign_id": self.campaign if exists else new_id(),
            "programme_id": "epi_routine" if exists else "no-such-programme",
            "emergency_id": self.emergency if exists else new_id(),
            "client_id": self.asker.client_id if exists else new_id(),
            "practitioner_id": str(self.asker.practitioner_id) if exists else "nobody-here",
            "webhook_id": self.webhook if exists else new_id(),
            "file_id": self.file_of_citizen if exists else new_id(),
            "flag_id": self.flag if exists else new_id(),
            **self._link(exists),
            "purpose": "TREAT" if exists else "NO-SUCH-PURPOSE",
            "dispute_id": self.dispute if exists else new_id(),
            "parked_id": self.parked if exists else new_id(),
            "letter_id": self.dead_letter if exists else new_id(),
            "death_id": self.death if exists else new_id(),
            "heir_id": self.heir if exists else new_id(),
        }
        if identity in PROVIDERS:
            named |= self._put_to(identity, position)
        meant = held.meant | {"guardian_id": self.people["citizen"].id, "dependent_id": self._ward(exists)}
        meant["number"] = self.people["citizen"].number if exists else NOBODYS
        meant["record_id"] = book["record_id"]
        meant["mortal"] = self.mortal.number if exists else NOBODYS
        if identity in OPS:
            named["rights_id"] = self.case if exists else new_id()
            named["merge_id"] = self.merge if exists else new_id()
        return Target(book | held.path | named | _as_fhir(identity, book, held.path), meant)

    def renew(self, identity: str, name: str, operation: str) -> None:
        """Put back a thing of the identity's own target that an allowed call may have used up."""
        if name == "breach_id":
            self._open_breach(operation)
        if name == "rebuild_id":
            self._ask_rebuild()
        if name == "campaign_id":
            self._draft_campaign(operation)
        if name == "rights_id" and identity in OPS:
            self._open_case(operation)
        if name == "webhook_id":
            self._add_webhook()
        if name == "dispute_id":
            self._open_dispute()
        if name == "parked_id":
            self._park()
        if name == "letter_id":
            self._give_up()
        if name == "death_id":
            self._report_death(operation)
        if name == "merge_id":
            whose = self.people[_OWN[identity]] if identity in CITIZENS else self.world.person()
            self.merge = self._propose_merge(whose)
        if name == "correction_id" and identity in PROVIDERS:
            self._ask_author((self.left if identity == "ex_doctor" else self.hospital).organisation_id)
        if name == "organisation_id" and "/ops/organisations/" in operation:
            self.asker = may_push(self.world, self.world.doctor(name="Phòng khám Thử"))
        if name == "emergency_id":
            self._open_emergency(operation)
        if name == "flag_id":
            self._raise_flag()
        if name == "share_id" and identity in CITIZENS:
            self._share(self.people[_OWN[identity]])
        if name == "export_id" and identity in CITIZENS:
            self._export(self.people[_OWN[identity]])
        if name == "coming_id" and identity in CITIZENS:
            self._coming(self.people[_OWN[identity]])
        if name == "guardianship_id":
            self._claim(self.people[_OWN.get(identity, "citizen")])
        if identity not in CITIZENS:
            return
        whose = self.people[_OWN[identity]]
        if name == "record_id":
            self._quarantine(whose, hidden=operation.startswith("DELETE"))
        if name == "correction_id":
            self._correct(whose)
        renewed = {"request_id": self._ask, "grant_id": self._grant, "message_id": self._message}
        renewed |= {"installation_id": self._app, "session_id": self._session, "reminder_id": self._remind}
        renewed |= {"rights_id": self._waiting if operation.endswith("/cancellation") else self._copied}
        if name in renewed:
            renewed[name](whose)

    def _book(self, identity: str, position: int) -> dict[str, str]:
        role = (_OWN[identity], "other", "former")[position] if position < 3 else None
        if role is None:
            return dict.fromkeys(("citizen", *_THINGS), "") | {key: new_id() for key in ("citizen", *_THINGS)}
        who = self.people[role]
        found = {"citizen": who.id, "record_id": self.records[who.id], "request_id": self.requests[who.id]}
        found |= {"grant_id": self.grants[who.id], "session_id": self.sessions[who.id]}
        found |= {"guardianship_id": self.claims[who.id], "entry_ref": self.entries[who.id]}
        found |= {"rights_id": self.rights[who.id], "correction_id": self.corrections[who.id][0]}
        found |= {"share_id": self.shares[who.id], "visit_id": self.visits[who.id]}
        found |= {"export_id": self.exports[who.id]}
        found |= {"bequest_id": self.bequests[who.id], "coming_id": self.coming[who.id]}
        found |= {"reminder_id": self.reminders[who.id], "merge_id": self.merges[who.id]}
        return found | {"installation_id": self.apps[who.id], "message_id": self.messages[who.id]}

    def _held(self, holder: str, position: int) -> Target:
        """What an organisation holds of a citizen: references, a session, its request and its intake."""
        mine = self.given[holder, 0] if (holder, 0) in self.given else self.given[holder, 2]
        seal, signer = self.world.services.references.seal, {"signer": mine.made.doctor}
        if position == 3:
            stranger = new_id()  # references of the right form that were never given to anybody
            refs = {name: seal(stranger, kind, *ids) for name, kind, *ids in _nobodys()}
            path = refs | {"intake_id": new_id()}
            meant = {"person": self.never, "session": mine.session, "citizen": path["citizen_ref"]}
            meant |= {"record_ref": path["record_ref"]}
            return Target(path, meant | signer | {"grant_ref": seal(stranger, "grant", new_id(), new_id())})
        found = self.given["other", 0] if position == 1 else self.given.get((holder, position), mine)
        path = {"citizen_ref": found.made.citizen_ref, "request_ref": found.made.request_ref}
        path |= {"assisted_ref": found.assisted_ref}
        path |= {"record_ref": found.record_ref, "intake_id": self.intakes[found.made.doctor.organisation_id]}
        session = mine.session if position == 1 else found.session
        who = found.made.person
        meant = {"person": who, "session": session, "citizen": found.made.citizen_ref}
        meant |= {"record_ref": self.written[found.made.doctor.organisation_id]}
        # What is owed is owed for the grant that ended, whichever of its own an organisation is asked about.
        owed = found if position == 1 else self.given[holder, 2]
        return Target(path, meant | signer | {"grant_ref": owed.made.outcome["grant_id"]})

    # --- putting them there ----------------------------------------------------------------------------

    def _people(self) -> dict[str, Person]:
        world = self.world
        made = {name: world.person() for name in ("citizen", "guardian", "companion", "other", "left_us")}
        made["baby"] = world.child_of(made["guardian"])
        made["girl"] = world.child_of(made["companion"], date(2011, 2, 1))
        made["former"] = world.person("Bé Thử", date(2023, 2, 1))
        for who in ("citizen", "guardian", "companion"):
            world.services.identity.family.end(world.guard(made[who], made["former"]))
        return made

    def _fill(self, whose: Person) -> None:
        world = self.world
        world.send(self.asker, bundle(whose, condition(), immunization(), visit()))
        items = found_in(world.get("/citizens/me/records?category=condition", self._signed(whose)))["items"]
        self.records[whose.id] = items[0]["id"]
        items = found_in(world.get("/citizens/me/records?category=visit", self._signed(whose)))["items"]
        self.visits[whose.id] = items[0]["id"]
        for step in (
            self._ask,
            self._grant,
            self._message,
            self._app,
            self._session,
            self._claim,
            self._remind,
        ):
            step(whose)
        self._copied(whose)
        self._bequeath(whose)
        self._coming(whose)
        self._propose_merge(whose)
        self._share(whose)
        self._export(whose)
        self._read_log(whose)
        self._correct(whose)

    def _ask(self, whose: Person) -> None:
        # Somebody else each time: equal requests of one are one, and who was refused has to wait.
        self.world.ask(self.world.doctor(), whose)
        self.requests[whose.id] = self._newest_request(whose)

    def _newest_request(self, whose: Person) -> str:
        return self.world.services.consent.requests(whose.id, limit=1)[0].id

    def _grant(self, whose: Person) -> None:
        world = self.world
        world.ask(world.doctor(), whose)
        signer = {self.people["baby"].id: "guardian", self.people["girl"].id: "companion"}.get(whose.id)
        made = world.agree(
            self._signed(whose),
            self._newest_request(whose),
            world.answer_to({"purpose": "TREAT"}),
            self._signed(self.people[signer]) if signer is not None else None,
        )
        assert made.status_code == 201, made.get_data(as_text=True)
        self.grants[whose.id] = found_in(made)["id"]

    def _message(self, whose: Person) -> None:
        one = new_id()
        texts = {"topic": "t", "nid": new_id(), "title": "t", "body": "b", "template": "t"}
        sent = Message(one, whose.id, whose.id, created_at=self.world.now(), reminder_id=None, **texts)
        self.world.services.reminding.inbox.add([sent])
        self.messages[whose.id] = one

    def _remind(self, whose: Person) -> None:
        """A reminder of the annual check-up, sent to whoever is told; nobody said that it was done."""
        kit, reader = self.world.services.reminding, self._reader_of(whose)
        if whose.id in self.reminders:
            where = f"/citizens/{whose.id}/reminders/{self.reminders[whose.id]}/already-given"
            assert self.world.call("DELETE", where, self._signed(reader)).status_code == 204
        items = kit.planning.forecasts(whose.id).own
        item = next(each for each in items if each.programme_id == "annual_checkup" and each.remindable)
        day, offset = vn_day(self.world.now()), Offset("on_day", 0)
        sent = copy_of(kit.keys, whose.id, reader.id, item, offset, day)
        kit.reminders.plan(sent)
        self.reminders[whose.id] = sent.id

    def _reader_of(self, whose: Person) -> Person:
        """The person, or the guardian of a child who is reminded in the child's place."""
        return self.people["guardian"] if whose.id == self.people["baby"].id else whose

    def session_tag(self, commune: str) -> str:
        """The tag of what a commune published, or of nothing."""
        found = self.world.services.reminding.sessions.of(commune)
        version = str(found.version if found else 0)
        return f'"{self.world.services.etags.etag("session-days", commune, version)}"'

    def _read_log(self, whose: Person) -> None:
        """A line of which nothing is held back from anybody."""
        lines = self.world.services.log.entries(whose.id, limit=100)
        asked = next(each for each in lines if each.event.action == "consent:requested")
        place = id_from_bytes(asked.seq.to_bytes(16, "big"))
        seal = self.world.services.references.seal
        self.entries[whose.id] = seal(whose.id, "log-entry", asked.log_id, place)

    def _app(self, whose: Person) -> None:
        self.apps[whose.id] = app = new_id()
        path = f"/citizens/me/devices/{app}"
        answer = self.world.call("PUT", path, self._signed(whose), APP | {"address": app})
        assert answer.status_code == 200, answer.get_data(as_text=True)

    def _session(self, whose: Person) -> None:
        self.sessions[whose.id] = self._sign_in(whose).session_id

    def _claim(self, whose: Person) -> None:
        """A guardianship that somebody asked for, about a child who has no guardian, with its proof."""
        ward, services = self.world.person("Bé", date(2025, 1, 1)), self.world.services
        claim = Claim(whose.id, ward.id, ward.born, "minor", "birth_certificate")
        made = services.identity.family.claim(claim)
        sent = EvidenceFile(new_id(), made.id, whose.id, "application/pdf", 5, self.world.now(), b"%PDF-")
        self.claims[whose.id] = made.id
        services.evidence.add(sent, 5)
        if whose.id == self.people["citizen"].id:
            self.file_of_citizen = sent.id

    def _coming(self, whose: Person) -> None:
        """A guardianship over this person that a stranger asked for."""
        asks = Claim(self.world.person().id, whose.id, whose.born, "adult", "court_decision")
        self.coming[whose.id] = self.world.services.identity.family.claim(asks).id

    def _raise_flag(self) -> None:
        now, whose = self.world.now(), self.world.person("Bé", date(2025, 1, 1))
        flag = SafetyFlag(new_id(), whose.id, self.asker.organisation_id, "child_abuse", now, "somebody", now)
        self.flag = self.world.services.safety.set(flag).id

    def _hide(self, name: str) -> None:
        whose = self.people[name]
        path = f"/citizens/me/records/{self.records[whose.id]}/visibility"
        body = {"audience": "guardians", "hidden": True}
        assert self.world.call("PUT", path, self._signed(whose), body).status_code == 204

    def _given(self) -> dict[tuple[str, int], Held]:
        self.world.send(self.asker, bundle(self.people["left_us"], condition()))
        made = {
            ("doctor", 0): self._held_by(self.hospital, self.people["citizen"]),
            ("doctor", 2): self._held_by(self.hospital, self.people["left_us"], mode="STORE"),
        }
        if "other" in self._filled:
            made |= {
                ("ex_doctor", 2): self._held_by(self.left, self.people["citizen"], mode="STORE"),
                ("other", 0): self._held_by(self.other_hospital, self.people["other"]),
            }
        for (_, position), held in made.items():
            if position == 2:
                assert held.made.withdraw().status_code == 200
        return made

    def _held_by(self, doctor: Doctor, person: Person, **asked: Any) -> Held:
        made = self.world.grant(doctor, self._signed(person), **asked)
        session = made.session()
        items = found_in(made.read(session))["items"]
        heard = {
            "citizen": {"national_id": person.number},
            "birth_date": person.born.isoformat(),
            "known_by": "national_id_card",
            "categories": ["condition"],
            "heard_in_person": True,
        } | self.world.answer_to({"purpose": "TREAT"})
        attested = found_in(self.world.post("/provider/assisted-consents", doctor, heard))
        path = f"/citizens/me/grants/{self._newest_grant(person)}/withdrawal"
        assert self.world.post(path, self._signed(person)).status_code == 200
        return Held(made, session, items[0]["id"], attested["id"])

    def _newest_grant(self, person: Person) -> str:
        items = found_in(self.world.get("/citizens/me/grants", self._signed(person)))["items"]
        return str(items[0]["id"])

    def _intakes(self) -> dict[str, str]:
        sent = {self.hospital: "citizen", self.left: "citizen"}
        if "other" in self._filled:
            sent[self.other_hospital] = "other"
        made = {
            doctor.organisation_id: self.world.send(doctor, bundle(self.people[who], condition("own")))["id"]
            for doctor, who in sent.items()
        }
        for doctor in sent:
            newest = found_in(self.world.get("/provider/own-records", doctor))["items"][0]
            self.written[doctor.organisation_id] = newest["id"]
        return made

    def _ask_rights(self, whose: Person) -> str:
        """A request of whoever reads this book: the person, or the guardian of a child."""
        children = (self.people["baby"].id, self.people["girl"].id)
        relation: Any = "guardian" if whose.id in children else "self"
        asked = Asked(new_id(), whose.id, "copy", None, whose.id, relation)
        return self.world.services.rights.ask(asked, lambda _: None).id

    def _share(self, whose: Person) -> str:
        """A share link of whoever reads this book: the person, or the guardian of a child."""
        children = {self.people["baby"].id: "guardian", self.people["girl"].id: "companion"}
        link, key = (to_base64url(secrets.token_bytes(32)) for _ in range(2))
        wish = Proposal(
            id=self._share_id(link),
            citizen_id=whose.id,
            by=self.people[children[whose.id]].id if whose.id in children else whose.id,
            relation="guardian" if whose.id in children else "self",
            wanted=Wanted("summary"),
            label=None,
            expires_at=self.world.now() + timedelta(days=1),
            use_limit=100,
            passcode=None,
            key=key,
        )
        self.shares[whose.id] = self.world.services.sharing.desk.make(wish, lambda _: None).id
        return link

    def _export(self, whose: Person) -> None:
        """A file that lies ready for whoever reads this book: the person, or the guardian of a child."""
        reader = {self.people["baby"].id: "guardian", self.people["girl"].id: "companion"}.get(whose.id)
        now = self.world.now()
        wish = Export(
            id=new_id(),
            citizen_id=whose.id,
            made_by=whose.id if reader is None else self.people[reader].id,
            relation="self" if reader is None else "guardian",
            client_id="app",
            format="fhir",
            scope="book",
            encounter_id=None,
            locale="vi",
            asked_at=now,
            expires_at=now + timedelta(days=1),
            due_at=now,
        )
        if whose.id in self.exports:  # only so many lie ready at once
            self.world.db["exports"].delete_many({"citizen_id": whose.id})
        self.exports[whose.id] = self.world.services.exports.ask(wish).id
        while self.world.services.exports.make_next() is not None:
            pass

    def _share_id(self, link: str) -> str:
        with self.world.app.app_context():
            return share_id_of(link)

    def _link(self, exists: bool) -> dict[str, str]:
        """A link that serves and a ticket to its file; or one that never was."""
        link = self.link if exists else to_base64url(secrets.token_bytes(32))
        until, bound_to = self.world.now() + timedelta(minutes=5), ("shared file", self._share_id(link))
        return {
            "link": link,
            "ticket": self.world.services.cursors.seal({}, bound_to=bound_to, expires=until),
        }

    def _waiting(self, whose: Person) -> None:
        self.rights[whose.id] = self._ask_rights(whose)

    def _copied(self, whose: Person) -> None:
        self.rights[whose.id] = made = self._ask_rights(whose)
        self._acknowledge(made)
        self.world.services.rights.complete(made, frozenset("2"), "reviewer", None, lambda _: None)

    def _acknowledge(self, request_id: str) -> None:
        self.world.services.rights.move(
            request_id,
            frozenset("1"),
            lambda each, at: each.acknowledged("reviewer", at, with_others=False, reason=None),
            lambda _: None,
        )

    def _open_case(self, operation: str) -> None:
        """A request at the desk, acknowledged unless that is the step."""
        self.case = self._ask_rights(self.people["citizen"])
        if not operation.endswith("/acknowledgement"):
            self._acknowledge(self.case)

    def _correct(self, whose: Person) -> None:
        """What whoever reads this book asked about its record, with a file."""
        self.corrections[whose.id] = self._asked(whose.id, self.records[whose.id], self.asker.organisation_id)

    def _ask_author(self, organisation_id: str) -> None:
        """What an organisation was asked about something it wrote."""
        if organisation_id in self.written:
            ref = self.written[organisation_id]
            whose, record_id = self.world.services.references.open(organisation_id, "record", ref)
            self.corrections[organisation_id] = self._asked(whose, record_id, organisation_id)

    def _put_to(self, identity: str, position: int) -> dict[str, str]:
        """The request, and its file, that an organisation is tried with."""
        holder = self.left if identity == "ex_doctor" else self.hospital
        whose = self.other_hospital if position == 1 else holder
        found = (new_id(), new_id()) if position == 3 else self.corrections[whose.organisation_id]
        return {"correction_id": found[0], "file_id": found[1]}

    def _asked(self, whose: str, record_id: str, organisation_id: str) -> tuple[str, str]:
        # The ceiling on what is open is no part of the policy.
        desk, now = self.world.services.correcting.desk, self.world.now()
        for each in desk.listed(whose, "self", None, 100):
            if each.open:
                closing = Answer(refusal="record_is_right")
                desk.answer(each, frozenset({str(each.version)}), closing, ("x", "x"), lambda _: None)
        asked = Correcting(
            id=new_id(),
            citizen_id=whose,
            organisation_id=organisation_id,
            record_id=record_id,
            record_version=1,
            kind="wrong_date",
            details="x",
            by=whose,
            relation=self._relation(whose),
        )
        made = desk.ask(asked, lambda _: None)
        file = EvidenceSent(new_id(), made.id, whose, "application/pdf", 5, now, b"%PDF-")
        return made.id, desk.add_file(made, file, lambda _: None).id

    def _relation(self, whose: str) -> Any:
        return "guardian" if whose in (self.people["baby"].id, self.people["girl"].id) else "self"

    def _quarantine(self, whose: Person, *, hidden: bool) -> None:
        """The record of a book is in dispute, by whoever reads the book, or is not."""
        desk, record_id, relation = self._disputes, self.records[whose.id], self._relation(whose.id)
        said = NotMine(whose.id, record_id, "condition", self.asker.organisation_id, whose.id, relation)
        made = desk.open(said, lambda _: None)
        if not hidden:
            desk.take_back(made, relation, whose.id, lambda _: None)

    def _open_dispute(self) -> None:
        """A dispute that waits for a reviewer."""
        whose = self.world.person()
        self.world.send(self.asker, bundle(whose, condition("d1")))
        record_id = found_in(self.world.get("/citizens/me/records", whose))["items"][0]["id"]
        said = NotMine(whose.id, record_id, "condition", self.asker.organisation_id, whose.id, "self")
        self.dispute = self._disputes.open(said, lambda _: None).id

    def _park(self) -> None:
        """Something about a person of the matrix whose birth date is another: it waits for a reviewer."""
        about = bundle(self.people["citizen"], condition(new_id()), born="1971-01-01")
        self.parked = str(self.world.send(self.asker, about)["id"])

    def _give_up(self) -> None:
        """A push that was given up."""
        now, whose = self.world.now(), self.people["citizen"].id
        push = Push(whose, new_id(), (), alert=True)
        made = Batch(new_id(), 5, "push.v1", (push,), now, now, state=BatchState.DEAD)
        self.world.services.reminding.outbox.add(made)
        self.dead_letter = made.id

    def _report_death(self, operation: str) -> None:
        """A death that waits for a reviewer; for what concerns heirs, one with an heir who waits."""
        whose, today = self.world.person(), vn_day(self.world.now())
        deaths = self.world.services.deaths
        self.death = deaths.report(new_id(), whose.id, today, "death_certificate", "KT-1", "somebody").id
        if "/heirs" in operation:
            deaths.decide(self.death, "confirm", "reviewer", None)
            self.heir = self._heir(self.people["citizen"])

    def _propose_merge(self, whose: Person) -> str:
        """A merge of somebody's book with that of one who is nobody's, which waits for a reviewer."""
        accepts = frozenset({"two_numbers", "birth_date", "sex"})
        grounds = Grounds("number_reissued", "reissue_decision", "QD-1", accepts)
        desk, other = self.world.services.merging, self.world.person()
        self.merges[whose.id] = desk.propose(new_id(), whose.id, other.id, grounds, "somebody").id
        return self.merges[whose.id]

    def _heir(self, whose: Person) -> str:
        """Somebody as an heir of who died last; proposed."""
        kit, made = self.world.services, new_id()
        death, paper = kit.deaths.get(self.death), "birth_certificate"
        return kit.heirs.propose(made, death, whose.id, "child", paper, "somebody").id

    def _bequeath(self, whose: Person) -> None:
        """What somebody may see of a book whose owner died."""
        self._report_death("/heirs")
        given, kit = self._heir(whose), self.world.services
        self.bequests[whose.id] = given
        kit.heirs.decide(kit.deaths.get(self.death), given, "give", "reviewer")

    @property
    def _disputes(self) -> DisputeDesk:
        return self.world.services.correcting.disputes

    def _ask_rebuild(self) -> None:
        """A rebuild that has not ended."""
        desk = self.world.services.reminding.upkeep.rebuilding
        self.rebuild = desk.begin(new_id(), "operator", dry_run=True, shards=[0, 1], sample=2).id

    def _open_breach(self, operation: str) -> None:
        """An entry that is ready for the step of an operation: found out about, unless that is the step."""
        reviewer = self.token("reviewer")
        made = self.world.post(
            "/ops/breaches", reviewer, BREACH | {"detected_at": self.world.now().isoformat()}
        )
        self.breach = found_in(made)["id"]
        if operation.endswith(("/notification", "/closure")):
            body = ASSESSMENT | {"must_notify": operation.endswith("/notification")}
            path, tag = f"/ops/breaches/{self.breach}/assessment", {"If-Match": '"1"'}
            assert self.world.post(path, reviewer, body, headers=tag).status_code == 200

    def _draft_campaign(self, operation: str) -> None:
        """Somebody else's campaign, to nobody there is, as far as the step of an operation needs it."""
        maker, listed = self.world.ops("operator"), "/list" in operation
        audience = {"listed": True} if listed else {"province": "08", "commune": "00001"}
        form = {"name": "matrix", "kind": "information", "template": "catch_up.v1", "audience": audience}
        self.campaign = found_in(self.world.post("/ops/campaigns", maker, form))["id"]
        steps = {"pause": ("launch",), "resume": ("launch", "pause")}.get(operation.rpartition("/")[2], ())
        for version, step in enumerate(steps, 1):
            path, tag = f"/ops/campaigns/{self.campaign}/{step}", {"If-Match": f'"{version}"'}
            assert self.world.post(path, maker, headers=tag).status_code == 200

    def _add_webhook(self) -> None:
        """The asker has one webhook, whatever became of the one before."""
        register = self.world.services.telling.webhooks
        for each in register.of(self.asker.organisation_id):
            register.remove(self.asker.organisation_id, each.id)
        self.webhook = register.add(self.asker.organisation_id, HOOK, 0, new_id()).id

    def read_feeds(self) -> None:
        """What happened so far has its place in the feeds: the first look gives it one."""
        for doctor in (self.hospital, self.left):
            self.world.services.telling.feed.page(doctor.organisation_id, 0, 1)

    def tag_of(self, organisation_id: str) -> str:
        """The tag of an organisation's entry; of one that is not there, any."""
        try:
            return f'"{self.world.services.identity.organisations.get(organisation_id).version}"'
        except OrganisationUnknown:
            return '"1"'

    def _open_emergency(self, operation: str) -> None:
        """An access that waits for its review, or for lifting what the review took."""
        doctor = self.world.doctor(purposes=("TREAT", "BTG"))
        body = {"citizen": {"national_id": NOBODYS}, "reason_code": "other", "reason": "x"}
        assert self.world.post("/provider/emergency-access", doctor, body).status_code == 201
        made = self.world.db["emergencies"].find_one({"organisation_id": doctor.organisation_id})
        assert made is not None
        self.emergency = made["_id"]
        if operation.endswith("/lifting"):
            service = self.world.services.emergencies.service
            service.decide(self.emergency, "not_justified", "x", "somebody")

    def _wards(self) -> None:
        self._ward_ids = [self.world.person("Bé", date(2025, 1, 1)).id for _ in range(4)]

    def _ward(self, exists: bool) -> str:
        return self._ward_ids[-1] if exists else new_id()

    def next_ward(self) -> None:
        """A child whom nobody was made guardian of yet."""
        self._ward_ids.pop()


@dataclass(frozen=True)
class Held:
    """A grant, a session opened under it, and a reference to a record it covered."""

    made: Granted
    session: str
    record_ref: str
    assisted_ref: str


_OWN = {"citizen": "citizen", "guardian": "baby", "companion": "girl"}
_THINGS = (
    *("record_id", "request_id", "grant_id", "session_id", "installation_id", "message_id"),
    *("guardianship_id", "entry_ref", "rights_id", "correction_id", "share_id", "visit_id", "bequest_id"),
    *("export_id", "coming_id", "reminder_id", "merge_id"),
)


def _nobodys() -> list[tuple[str, ...]]:
    return [
        ("citizen_ref", "citizen", new_id()),
        ("request_ref", "request", new_id(), new_id()),
        ("record_ref", "record", new_id(), new_id()),
        ("assisted_ref", "assisted", new_id(), new_id()),
    ]


def _as_fhir(identity: str, book: dict[str, str], held: dict[str, str]) -> dict[str, str]:
    """The same things as the FHIR side names them."""
    person, record = book["citizen"], book["record_id"]
    if identity in PROVIDERS:
        person, record = (held[name].replace("_", ".") for name in ("citizen_ref", "record_ref"))
    return {"kind": "Condition", "version_id": "1", "patient_id": person, "resource_id": record}
