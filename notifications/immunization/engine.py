"""The immunization engine: judge every dose, forecast every series, choose, and advise per vaccine group."""

from __future__ import annotations

from datetime import date

from notifications.immunization.answers import GroupResult, SeriesResult
from notifications.immunization.evaluation import evaluate
from notifications.immunization.forecasting import forecast
from notifications.immunization.groups import blend
from notifications.immunization.history import Case
from notifications.immunization.patient import Patient
from notifications.immunization.reach import latest
from notifications.immunization.rules import Antigen, RuleSet, VaccineGroup
from notifications.immunization.selection import best, relevant


def assess(rules: RuleSet, patient: Patient, today: date) -> dict[str, GroupResult]:
    """One result per vaccine group that concerns the patient. Pure; the order of doses does not matter."""
    case = Case.of(rules, patient, today)
    found = {}
    for group in rules.groups.values():
        chosen = [
            result
            for antigen in group.antigens
            if antigen in rules.antigens
            for result in best(case, series_results(case, rules.antigens[antigen]))
        ]
        if chosen:
            found[group.id] = blend(group, chosen, _last_on(case, group))
    return found


def _last_on(case: Case, group: VaccineGroup) -> date | None:
    return latest(dose.on for antigen in group.antigens for dose in case.of_antigen(antigen))


def series_results(case: Case, antigen: Antigen) -> tuple[SeriesResult, ...]:
    """Every relevant series of an antigen, judged and forecast, series groups in order."""
    found: list[SeriesResult] = []
    for series in sorted(antigen.series, key=lambda s: (s.group, s.preference)):
        if relevant(case, series):
            groups = frozenset(r.series.group for r in found if r.progress.complete)
            progress = evaluate(case, series, groups)
            found.append(SeriesResult(series, progress, forecast(case, progress, antigen, groups)))
    return tuple(found)
