"""What a caller may do in a while: one table of named budgets, and how settings change it.

A budget is a number of acts in a window, counted for one caller: a citizen, an organisation, a
practitioner, a client, or for strangers an address. The defaults leave room for carriers that put many
phones behind one address and for busy hospitals; what guards a secret or a person is tight.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

_RATE = re.compile(r"([1-9][0-9]{0,8})/(?:([1-9][0-9]{0,3}) )?(second|minute|hour|day)s?")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_LONGEST = 7 * 86400
_PARTS = 60
_LARGEST_SHARE = 16


class BadRate(ValueError):
    """A rate that cannot be read, or a name that is no budget."""


@dataclass(frozen=True)
class Budget:
    """So many acts (`amount`) in a window of so many `seconds`.

    `closed`: without a place to count, the act is refused; otherwise each worker goes on alone for the time,
    from what it knew.
    `local`: counted in the worker alone, always; for what must answer when everything else is gone.
    `refunded`: an act that turned out well is given back, so only the failures count.
    """

    name: str
    amount: int
    seconds: int
    closed: bool = False
    local: bool = False
    refunded: bool = False

    @property
    def share(self) -> int:
        """How many acts a worker takes at once: generous budgets are counted by the handful, so that a hot
        path asks the counters rarely. Never more than the whole budget allows, whoever takes."""
        return 1 if self.closed or self.refunded else max(1, min(_LARGEST_SHARE, self.amount // _PARTS))


def _table(*rows: Budget) -> Mapping[str, Budget]:
    return MappingProxyType({row.name: row for row in rows})


_MINUTE, _QUARTER, _HOUR, _DAY = 60, 900, 3600, 86400

BUDGETS: Mapping[str, Budget] = _table(
    # Strangers, by address.
    Budget("probe", 6000, _MINUTE, local=True),
    Budget("public_read", 600, _MINUTE),
    Budget("public_act", 60, _MINUTE),
    Budget("stranger", 120, _MINUTE),
    Budget("share_view", 60, _HOUR),
    Budget("sign_in", 60, _MINUTE, closed=True),
    Budget("sign_out", 60, _MINUTE),
    Budget("token", 10, _MINUTE, closed=True),
    Budget("token_address", 600, _MINUTE, closed=True),
    Budget("refresh", 6, _MINUTE, closed=True),
    # Citizens.
    Budget("citizen_read", 300, _MINUTE),
    Budget("citizen_act", 60, _MINUTE),
    Budget("step_up", 20, _QUARTER, closed=True),
    Budget("device", 10, _DAY),
    Budget("visit_code", 20, _HOUR),
    Budget("share", 20, _HOUR),
    Budget("export", 10, _HOUR),
    Budget("family_claim", 5, _DAY, closed=True),
    Budget("family_file", 20, _DAY),
    Budget("correction_file", 20, _DAY),
    # Provider organisations, and their practitioners.
    Budget("provider_read", 600, _MINUTE),
    Budget("provider_act", 600, _MINUTE),
    Budget("new_subject", 30, _HOUR),
    Budget("lookup", 20, _MINUTE, closed=True),
    Budget("visit_try", 120, _MINUTE, closed=True),
    Budget("visit_guess", 20, _HOUR, closed=True, refunded=True),
    Budget("ask_again", 5, _HOUR, closed=True),
    Budget("ask_open", 10, 7 * _DAY, closed=True),
    Budget("assisted", 20, _DAY, closed=True),
    Budget("assisted_person", 3, 7 * _DAY, closed=True),
    Budget("birth", 50, _DAY, closed=True),
    Budget("emergency", 3, _DAY, closed=True),
    Budget("emergency_organisation", 60, _DAY, closed=True),
    Budget("emergency_person", 3, _DAY, closed=True),
    # Anybody signed in, and ops.
    Budget("member_read", 300, _MINUTE),
    Budget("member_act", 60, _MINUTE),
    Budget("ops_read", 300, _MINUTE),
    Budget("ops_act", 60, _MINUTE),
    Budget("ops_run", 6, _HOUR),
    Budget("ops_preview", 30, _DAY, closed=True),
)


def rate(text: str) -> tuple[int, int]:
    """Amount and seconds of a rate like `600/minute` or `5/15 minutes`.

    Raises:
        BadRate: it has another form, or a window of more than a week.
    """
    found = _RATE.fullmatch(text)
    if found is None:
        raise BadRate(text)
    seconds = int(found[2] or 1) * _SECONDS[found[3]]
    if seconds > _LONGEST:
        raise BadRate(text)
    return int(found[1]), seconds


def budgets(overrides: Mapping[str, str]) -> Mapping[str, Budget]:
    """The table with some rates replaced.

    Raises:
        BadRate: a name is not in the table, or a rate cannot be read.
    """
    if unknown := sorted(overrides.keys() - BUDGETS.keys()):
        raise BadRate(f"no such budget: {', '.join(unknown)}")
    changed = dict(BUDGETS)
    for name, text in overrides.items():
        amount, seconds = rate(text)
        changed[name] = replace(changed[name], amount=amount, seconds=seconds)
    return MappingProxyType(changed)
