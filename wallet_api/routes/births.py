"""Newborns without a number, and the numbers people get later, or anew."""

from __future__ import annotations

import time
from typing import Any

from flask.views import MethodView

from consent.errors import NotLicensed
from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services
from wallet_api.errors import Refusal
from wallet_api.identity.births import RULES, Newborn, Registered
from wallet_api.identity.errors import CitizenUnknown, IdentityConflict
from wallet_api.identity.identifiers import fits_person
from wallet_api.identity.model import Profile
from wallet_api.infra.clock import vn_day
from wallet_api.routes.blur import level
from wallet_api.routes.family_news import tell
from wallet_api.routes.guarded import GuardedBlueprint, ops_only, practitioner_only, provider_only
from wallet_api.routes.idempotency import act_id, again, note, once
from wallet_api.routes.limits import spend
from wallet_api.routes.references import organisation_id
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.births import BirthForm, BirthSchema, NumberLinkForm, NumberLinkSchema

births = GuardedBlueprint(
    "births",
    __name__,
    url_prefix="/api/v1/provider",
    guard=provider_only,
    budget="provider",
    description="Newborns who have no number yet.",
)
numbers = GuardedBlueprint(
    "numbers",
    __name__,
    url_prefix="/api/v1/ops",
    guard=ops_only("registrar"),
    budget="ops",
    description="Newborns registered at the desk; numbers linked and re-issued.",
)


@births.route("/births")
class Births(MethodView):
    """Births at a facility."""

    @births.doc(operationId="registerBirth")
    @births.arguments(BirthForm, example=examples.BIRTH)
    @births.response(201, BirthSchema)
    @once
    def post(self, form: dict[str, Any]) -> dict[str, Any]:
        """Give a newborn a book. Its mother, where number and birth date fit, becomes its guardian at once.

        Registering the same birth again, here or elsewhere, answers the same and makes no second child. The
        answer does not tell whether the mother is known. For facilities that may send immunizations.
        """
        practitioner_only()
        where = services().identity.organisations.get(organisation_id())
        licensed = RULES.written_category in where.licence.write_categories
        if where.kind not in RULES.organisation_kinds or not licensed:
            raise NotLicensed(where.id)
        said = _newborn(form)
        spend("birth", f"{where.id}|{caller().practitioner_id}")
        began = time.monotonic()
        made = _registered(said, str(caller().practitioner_id), where.id)
        level(began, RULES.answer_ms)  # a guardian takes a few writes more than none
        return made


@numbers.route("/births")
class BirthsAtTheDesk(MethodView):
    """Births that are brought to a registrar."""

    @numbers.doc(operationId="registerBirthAtDesk")
    @numbers.arguments(BirthForm, example=examples.BIRTH)
    @numbers.response(201, BirthSchema)
    @once
    def post(self, form: dict[str, Any]) -> dict[str, Any]:
        """The same for a birth whose papers a registrar has seen."""
        return _registered(_newborn(form), caller().subject_id, None)


@numbers.route("/number-links")
class NumberLinks(MethodView):
    """Numbers people get."""

    @numbers.doc(operationId="linkNumber")
    @numbers.arguments(NumberLinkForm, example=examples.NUMBER_LINK)
    @numbers.response(201, NumberLinkSchema)
    @numbers.alt_response(404)
    @numbers.alt_response(409)
    @once
    def post(self, form: dict[str, Any]) -> dict[str, Any]:
        """Link the first number of a newborn, or the one that replaces another.

        Records, reminders, guardians and the log stay as they are. What is sent under the older number or
        the reference goes on reaching this book, and neither is ever anybody else's. The person and the
        guardians are told. A number that is another person's is refused, and somebody looks at it.
        """
        people, reason = services().identity.people, form["evidence_kind"]
        citizen_id, reissued = _named(form)
        profile = people.profile(citizen_id)
        today = vn_day(services().now())
        since = form["since"] or (profile.birth_date if not reissued else today)
        if not profile.birth_date <= since <= today:
            raise Refusal("invalid_fields", 422, [_fault("/since")])
        changed = _changes(citizen_id, form["national_id"])
        # Logged before it stands: with the number somebody may sign in.
        log_act(Action.NUMBER_LINKED, citizen_id, reason=reason)
        try:
            people.link_number(citizen_id, form["national_id"], since, reissued=reissued)
        except IdentityConflict:
            log_act(Action.NUMBER_LINKED, citizen_id, reason="conflict", refused=True)
            raise
        if changed:
            guardians = services().identity.family.guardians_of(citizen_id, services().now())
            for each in dict.fromkeys([citizen_id, *(one.guardian_id for one in guardians)]):
                tell("number_linked", [each], citizen_id, act_id(f"message for {each}"))
        fits = fits_person(form["national_id"], profile.sex, profile.birth_date)
        return {"changed": changed, "fits": fits}


def _newborn(form: dict[str, Any]) -> Newborn:
    child, mother, paper = form["newborn"], form["mother"], form["paper"]
    if not services().births.is_newborn(child["birth_date"]):
        raise Refusal("invalid_fields", 422, [_fault("/newborn/birth_date")])
    return Newborn(
        child=Profile(child["name"], child["birth_date"], child["sex"], None, child["province"]),
        birth_order=child["birth_order"],
        mother_number=mother["national_id"],
        mother_born=mother["birth_date"],
        paper_kind=paper["kind"],
        paper_number=paper["number"],
    )


def _registered(said: Newborn, by: str, where: str | None) -> dict[str, Any]:
    def journal(child_id: str, mother_id: str, evidence: str) -> None:
        log_act(Action.GUARDIANSHIP_STARTED, child_id, reason=evidence)

    made = services().births.register(said, by, where, journal)
    log_act(Action.BIRTH_REGISTERED, made.child_id, reason=said.paper_kind)
    _tell_mother(made)
    return {
        "birth_reference": made.reference,
        "birth_date": said.child.birth_date,
        "birth_order": said.birth_order,
    }


def _tell_mother(made: Registered) -> None:
    """Once, when she becomes the guardian; from then on what is due for the child is told to her."""
    if made.guardianship is None or made.mother_id is None:
        return
    services().reminding.planning.replan(made.child_id)
    log_act(Action.BIRTH_REGISTERED, made.mother_id, reason="mother")
    tell("birth_registered", [made.mother_id], made.child_id, act_id("message"))


def _named(form: dict[str, Any]) -> tuple[str, bool]:
    """Who is meant, and whether a number of theirs is replaced.

    Raises:
        Refusal: not exactly one name. CitizenUnknown: nobody, or somebody of another birth date; both alike.
    """
    if len(form["person"]) != 1:
        raise Refusal("invalid_fields", 422, [_fault("/person", "exactly_one")])
    people = services().identity.people
    ((kind, value),) = form["person"].items()
    found = people.whose(kind, value)
    if found is None or people.facts(found).born != form["birth_date"]:
        log_act(Action.NUMBER_LINKED, None, reason="unknown_person", refused=True)
        raise CitizenUnknown("no such citizen")
    return found, kind == "national_id"


def _changes(citizen_id: str, number: str) -> bool:
    """Whether the number is new to the person; sent again with its key, whether it was the first time."""
    noted = again() or {}
    if "changes" not in noted:
        theirs = services().identity.people.whose("national_id", number) == citizen_id
        noted = {"changes": "no" if theirs else "yes"}
        note(**noted)
    return noted["changes"] == "yes"


def _fault(pointer: str, code: str = "day_range") -> dict[str, str]:
    return {"pointer": pointer, "code": code, "message": ""}
