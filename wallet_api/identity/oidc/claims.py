"""From an ID token's claims to a person or an ops member. Claim names are configuration."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from wallet_api.identity.errors import BadIdentifier, ClaimsRefused
from wallet_api.identity.identifiers import normal_form
from wallet_api.identity.model import ROLES, Account, Profile, Role, Sex
from wallet_api.identity.oauth.model import SignedIn
from wallet_api.identity.people import PersonClaims
from wallet_api.infra.ids import id_from_bytes

_SEXES: Mapping[str, Sex] = {"male": "male", "female": "female", "nam": "male", "nữ": "female"}
_LONGEST_NAME = 255
_LONGEST_PHONE = 20


def account_of(claims: Mapping[str, Any]) -> Account:
    """The account the token speaks of: the pair (iss, sub)."""
    return Account(str(claims["iss"]), str(claims["sub"]))


def person_claims(claims: Mapping[str, Any], names: Mapping[str, str]) -> PersonClaims:
    """What the provider says about the person; `names` maps our words to its claim names.

    Raises:
        ClaimsRefused: no usable name or birth date, or a malformed number.
    """
    name, number, phone = (_text(claims.get(names[word])) for word in ("name", "number", "phone"))
    born = _day(_text(claims.get(names["birth_date"])))
    if not name or len(name) > _LONGEST_NAME or born is None:
        raise ClaimsRefused("name or birth date")
    sex = _SEXES.get((_text(claims.get(names["sex"])) or "").lower(), "unknown")
    profile = Profile(name=name, birth_date=born, sex=sex, phone=phone[:_LONGEST_PHONE] if phone else None)
    try:
        return PersonClaims(profile, normal_form("national_id", number) if number else None)
    except BadIdentifier as why:
        raise ClaimsRefused("number") from why


def ops_member(claims: Mapping[str, Any]) -> SignedIn:
    """A member of the ops team with the roles we know of.

    Raises:
        ClaimsRefused: not one known role.
    """
    told = claims.get("roles")
    roles: frozenset[Role] = frozenset(role for role in ROLES if isinstance(told, list) and role in told)
    if not roles:
        raise ClaimsRefused("roles")
    account = account_of(claims)
    seed = hashlib.sha256(f"{account.issuer}\x00{account.subject}".encode()).digest()
    return SignedIn("ops", id_from_bytes(seed[:16]), level(claims), authenticated_at(claims), roles)


def level(claims: Mapping[str, Any]) -> str:
    """The assurance level, empty when the provider tells none."""
    return _text(claims.get("acr")) or ""


def authenticated_at(claims: Mapping[str, Any]) -> datetime:
    """When the person authenticated (verified before)."""
    return datetime.fromtimestamp(int(claims["auth_time"]), UTC)


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    text = unicodedata.normalize("NFC", value).strip()
    return text if text and text.isprintable() else None


def _day(text: str | None) -> date | None:
    if text is None or len(text) != len("YYYY-MM-DD"):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
