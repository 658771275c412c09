"""A day of reminders, run for the people of one test."""

from __future__ import annotations

from datetime import date

from notifications.reminders import shard_of
from tests.world import Person, World


def run_on(world: World, day: date, *people: Person) -> None:
    """A run of a day over these people alone: others of this wallet have their own days, and their number
    would be what the run costs."""
    world.services.reminding.dispatch.plan_day(day, {shard_of(each.id) for each in people})
