"""How many workers a population needs, from rates that were measured on the machine in question."""

from __future__ import annotations

import math
from dataclasses import dataclass

_DAY_HOURS = 24.0
_QUOTA_A_MINUTE = 600_000
"""FCM's default for a project: https://firebase.google.com/docs/cloud-messaging/throttling-and-quotas."""


@dataclass(frozen=True, slots=True)
class Population:
    """Who is served, and how. `window_hours`: how long a day's pushes may take; `campaign_hours`: a campaign
    to everybody. `reminders`: a person and year. `spare`: the share of a worker kept free.
    """

    citizens: int
    reminders: float = 3.3
    phones: float = 1.2
    window_hours: float = 12.0
    campaign_hours: float = 12.0
    spare: float = 0.3


@dataclass(frozen=True, slots=True)
class Measured:
    """What one process reached here, a second: the bench's `push_e2e_reminders`, whose stop conditions are
    asked again (`push_e2e` is that of alerts, many times faster), and its `plan_day`."""

    pushes_a_second: float
    plans_a_second: float


@dataclass(frozen=True, slots=True)
class Sizing:
    """What follows: pushes a second to be reached, and processes that reach them with some to spare."""

    everyday_pushes: float
    campaign_pushes: float
    quotas: int
    everyday_workers: int
    campaign_workers: int
    planning_workers: int
    connections: int


def size(people: Population, measured: Measured, latency_s: float = 0.2, streams: int = 100) -> Sizing:
    """Workers for an ordinary day, and for one campaign that reaches everybody on top of it.

    `quotas`: how many times FCM's default of 600,000 a minute the campaign needs. Planning is counted for a
    night of eight hours in which everybody with a reminder due is reviewed once. Raises ValueError for
    rates or hours that are not above zero.
    """
    told = (people.window_hours, people.campaign_hours, measured.pushes_a_second, measured.plans_a_second)
    if people.citizens <= 0 or min(told) <= 0 or not 0 <= people.spare < 1:
        raise ValueError("sizing needs rates, hours and people above zero, and a spare share below one")
    a_day = people.citizens * people.reminders / 365.25
    everyday = a_day * people.phones / (people.window_hours * 3600)
    campaign = people.citizens * people.phones / (people.campaign_hours * 3600)
    useful = measured.pushes_a_second * (1 - people.spare)
    nightly = a_day / ((_DAY_HOURS / 3) * 3600)
    return Sizing(
        everyday_pushes=everyday,
        campaign_pushes=campaign,
        quotas=math.ceil((everyday + campaign) * 60 / _QUOTA_A_MINUTE),
        everyday_workers=max(2, math.ceil(everyday / useful)),
        campaign_workers=max(2, math.ceil((everyday + campaign) / useful)),
        planning_workers=max(1, math.ceil(nightly / (measured.plans_a_second * (1 - people.spare)))),
        connections=max(1, math.ceil(measured.pushes_a_second * latency_s / streams)),
    )
