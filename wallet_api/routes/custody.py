"""What follows from a guardianship's end, and who has to hear of it."""

from __future__ import annotations

from wallet_api.audit.model import Action
from wallet_api.context import log_act, services
from wallet_api.identity.ages import AGES, has_reached
from wallet_api.identity.errors import CitizenUnknown
from wallet_api.identity.model import Guardianship
from wallet_api.infra.clock import vn_day
from wallet_api.routes.family_news import tell


def close_guardianship(found: Guardianship, reason: str) -> Guardianship:
    """End it, and suspend what the guardian had signed for the other person. In force when this returns.

    First nobody can sign any more, then what was signed stops: doing it again finishes what was broken off.
    """
    kit, whose = services(), found.dependent_id
    ended = kit.identity.family.end(found.id, reason)
    for grant in kit.consent.suspend_signed_by(whose, found.guardian_id, "custody_ended"):
        log_act(
            Action.CONSENT_SUSPENDED,
            whose,
            reason="custody_ended",
            grant_id=grant.id,
            organisation_id=grant.scope.organisation_id,
            purpose=grant.scope.purpose,
        )
    log_act(Action.GUARDIANSHIP_ENDED, whose, reason=reason)
    kit.reminding.planning.replan(whose)
    if found.state == "active":
        tell("guardianship_ended", [*concerned(found), found.guardian_id], whose)
    return ended


def concerned(found: Guardianship) -> list[str]:
    """Who is told of a guardianship: the other guardians of today, and the person acted for from seven on."""
    kit, now = services(), services().now()
    others = [each.guardian_id for each in kit.identity.family.guardians_of(found.dependent_id, now)]
    told = [each for each in others if each != found.guardian_id]
    try:
        born = kit.identity.people.facts(found.dependent_id).born
    except CitizenUnknown:
        return told
    old_enough = has_reached(born, AGES.co_consent, vn_day(now))
    return [*told, found.dependent_id] if old_enough else told
