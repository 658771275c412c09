"""A FHIR Consent that a citizen brings along, as the scope of a standing grant: all of it, or nothing.

Whatever our grants cannot keep is refused with its reason and its place; nothing is left out in silence, a
denial least of all. What it may not say at all, `reading.py` has refused before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from consent.codes import CATEGORIES as OUR_CATEGORIES
from consent.codes import LABELS, PURPOSES
from consent.errors import UnknownCode
from consent.fhir.exporting import USES, notice_uri, record_reference
from consent.fhir.model import Coding, PrivacyConsent, Provision
from consent.fhir.reading import ConsentUnreadable, Fault, read_consent
from consent.fhir.vocabulary import ACT_REASON, CATEGORIES, EXTENSION, label_system
from consent.model import AccessMode, Answer, Period, Scope
from consent.notices import LOCALES, notice_for

MODIFIERS = frozenset({USES})
_LABEL_OF = {Coding(label_system(each), each): each for each in LABELS.codes}


@dataclass(frozen=True)
class Proposed:
    """What the citizen wants to give, and the text they say they saw."""

    patient: str
    performers: tuple[str, ...]
    scope: Scope
    answer: Answer


def proposal_of(raw: object, url: str, now: datetime) -> Proposed:
    """The standing grant that a FHIR Consent describes. `url`: where this wallet is.

    Raises:
        ConsentUnreadable: with every reason why it does not become one.
    """
    consent = read_consent(raw, MODIFIERS)
    root = consent.provision
    faults: list[Fault] = []
    if consent.status not in ("active", "proposed"):
        faults.append(Fault("Consent.status", "not_a_proposal"))
    if root.type != "permit":
        faults.append(Fault("Consent.provision.type", "denial_not_taken"))
    organisation, practitioner = _recipient(root, faults)
    scope = Scope(
        organisation_id=organisation,
        practitioner_id=practitioner,
        purpose=_purpose(root, faults),
        categories=_categories(root, faults),
        record_period=root.restriction.data_period or Period(),
        expires_at=_end(root, now, faults),
        uses=_uses(raw, faults),
        labels=_labels(raw, root, faults),
        record_ids=_records(root, url, faults),
        mode=_mode(raw, faults),
    )
    answer = _answer(consent, scope.purpose, url, faults)
    if faults or answer is None:
        raise ConsentUnreadable(faults)
    return Proposed(consent.patient, consent.performers, scope, answer)


def _recipient(root: Provision, faults: list[Fault]) -> tuple[str, str | None]:
    kind, _, name = (root.actors[0] if len(root.actors) == 1 else "").partition("/")
    organisation, _, practitioner = name.partition(".")
    if kind == "Organization" and organisation and not practitioner:
        return organisation, None
    if kind == "PractitionerRole" and organisation and practitioner:
        return organisation, practitioner
    faults.append(Fault("Consent.provision.actor", "exactly_one_recipient"))
    return "", None


def _purpose(root: Provision, faults: list[Fault]) -> str:
    known = [each.code for each in root.purposes if each.system == ACT_REASON and each.code in PURPOSES]
    if len(root.purposes) != 1 or len(known) != 1:
        faults.append(Fault("Consent.provision.purpose", "exactly_one_known"))
        return ""
    return known[0]


def _categories(root: Provision, faults: list[Fault]) -> frozenset[str]:
    labels = root.restriction.labels
    found = {each.code for each in labels if each.system == CATEGORIES and each.code in OUR_CATEGORIES}
    if not labels or len(found) != len(set(labels)):
        faults.append(Fault("Consent.provision.securityLabel", "categories_expected"))
    return frozenset(found)


def _labels(raw: object, root: Provision, faults: list[Fault]) -> frozenset[str]:
    """Opened only where an extension says so and no exception shuts it; all others stay shut."""
    shut: set[str] = set()
    for at, each in enumerate(root.nested):
        of_labels = {_LABEL_OF[label] for label in each.restriction.labels if label in _LABEL_OF}
        whole = each.restriction.labels and len(of_labels) == len(set(each.restriction.labels))
        more = each.purposes or each.actors or each.restriction.data or each.restriction.data_period
        if each.type != "deny" or not whole or more or each.span.start or each.span.end:
            faults.append(Fault(f"Consent.provision.provision[{at}]", "exception_not_taken"))
        shut |= of_labels
    said = _extension_values(raw, "opened-label", "valueCode")
    opened = {each for each in said if isinstance(each, str) and each in LABELS}
    if len(opened) != len(said) or opened & shut:
        faults.append(Fault("Consent.extension", "unknown_label"))
    return frozenset(opened - shut)


def _records(root: Provision, url: str, faults: list[Fault]) -> frozenset[str] | None:
    if not root.restriction.data:
        return None
    start = record_reference(url, "")
    mine = [each for each in root.restriction.data if each.meaning == "instance"]
    found = {each.reference.removeprefix(start) for each in mine if each.reference.startswith(start)}
    if len(found) != len(set(root.restriction.data)):
        faults.append(Fault("Consent.provision.data", "own_records_expected"))
    return frozenset(found)


def _end(root: Provision, now: datetime, faults: list[Fault]) -> datetime:
    """The end of the grant, exclusive here and inclusive there: never later."""
    if root.span.start is not None and root.span.start > now:
        faults.append(Fault("Consent.provision.period.start", "starts_later"))
    if root.span.end is None:
        faults.append(Fault("Consent.provision.period.end", "missing"))
        return now
    # To the millisecond, which is what is kept: the grant answered is the grant read back.
    return root.span.end.replace(microsecond=root.span.end.microsecond // 1000 * 1000)


def _uses(raw: object, faults: list[Fault]) -> int | None:
    found = _extension_values(raw, "uses", "valuePositiveInt", "modifierExtension")
    if not found:
        return None
    if len(found) > 1 or not isinstance(found[0], int) or isinstance(found[0], bool) or found[0] < 1:
        faults.append(Fault("Consent.modifierExtension", "malformed"))
        return 1
    return found[0]


def _mode(raw: object, faults: list[Fault]) -> AccessMode:
    found = _extension_values(raw, "access-mode", "valueCode")
    if found == ["STORE"]:
        return "STORE"
    if found not in ([], ["VIEW"]):
        faults.append(Fault("Consent.extension", "unknown_access_mode"))
    return "VIEW"


def _answer(consent: PrivacyConsent, purpose: str, url: str, faults: list[Fault]) -> Answer | None:
    """The text in force, in the language it was shown in: the policy must be that very text."""
    for locale in LOCALES:
        try:
            version = notice_for(purpose, locale).version
        except UnknownCode:  # a purpose nobody can be asked for
            break
        if consent.policy_uri == notice_uri(url, purpose, locale, version):
            return Answer(version, locale)
    faults.append(Fault("Consent.policy.uri", "not_the_text_in_force"))
    return None


def _extension_values(raw: object, name: str, kind: str, member: str = "extension") -> list[Any]:
    """The values of an extension of ours; one without its value gives None, which nothing takes."""
    extensions = raw.get(member, []) if isinstance(raw, dict) else []
    ours = [
        each for each in extensions if isinstance(each, dict) and each.get("url") == f"{EXTENSION}:{name}"
    ]
    return [each.get(kind) for each in ours]
