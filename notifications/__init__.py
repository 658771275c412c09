"""Reminders of due care: pure planning over cited programmes, an inbox, and pushes that name nothing.

Knows no web framework and no database: stores and channels come in through `notifications.ports`.
"""

from notifications.delivery import Delivered, Delivery
from notifications.dispatch import DayReport, Dispatch, DispatchPorts
from notifications.model import CitizenFacts, DueItem, Exam, GivenDose, Preferences, Status
from notifications.outgoing import Batch, Device, Message
from notifications.planner import plan
from notifications.planning import Planning, PlanningPorts
from notifications.programmes import load_programmes
from notifications.reading import Reading
from notifications.reminders import Keys, Reminder, State, reminders_for, shard_of, when_to_send
from notifications.templates import load_texts
from notifications.vaccines import load_vaccines, vaccine_for

__all__ = [
    "Batch",
    "CitizenFacts",
    "DayReport",
    "Delivered",
    "Delivery",
    "Device",
    "Dispatch",
    "DispatchPorts",
    "DueItem",
    "Exam",
    "GivenDose",
    "Keys",
    "Message",
    "Planning",
    "PlanningPorts",
    "Preferences",
    "Reading",
    "Reminder",
    "State",
    "Status",
    "load_programmes",
    "load_texts",
    "load_vaccines",
    "plan",
    "reminders_for",
    "shard_of",
    "vaccine_for",
    "when_to_send",
]
