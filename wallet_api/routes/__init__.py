"""HTTP: one guarded blueprint a file. A view is one sentence: schema in, one call, schema out."""

from __future__ import annotations

from flask import Blueprint

from wallet_api.routes.accounts import accounts
from wallet_api.routes.births import births, numbers
from wallet_api.routes.breaches import breaches
from wallet_api.routes.campaigns import approvals, campaigns
from wallet_api.routes.changes import changes
from wallet_api.routes.citizens import citizens
from wallet_api.routes.co_consents import co_consents
from wallet_api.routes.consents import consents
from wallet_api.routes.correction_answers import correction_answers
from wallet_api.routes.corrections import corrections
from wallet_api.routes.dead_letters import dead_letters
from wallet_api.routes.deaths import death_reports, death_reviews
from wallet_api.routes.disputes import disputes
from wallet_api.routes.emergency import emergency
from wallet_api.routes.emergency_reviews import reviews
from wallet_api.routes.erasures import erasures, holders, overdue
from wallet_api.routes.events import events
from wallet_api.routes.exports import exports
from wallet_api.routes.family import family
from wallet_api.routes.family_desk import family_desk
from wallet_api.routes.fhir_audit_events import fhir_audit_events
from wallet_api.routes.fhir_consents import fhir_consents
from wallet_api.routes.fhir_metadata import fhir_metadata
from wallet_api.routes.fhir_patients import fhir_patients
from wallet_api.routes.fhir_records import fhir_records
from wallet_api.routes.fhir_summary import fhir_summary
from wallet_api.routes.granted_series import granted_series
from wallet_api.routes.grants import grants
from wallet_api.routes.guarded import GuardedBlueprint
from wallet_api.routes.health import health
from wallet_api.routes.health_cards import card_issuer, health_cards
from wallet_api.routes.heirs import bequests, heir_reports, heir_reviews
from wallet_api.routes.kindness import kindness
from wallet_api.routes.log_proofs import log_proofs
from wallet_api.routes.merging import merge_proposals, merge_reviews, own_merges
from wallet_api.routes.mismatches import mismatches
from wallet_api.routes.objections import objections
from wallet_api.routes.observing import observing
from wallet_api.routes.ops import ops, registry
from wallet_api.routes.organisations import organisations
from wallet_api.routes.pages import pages
from wallet_api.routes.parked import parked
from wallet_api.routes.provider import provider
from wallet_api.routes.public import code_systems, directory, proofs
from wallet_api.routes.rebuilds import rebuilds
from wallet_api.routes.records import records
from wallet_api.routes.reminders import reminders
from wallet_api.routes.rights import rights
from wallet_api.routes.rights_desk import rights_desk
from wallet_api.routes.safety import flagging, safety_desk
from wallet_api.routes.session_days import communes, own_commune, session_desk
from wallet_api.routes.share_links import share_links
from wallet_api.routes.shares import shares
from wallet_api.routes.station import station
from wallet_api.routes.webhooks import webhooks
from wallet_api.routes.writing import writing

BLUEPRINTS: tuple[GuardedBlueprint, ...] = (
    citizens,
    log_proofs,
    family,
    objections,
    records,
    changes,
    pages,
    consents,
    co_consents,
    grants,
    reminders,
    kindness,
    own_commune,
    communes,
    session_desk,
    provider,
    granted_series,
    station,
    flagging,
    events,
    holders,
    emergency,
    writing,
    ops,
    rebuilds,
    campaigns,
    approvals,
    registry,
    organisations,
    family_desk,
    safety_desk,
    webhooks,
    overdue,
    accounts,
    births,
    numbers,
    death_reports,
    death_reviews,
    merge_proposals,
    merge_reviews,
    own_merges,
    heir_reports,
    heir_reviews,
    bequests,
    erasures,
    breaches,
    rights,
    rights_desk,
    corrections,
    correction_answers,
    disputes,
    mismatches,
    parked,
    dead_letters,
    shares,
    share_links,
    health_cards,
    exports,
    reviews,
    fhir_consents,
    fhir_audit_events,
    fhir_metadata,
    fhir_patients,
    fhir_records,
    fhir_summary,
    code_systems,
    proofs,
    card_issuer,
    directory,
)
PLAIN_BLUEPRINTS: tuple[Blueprint, ...] = (health, observing)

PUBLIC: dict[str, str] = {
    "health.alive": "a load balancer asks, and learns nothing else",
    "health.ready": "a load balancer asks, and learns nothing else",
    "observing.numbers": "counts for Prometheus; in production it asks for a token of its own",
    "health.home": "says what this is; no data",
    "health.docs": "documentation",
    "health.docs_start": "documentation",
    "health.docs_file": "documentation",
    "code-systems.CodeSystem": "published code lists",
    "fhir-metadata.Capabilities": "published metadata",
    "proofs.ReceiptKeys": "published public keys",
    "proofs.CardKeys": "published public keys",
    "proofs.EventKeys": "published public keys",
    "proofs.CheckpointKeys": "published public keys",
    "card-issuer.HealthCardKeys": "published public keys",
    "share-links.Manifest": "whoever holds a share link; guarded by its 256 bits, a passcode and counts",
    "share-links.SharedFile": "what a manifest names; guarded likewise, and by a sealed ticket",
    "api-docs.openapi_json": "documentation",
    "oauth.authorize": "where signing in begins",
    "oauth.vneid_callback": "where VNeID sends the browser back; guarded by state, cookie and PKCE",
    "oauth.ops_callback": "where the ops provider sends the browser back; guarded likewise",
    "oauth.token": "clients prove themselves in the request itself",
    "oauth.revoke": "whoever holds a refresh token may end it",
    "oauth.metadata": "published metadata",
    "oauth.smart_configuration": "published metadata",
    "oauth.jwks": "published public keys",
}
"""Routes open to strangers, each with its reason; a census refuses any other."""
