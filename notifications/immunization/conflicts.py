"""Live virus conflicts (CDSi 6.7): two live vaccines too close together, unless given on the same day."""

from __future__ import annotations

from datetime import date

from notifications.immunization.answers import Progress
from notifications.immunization.history import Case
from notifications.immunization.patient import Given
from notifications.immunization.reach import latest, reach
from notifications.immunization.rules import TargetDose


def conflict_until(case: Case, progress: Progress, dose: Given) -> date | None:
    """The day from which a dose would not be disturbed by a live vaccine before it; None if it is not."""
    ends = []
    for conflict in case.rules.conflicts_of.get(dose.vaccine, ()):
        for before in case.given:
            if conflict.advised_only or before.vaccine != conflict.previous or before.on >= dose.on:
                continue
            end = conflict.end if _did_not_count(before, progress) else conflict.end_after_valid
            begins = reach(before.on, conflict.begin, case.rules.date_rule)
            until = reach(before.on, end, case.rules.date_rule)
            if begins is not None and until is not None and begins <= dose.on < until:
                ends.append(until)
    return latest(ends)


def undisturbed_from(case: Case, target: TargetDose) -> date | None:
    """First day on which a preferable vaccine of a target dose is clear of every live dose on record."""
    if not case.rules.conflicts_of:
        return None
    return latest(
        reach(before.on, conflict.end, case.rules.date_rule)
        for wanted in target.preferable
        for conflict in case.rules.conflicts_of.get(wanted.vaccine, ())
        for before in case.given
        if before.vaccine == conflict.previous
    )


def _did_not_count(dose: Given, progress: Progress) -> bool:
    return any(seen.dose is dose and not seen.valid for seen in progress.evaluations)
