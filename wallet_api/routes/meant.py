"""Whom a provider means by a number or a code, at a cost that does not tell whether there is anybody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from consent.ports import Spend
from wallet_api.context import services
from wallet_api.errors import Refusal
from wallet_api.identity.identifiers import look_up_key
from wallet_api.infra.crypto.framing import from_base64url
from wallet_api.infra.ids import id_from_bytes
from wallet_api.routes.blur import blur
from wallet_api.routes.limits import spend
from wallet_api.routes.references import organisation_id


@dataclass(frozen=True)
class Meant:
    """Whom a form means, and what it costs to have been told so.

    `person_id` is None where nobody was found. `nobody_id` is an id that nobody has, the same each time this
    organisation asks for the same: it takes the person's place for whom nothing may happen. `asked` names
    what was asked for, not whose it is: the number, or the person behind a code that was shown.
    """

    person_id: str | None
    nobody_id: str
    asked: str
    spend: Spend | None = None

    @property
    def citizen_id(self) -> str:
        """The person's id, or nobody's: all that follows is the same."""
        return self.person_id or self.nobody_id


Count = Callable[[str], None]
"""Counts that somebody is asked for, by what was asked; raises when it is too often."""


def meant(form: dict[str, str], count: Count) -> Meant:
    """Whom a form means: exactly one of a visit code, a national number, an insurance number.

    Raises:
        Refusal: not exactly one. BadIdentifier: a malformed number. VisitCodeInvalid: no live code.
        LimitReached: too many look-ups, guesses, or asking for the same too often.
    """
    if len(form) != 1:
        raise Refusal("invalid_fields", 422, [{"pointer": "/citizen", "code": "exactly_one", "message": ""}])
    ((kind, value),) = form.items()
    if kind == "visit_code":
        return _shown(value, count)
    spend("lookup")
    # Counted by what was asked, never by whose it is: the absent are asked as often as anybody.
    asked = f"{kind}|{look_up_key(kind, value)}"  # type: ignore[arg-type]  # the schema names the kinds
    count(asked)
    known = services().identity.people.whose(kind, value)  # type: ignore[arg-type]  # as above
    blur()
    return Meant(known, nobody(asked), asked)


def _shown(code: str, count: Count) -> Meant:
    """Whose visit code it is. A guess counts until it has turned out right."""
    spend("visit_try")
    spend("visit_guess")
    codes = services().visit_codes
    shown = codes.shown(code)
    asked = f"shown|{shown.citizen_id}"
    count(asked)
    return Meant(shown.citizen_id, nobody(asked), asked, lambda unit: codes.use(shown, unit))


def nobody(asked: str) -> str:
    """The id that stands in, for this organisation, for whoever it asks for and does not find."""
    named = f"nobody|{len(organisation_id())}|{organisation_id()}|{asked}"
    return id_from_bytes(from_base64url(services().blind.label_token(named)))
