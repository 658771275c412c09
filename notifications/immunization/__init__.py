"""Immunization rules and the engine that reads them: values in, verdicts, forecasts and reasons out."""

from notifications.immunization.answers import (
    Because,
    DoseStatus,
    Evaluation,
    Forecast,
    GroupResult,
    Reason,
    SeriesResult,
    SeriesStatus,
)
from notifications.immunization.engine import assess
from notifications.immunization.patient import Given, Patient
from notifications.immunization.rules import RuleSet

__all__ = [
    "Because",
    "DoseStatus",
    "Evaluation",
    "Forecast",
    "Given",
    "GroupResult",
    "Patient",
    "Reason",
    "RuleSet",
    "SeriesResult",
    "SeriesStatus",
    "assess",
]
