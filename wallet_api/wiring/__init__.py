"""build_services(): the only place that knows every concrete class. Dull on purpose."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from consent.access import AccessService
from consent.asking import AskingBook
from consent.assisted import AssistedConsentService
from consent.co_consent import CoConsentService
from consent.receipt import Signing
from consent.service import REQUEST_STAYS_OPEN
from consent.visit_codes import VisitCodeService
from wallet_api.audit.checkpoint import CheckpointSigner
from wallet_api.audit.export import CheckpointFolder
from wallet_api.audit.log import AccessLog
from wallet_api.breaches.register import BreachRegister
from wallet_api.context import Book, Services
from wallet_api.identity.births import BirthDesk
from wallet_api.identity.heirs import HeirDesk
from wallet_api.identity.service import Identity, IdentityStores, build_identity
from wallet_api.infra.clock import clock_from
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.cursors import CursorSealer
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.crypto.etags import EntityTags
from wallet_api.infra.crypto.keystore import FileKeyStore, KeyStore
from wallet_api.infra.crypto.refs import References
from wallet_api.infra.ids import new_id
from wallet_api.infra.logs import say
from wallet_api.infra.mongo import Db, connect, end_left_transactions
from wallet_api.infra.readiness import Readiness
from wallet_api.records.card_doses import CardDoses
from wallet_api.records.growth.who_2006 import Who2006
from wallet_api.records.intake import IntakeParts, IntakeService
from wallet_api.records.intake_of_many import IntakeOfMany
from wallet_api.records.own_entries import OwnEntries, OwnParts
from wallet_api.records.pages import PageCursors
from wallet_api.records.parking import ParkingDesk, ParkingParts
from wallet_api.records.reader import ReaderParts, Readers
from wallet_api.settings import Settings
from wallet_api.stores.askings import MongoAskings
from wallet_api.stores.audit_log import MongoAuditLog
from wallet_api.stores.births import MongoBirths
from wallet_api.stores.breaches import MongoBreaches
from wallet_api.stores.citizen_keys import MongoCitizenKeys
from wallet_api.stores.consents import MongoConsents
from wallet_api.stores.emergencies import MongoEmergencies
from wallet_api.stores.guardianship_evidence import MongoEvidence
from wallet_api.stores.guardianships import MongoGuardianships
from wallet_api.stores.heirs import MongoHeirs
from wallet_api.stores.idempotency import MongoTurns
from wallet_api.stores.identities import MongoCitizens, MongoReviews
from wallet_api.stores.inbox import MongoInbox
from wallet_api.stores.intakes import MongoIntakes
from wallet_api.stores.key_witnesses import check_keys
from wallet_api.stores.merges import MongoMerges
from wallet_api.stores.oauth_clients import MongoClients
from wallet_api.stores.organisations import MongoOrganisations, MongoRosters
from wallet_api.stores.parked import MongoParked
from wallet_api.stores.preferences import MongoPreferences
from wallet_api.stores.readiness import MongoProbe
from wallet_api.stores.records import MongoRecords
from wallet_api.stores.restrictions import MongoRestrictions
from wallet_api.stores.safety_flags import MongoFlags
from wallet_api.stores.sessions import MongoSessions
from wallet_api.stores.sign_ins import MongoCodes, MongoJtis, MongoLoginAttempts
from wallet_api.stores.visit_codes import MongoVisitCodes
from wallet_api.wiring.care import BookCare, FamilyRecipients, SeenPlans
from wallet_api.wiring.corrections import build_correcting
from wallet_api.wiring.deaths import build_deaths
from wallet_api.wiring.emergencies import build_emergencies
from wallet_api.wiring.events import build_telling
from wallet_api.wiring.exports import build_exports
from wallet_api.wiring.intake_books import match_with, normal, prepare_with
from wallet_api.wiring.intake_of_many import BooksTogether
from wallet_api.wiring.joined_safety import JoinedSafety
from wallet_api.wiring.licences import LicenceWindow
from wallet_api.wiring.limits import build_limits
from wallet_api.wiring.merging import JoinedRestrictions, build_merging
from wallet_api.wiring.opened_book import OpenedTeller
from wallet_api.wiring.parking import owner_with, settle_with
from wallet_api.wiring.record_ids import fingerprint_with, record_id_with
from wallet_api.wiring.reminding import PlannedCitizens, build_reminding
from wallet_api.wiring.rights import build_rights
from wallet_api.wiring.schema import ready_schema
from wallet_api.wiring.shares import build_sharing
from wallet_api.wiring.theft import crowd_teller, start_teller, theft_teller


def open_keys(settings: Settings) -> KeyStore:
    """The key store of these settings; in development keys are made when absent.

    Raises:
        KeyUnavailable: the folder or a file in it is open to others, or somebody else's.
    """
    store = FileKeyStore(settings.keys_dir, create=settings.dev)
    store.check_private()
    return store


def build_services(settings: Settings, db: Db | None = None) -> Services:
    """Connect, see that the database has the shape this code needs, and put everything together.

    Raises:
        PyMongoError: the database does not answer. KeyUnavailable: a key is absent or open to others.
        MigrationError: the database is older or newer than this code can serve from.
    """
    now = clock_from(settings)
    keys = open_keys(settings)
    database = db if db is not None else connect(settings)
    if ended := end_left_transactions(database, settings.data_dir / "transactions"):
        say("transactions_ended", count=ended)
    ready_schema(settings, database, now)
    check_keys(database, keys, now())
    return _assemble(settings, database, keys, now)


def _assemble(settings: Settings, db: Db, keys: KeyStore, now: Callable[[], datetime]) -> Services:
    cipher, blind = CitizenCipher(MongoCitizenKeys(db), keys, now), BlindIndex(keys)
    folders = [CheckpointFolder(each) for each in settings.checkpoint_dirs]
    log = AccessLog(MongoAuditLog(db), now, CheckpointSigner(keys), folders)
    kept = timedelta(days=settings.sync_days)
    records = MongoRecords(db, cipher, blind, now, kept)
    citizens = PlannedCitizens(MongoCitizens(db, cipher, blind))
    identity = _identity(settings, db, keys, cipher, citizens, log, now)
    reminding = build_reminding(settings, db, cipher, blind, identity, records, now)
    citizens.after = reminding.planning.replan
    consents = MongoConsents(db, cipher, blind, now)
    licences = LicenceWindow(identity.organisations)
    consent = CoConsentService(consents, licences, now, new_id)
    access = AccessService(consents, licences, now)
    readiness = _readiness(settings, db, now)
    cursors = CursorSealer(keys)
    pages = PageCursors(cursors, now)
    plans = SeenPlans(BookCare(identity.people, records, now), reminding.planning, reminding.reminders)
    tell_opened = OpenedTeller(
        reminding.alerts,
        FamilyRecipients(identity.people, identity.family, now),
        reminding.preferences,
        identity.organisations,
        record_id_with(blind),
        now,
    )
    reading = ReaderParts(records, access, consents.note_hiding, tell_opened, plans, log, pages, now, kept)
    merges = MongoMerges(db, cipher)
    safety = JoinedSafety(MongoFlags(db, cipher), records, merges)
    births = BirthDesk(MongoBirths(db, cipher), identity.people, identity.family, blind.label_token, now)
    intake = IntakeParts(
        records=records,
        intakes=MongoIntakes(db, cipher),
        match=match_with(identity.people, cipher.keys, births.reference),
        prepare=prepare_with(cipher.keys),
        in_unit=records.in_unit,
        on_recorded=reminding.planning.replan,
        record_id=record_id_with(blind),
        fingerprint=fingerprint_with(blind),
        now=now,
        hidden_for=safety.hidden_for,
        normal=normal,
        settle=safety.settle,
    )
    taking = IntakeService(intake)
    together = BooksTogether(
        db, cipher, blind, identity.people, records, safety, reminding.planning, births.reference, now
    )
    parking = ParkingDesk(
        ParkingParts(MongoParked(db, cipher), intake, taking, owner_with(identity.people), now)
    )
    citizens.settle = settle_with(parking, identity.people, log, now)
    restrictions = JoinedRestrictions(db, merges)
    merging = build_merging(merges, identity, consent, restrictions, safety, reminding.planning.replan, now)
    deaths = build_deaths(db, cipher, identity, consent, reminding.planning.replan, now, restrictions)
    own = OwnParts(
        records=records,
        prepare=intake.prepare,
        in_unit=records.in_unit,
        on_recorded=intake.on_recorded,
        fingerprint=intake.fingerprint,
        born=lambda citizen_id: identity.people.facts(citizen_id).born,
        now=now,
    )
    return Services(
        settings=settings,
        now=now,
        ready=readiness.ready,
        room=readiness.room,
        keys=keys,
        blind=blind,
        references=References(keys),
        cursors=cursors,
        pages=pages,
        etags=EntityTags(keys),
        log=log,
        identity=identity,
        evidence=MongoEvidence(db, cipher),
        births=births,
        deaths=deaths,
        merging=merging,
        heirs=HeirDesk(MongoHeirs(db, cipher), identity.people, deaths.get, now),
        safety=safety,
        consent=consent,
        assisted=AssistedConsentService(consents, licences, now, new_id),
        access=access,
        askings=AskingBook(MongoAskings(db), blind.label_token, now, REQUEST_STAYS_OPEN),
        emergencies=build_emergencies(
            MongoEmergencies(db, cipher),
            consents,
            licences,
            reminding,
            identity,
            safety.hidden_for,
            MongoRestrictions(db).holds,
            record_id_with(blind),
            now,
        ),
        visit_codes=VisitCodeService(MongoVisitCodes(db), lambda code: blind.of("visit_code", code), now),
        receipt_signing=lambda: _receipt_signing(keys),
        book=Book(Readers(reading), taking, IntakeOfMany(intake, together), OwnEntries(own), Who2006()),
        reminding=reminding,
        limits=build_limits(settings, db, blind),
        turns=MongoTurns(db),
        breaches=BreachRegister(MongoBreaches(db, cipher), now),
        telling=build_telling(settings, db, keys, log, identity, now),
        rights=build_rights(db, cipher, identity, consent, log, now, restrictions, merging.books_of),
        correcting=build_correcting(
            db,
            cipher,
            records,
            consents.note_hiding,
            reminding,
            identity,
            safety.hidden_for,
            record_id_with(blind),
            now,
        ),
        sharing=build_sharing(db, cipher, identity, records, log, now, merging.books_with),
        parking=parking,
        card_doses=CardDoses(records, log, now),
        exports=build_exports(settings, db, cipher, keys, identity, records, log, now, merging.books_with),
    )


def _identity(
    settings: Settings,
    db: Db,
    keys: KeyStore,
    cipher: CitizenCipher,
    citizens: PlannedCitizens,
    log: AccessLog,
    now: Callable[[], datetime],
) -> Identity:
    stores = IdentityStores(
        citizens=citizens,
        reviews=MongoReviews(db),
        guardianships=MongoGuardianships(db, cipher),
        organisations=MongoOrganisations(db),
        rosters=MongoRosters(db),
        clients=MongoClients(db),
        sessions=MongoSessions(db),
        attempts=MongoLoginAttempts(db),
        codes=MongoCodes(db),
        jtis=MongoJtis(db),
    )
    tell_theft = theft_teller(MongoInbox(db, cipher), MongoPreferences(db, cipher), now, log)
    return build_identity(
        settings,
        stores,
        keys,
        now=now,
        new_id=new_id,
        tell_theft=tell_theft,
        tell_crowded=crowd_teller(now, log),
        tell_started=start_teller(log),
    )


def _readiness(settings: Settings, db: Db, now: Callable[[], datetime]) -> Readiness:
    folder = settings.embedded_path if settings.embedded else None
    return Readiness(MongoProbe(db), folder, settings.disk_reserve, now)


def _receipt_signing(keys: KeyStore) -> Signing:
    signer = keys.signer("receipt")
    return Signing(signer.kid, signer.sign)
