"""Facts that end the matter: evidence of immunity and contraindications (CDSi 7.2, 7.3)."""

from __future__ import annotations

from notifications.immunization.history import Case
from notifications.immunization.reach import within
from notifications.immunization.rules import Antigen, Contraindication


def immune(case: Case, antigen: Antigen) -> str | None:
    """Rule that shows immunity, None if nothing does."""
    known, patient = antigen.immunity, case.patient
    if known.observations & patient.observations.keys():
        return "evidence_of_immunity"
    if known.born_before is None or patient.born >= known.born_before:
        return None
    if known.country is not None and patient.country != known.country:
        return None
    return None if known.exclusions & patient.observations.keys() else "born_before"


def contraindicated(case: Case, antigen: Antigen) -> str | None:
    """The contraindication of the whole vaccine group that holds today, None if none does."""
    return next(
        (c.why for c in antigen.contraindications if not c.vaccines and _holds(case, c)),
        None,
    )


def forbidden_vaccines(case: Case, antigen: Antigen) -> frozenset[str]:
    """Vaccines that single facts forbid today, while others of the group may still be given."""
    held = (c.vaccines for c in antigen.contraindications if c.vaccines and _holds(case, c))
    return frozenset().union(*held)


def _holds(case: Case, one: Contraindication) -> bool:
    patient, rule = case.patient, case.rules.date_rule
    if one.observation not in patient.observations:
        return False
    return within(case.today, patient.born, one.begin, one.end, rule)
