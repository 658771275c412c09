"""What a family said was given, and no record proves. It ends reminders; it settles nothing else.

A provider's proof always wins: what was told counts only after the last proven dose that shares an antigen
with it, and for a check-up only in a year without a proven one. So what somebody misremembers can never
spoil, or stand in for, what a facility recorded.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, TypeGuard

from notifications.model import Because, Care, DueItem, Evidence, Exam, GivenDose, Status, Verdict
from notifications.vaccines import load_vaccines

RULE: Final = "told"


def proven(care: Sequence[Care]) -> list[Care]:
    """What is on record of facilities."""
    return [each for each in care if not _is_told(each)]


def believed(care: Sequence[Care]) -> list[Care]:
    """What is proven, and of what was told as much as no proof speaks against."""
    facts = proven(care)
    return facts + [each for each in care if _is_told(each) and not _outdone(each, facts)]


def marked(items: Sequence[DueItem], told: Collection[str]) -> tuple[DueItem, ...]:
    """The same items; what rests on a told record (by its id) says so and is not given."""
    return tuple(_marked(item, told) for item in items)


def told_ids(care: Sequence[Care]) -> frozenset[str]:
    """Ids of the records that nothing proves."""
    return frozenset(each.record_id for each in care if _is_told(each))


def _is_told(each: Care) -> TypeGuard[GivenDose | Exam]:
    """Of what bears on reminders, doses and check-ups alone can be told of."""
    return isinstance(each, GivenDose | Exam) and each.told


def _outdone(told: GivenDose | Exam, facts: Sequence[Care]) -> bool:
    if isinstance(told, Exam):
        years = {each.done_on.year for each in facts if isinstance(each, Exam) and each.kind == told.kind}
        return told.done_on.year in years
    doses = (each for each in facts if isinstance(each, GivenDose))
    return any(each.given_on >= told.given_on and _antigens(each) & _antigens(told) for each in doses)


def _antigens(dose: GivenDose) -> frozenset[str]:
    known = load_vaccines().get(dose.vaccine)
    return known.antigens if known else frozenset()


def _marked(item: DueItem, told: Collection[str]) -> DueItem:
    if not any(each.record_id in told for each in item.because.evidence):
        return item
    evidence = tuple(_seen(each, told) for each in item.because.evidence)
    if item.status is not Status.GIVEN:
        return item._replace(because=item.because._replace(evidence=evidence))
    return item._replace(status=Status.TOLD, because=Because(RULE, evidence, item.because.source))


def _seen(each: Evidence, told: Collection[str]) -> Evidence:
    untrue = each.verdict is not Verdict.COUNTED or each.record_id not in told
    return each if untrue else each._replace(verdict=Verdict.TOLD)
