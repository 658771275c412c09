"""Ages that change what a person may do alone: those of `consent.ages`, so that there is one list of them."""

from __future__ import annotations

from consent.ages import AGES, Ages, birthday, has_reached, load_ages

__all__ = ["AGES", "Ages", "birthday", "has_reached", "load_ages"]
