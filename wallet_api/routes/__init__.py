"""HTTP: one guarded blueprint a file. A view is one sentence: schema in, one call, schema out."""

from __future__ import annotations

from flask import Blueprint

from wallet_api.routes.breaches import breaches
from wallet_api.routes.citizens import citizens
from wallet_api.routes.consents import consents
from wallet_api.routes.guarded import GuardedBlueprint
from wallet_api.routes.health import health
from wallet_api.routes.observing import observing
from wallet_api.routes.ops import ops, registry
from wallet_api.routes.provider import provider
from wallet_api.routes.public import code_systems, directory, proofs
from wallet_api.routes.records import records
from wallet_api.routes.reminders import reminders
from wallet_api.routes.writing import writing

BLUEPRINTS: tuple[GuardedBlueprint, ...] = (
    citizens,
    records,
    consents,
    reminders,
    provider,
    writing,
    ops,
    registry,
    breaches,
    code_systems,
    proofs,
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
    "proofs.ReceiptKeys": "published public keys",
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
