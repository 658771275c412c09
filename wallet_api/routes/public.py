"""What anybody signed in or not may read: code lists, consent texts, who is who."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from consent.codes import NAMES, code_list
from consent.notices import Notice
from notifications.conditions import kinds
from wallet_api.context import services
from wallet_api.errors import codes, language, texts
from wallet_api.identity.model import Organisation
from wallet_api.records.errors import RecordNotFound
from wallet_api.routes.guarded import GuardedBlueprint, anybody, signed_in
from wallet_api.routes.schemas.base import Code, StrictSchema, Text, listed
from wallet_api.routes.schemas.consents import NoticeSchema
from wallet_api.routes.schemas.lists import CodePage, KeySetSchema
from wallet_api.routes.schemas.organisations import OrganisationPage

code_systems = GuardedBlueprint(
    "code-systems",
    __name__,
    url_prefix="/api/v1/code-systems",
    guard=anybody,
    budget="public",
    description="Every code this API uses, with Vietnamese and English names.",
)
proofs = GuardedBlueprint(
    "proofs",
    __name__,
    url_prefix="/.well-known",
    guard=anybody,
    budget="public",
    description="Public keys for checking our proofs offline.",
)
directory = GuardedBlueprint(
    "directory",
    __name__,
    url_prefix="/api/v1",
    guard=signed_in,
    budget="member",
    description="Consent texts and organisations.",
)


@code_systems.route("/<name>")
class CodeSystem(MethodView):
    """One code list."""

    @code_systems.doc(operationId="getCodeSystem")
    @code_systems.response(200, CodePage)
    def get(self, name: str) -> dict[str, Any]:
        """purposes, categories, labels, frequencies, refusal-reasons, states, circumstances or errors."""
        if name == "errors":
            vi, en = texts("vi"), texts("en")
            items = [
                {"code": code, "vi": vi[code]["title"], "en": en[code]["title"]} for code in sorted(codes())
            ]
            return listed(items) | {"id": name, "source": "Our own list"}
        if name == "circumstances":
            stated = [kinds().by_id[code] for code in kinds().stated]
            items = [{"code": one.id, "vi": one.title["vi"], "en": one.title["en"]} for one in stated]
            return listed(items) | {"id": name, "source": "Our own list"}
        if name not in NAMES:
            raise RecordNotFound(name)
        found = code_list(name)
        items = [{"code": one.code, "vi": one.vi, "en": one.en} for one in found.codes.values()]
        return listed(items) | {"id": found.id, "source": found.source}


@proofs.route("/receipt-jwks.json")
class ReceiptKeys(MethodView):
    """The keys receipts are signed with."""

    @proofs.doc(operationId="getReceiptKeys")
    @proofs.response(200, KeySetSchema)
    def get(self) -> dict[str, Any]:
        """Every key a receipt may be signed with, old ones too: what `python -m consent verify` takes."""
        return dict(services().keys.jwks("receipt"))


@proofs.route("/event-jwks.json")
class EventKeys(MethodView):
    """The keys pushed events are signed with."""

    @proofs.doc(operationId="getEventKeys")
    @proofs.response(200, KeySetSchema)
    def get(self) -> dict[str, Any]:
        """Every key a pushed event may be signed with. Fetch it again for a `kid` that is not in it."""
        return dict(services().keys.jwks("event"))


@proofs.route("/checkpoint-jwks.json")
class CheckpointKeys(MethodView):
    """The keys checkpoints of the access log are signed with."""

    @proofs.doc(operationId="getCheckpointKeys")
    @proofs.response(200, KeySetSchema)
    def get(self) -> dict[str, Any]:
        """Every key a checkpoint may be signed with (Ed25519), old ones too: what the log verifier takes."""
        return dict(services().keys.jwks("checkpoint"))


@proofs.route("/card-jwks.json")
class CardKeys(MethodView):
    """The keys emergency cards are signed with."""

    @proofs.doc(operationId="getCardKeys")
    @proofs.response(200, KeySetSchema)
    def get(self) -> dict[str, Any]:
        """Every key a card may be signed with, old ones too. Keep a copy for times without a net."""
        return dict(services().keys.jwks("card"))


class LocaleQuery(StrictSchema):
    """Which language; by default the reader's."""

    locale = Code(("vi", "en"), load_default=None)


class OrganisationQuery(StrictSchema):
    """Words of an organisation's name, with or without diacritics."""

    query = Text(longest=100, required=True)


@directory.route("/notices/<purpose>")
class NoticeText(MethodView):
    """A consent text."""

    @directory.doc(operationId="getNotice")
    @directory.arguments(LocaleQuery, location="query")
    @directory.response(200, NoticeSchema)
    def get(self, query: dict[str, Any], purpose: str) -> Notice:
        """The text in force for a purpose, with its version and hash."""
        return services().consent.notice(purpose, query["locale"] or language())


@directory.route("/organisations")
class OrganisationSearch(MethodView):
    """Who is who."""

    @directory.doc(operationId="searchOrganisations")
    @directory.arguments(OrganisationQuery, location="query")
    @directory.response(200, OrganisationPage)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """Organisations whose name has these words."""
        found: list[Organisation] = services().identity.organisations.search(query["query"])
        return {"items": found, "next_cursor": None}
