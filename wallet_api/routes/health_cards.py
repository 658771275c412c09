"""SMART Health Cards of a book's vaccinations, and the keys that anybody checks them with."""

from __future__ import annotations

from typing import Any, Final

from flask import Response
from flask.views import MethodView

from consent.rules import check_actor
from wallet_api.context import caller, services, viewer
from wallet_api.infra.qr import pictures
from wallet_api.records.card_doses import Doses, Wanted
from wallet_api.records.errors import BookChanged, RecordNotFound
from wallet_api.records.health_card import Card, Holder, make_cards
from wallet_api.routes.guarded import GuardedBlueprint, anybody, citizen_only, step_up
from wallet_api.routes.handover import hold_until
from wallet_api.routes.idempotency import once
from wallet_api.routes.limits import spend
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.health_cards import HealthCardForm, HealthCardsSchema
from wallet_api.routes.schemas.lists import KeySetSchema
from wallet_api.routes.subjects import Subject, actor, subject

ISSUER: Final = "/cards"
"""Below the public address. The standard looks for keys at `/.well-known/jwks.json` below the issuer, where
only the keys of cards may be: tokens are signed with others."""
_LARGEST_QR: Final = 22

health_cards = GuardedBlueprint(
    "health-cards",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>/cards",
    guard=citizen_only,
    budget="citizen",
    description="SMART Health Cards of vaccinations, for any verifier of the standard.",
)
card_issuer = GuardedBlueprint(
    "card-issuer",
    __name__,
    url_prefix=f"{ISSUER}/.well-known",
    guard=anybody,
    budget="public",
    description="The issuer of health cards: its keys.",
)


@health_cards.route("")
class HealthCards(MethodView):
    """Health cards."""

    @health_cards.doc(operationId="makeHealthCards")
    @health_cards.arguments(HealthCardForm, example=examples.HEALTH_CARD)
    @health_cards.response(201, HealthCardsSchema, headers={"Cache-Control": {"schema": {"type": "string"}}})
    @health_cards.alt_response(409)
    @once
    def post(self, form: dict[str, Any], citizen: str) -> Any:
        """Sign vaccinations for showing to others; kept nowhere. Needs a sign-in of the last five minutes.

        Each card fits one QR code; what does not fit the first is on the next. What is hidden, disputed or
        restricted is on none. For a child of seven or more a guardian cannot do it alone.
        """
        step_up()
        who = subject(citizen)
        check_actor(actor(who), services().now())
        spend("share")
        named = None if form["record_ids"] is None else tuple(form["record_ids"])
        wanted = Wanted(who.citizen_id, who.relation, named, who.others)
        doses = services().card_doses.look(viewer(), wanted)
        _hold(who, wanted, doses)
        return _told(who, doses), {"Cache-Control": "no-store"}


@card_issuer.route("/jwks.json")
class HealthCardKeys(MethodView):
    """The keys health cards are signed with."""

    @card_issuer.doc(operationId="getHealthCardKeys")
    @card_issuer.response(200, KeySetSchema)
    def get(self) -> dict[str, Any]:
        """Every key a health card may be signed with, old ones too, where verifiers look for them."""
        return dict(services().keys.jwks("health_card"))


@card_issuer.after_request
def _for_any_origin(answer: Response) -> Response:
    # The standard asks for it: verifiers run in browsers, and these keys are everybody's.
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer


def _told(who: Subject, doses: Doses) -> dict[str, Any]:
    profile, now = services().identity.people.profile(who.citizen_id), services().now()
    issuer = f"{services().settings.public_url}{ISSUER}"
    holder = Holder(profile.name, profile.birth_date)
    made = make_cards(services().keys.signer("health_card"), issuer, holder, doses.told, now)
    return {
        "issuer": issuer,
        "issued_at": now,
        "cards": [_card(each) for each in made],
        "left_out": list(doses.left_out),
    }


def _card(card: Card) -> dict[str, Any]:
    drawn = pictures("shc:/", card.numeric, _LARGEST_QR)
    return {
        "card": card.jws,
        "qr": card.text,
        "svg": drawn.svg,
        "png": drawn.png,
        "record_ids": list(card.records),
    }


def _hold(who: Subject, wanted: Wanted, doses: Doses) -> None:
    """The last look: a guardian still acts for the child, and what is told may still be told."""
    own = caller().subject_id

    def check() -> Exception | None:
        now = services().now()
        if who.relation == "guardian" and not services().identity.family.acts_for(own, who.citizen_id, now):
            return RecordNotFound("ended")
        return None if services().card_doses.unchanged(wanted, doses.told) else BookChanged(who.citizen_id)

    hold_until(check)
