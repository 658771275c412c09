"""Conditional skips (CDSi 6.2, 7.1): when a target dose is not needed, and the words for why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from notifications.immunization.answers import Evaluation, Progress
from notifications.immunization.history import Case, previous
from notifications.immunization.patient import Given
from notifications.immunization.reach import reach, within
from notifications.immunization.rules import (
    Condition,
    ConditionKind,
    ConditionSet,
    Context,
    RuleSet,
    Skip,
    TargetDose,
)


@dataclass(frozen=True, slots=True)
class Asking:
    """A skip is asked for on a day (`on`), for a dose being judged or, without one, for the forecast."""

    case: Case
    progress: Progress
    on: date
    context: Context
    completed_groups: frozenset[str] = frozenset()


def skipped(target: TargetDose, asking: Asking) -> str | None:
    """Why the target dose is not needed, None if it is."""
    for skip in target.skips:
        if skip.looked_at(asking.context):
            why = _met(skip, asking)
            if why is not None:
                return why
    return None


def _met(skip: Skip, asking: Asking) -> str | None:
    held = [one.why for one in skip.sets if _holds(one, asking)]
    if not held or (skip.every and len(held) < len(skip.sets)):
        return None
    return held[0]


def _holds(one: ConditionSet, asking: Asking) -> bool:
    found = (_true(condition, asking) for condition in one.conditions)
    return all(found) if one.every else any(found)


def _true(condition: Condition, asking: Asking) -> bool:
    kind = condition.kind
    if kind is ConditionKind.AGE:
        born, rule = asking.case.patient.born, asking.case.rules.date_rule
        return within(asking.on, born, condition.begin_age, condition.end_age, rule)
    if kind is ConditionKind.INTERVAL:
        return _interval_passed(condition, asking)
    if kind is ConditionKind.COMPLETED_SERIES:
        return bool(condition.series_groups & asking.completed_groups)
    return _counted(condition, asking)


def _interval_passed(condition: Condition, asking: Asking) -> bool:
    before = previous(asking.progress)
    if before is None:
        return False
    ends = reach(before.on, condition.interval, asking.case.rules.date_rule)
    return ends is not None and asking.on >= ends


def _counted(condition: Condition, asking: Asking) -> bool:
    count = sum(1 for dose in _candidates(condition, asking) if _matches(condition, dose, asking))
    if condition.count_logic == "equal_to":
        return count == condition.count
    return count > condition.count if condition.count_logic == "greater_than" else count < condition.count


def _candidates(condition: Condition, asking: Asking) -> Iterable[Given]:
    seen: Iterable[Evaluation] = asking.progress.evaluations
    if condition.only_valid:
        return (e.dose for e in seen if e.valid)
    return (e.dose for e in seen)


def _matches(condition: Condition, dose: Given, asking: Asking) -> bool:
    if condition.vaccines and dose.vaccine not in condition.vaccines:
        return False
    if condition.kind is ConditionKind.COUNT_BY_DATE:
        after_start = condition.start is None or condition.start <= dose.on
        return after_start and (condition.end is None or dose.on < condition.end)
    born, rules = asking.case.patient.born, asking.case.rules
    return _at_age(condition, dose, born, rules)


def _at_age(condition: Condition, dose: Given, born: date, rules: RuleSet) -> bool:
    return within(dose.on, born, condition.begin_age, condition.end_age, rules.date_rule)
