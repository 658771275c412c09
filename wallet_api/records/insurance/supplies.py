"""How many days a medicine lasts that a visit file tells the amount and the dose of."""

from __future__ import annotations

import re
from typing import Any, Final

from wallet_api.records.insurance.resources import UCUM, Values
from wallet_api.records.insurance.values import number

_DOSE: Final = re.compile(
    r"(?P<once>[0-9]{1,2}(?:[.,][0-9]{1,2})?) *(?P<unit>[^\W\d_][^/*\d]{0,20}) */ *lần"
    r" *\* *(?P<times>[1-9]) *lần */ *ngày",
    re.IGNORECASE,
)
"""An amount each time and how often a day, in the unit in which the medicine is counted."""
_LONGEST: Final = 366


def supply_of(row: Values, amount: float) -> dict[str, Any]:
    """The member `expectedSupplyDuration` in days, where the dose is written so that it has but one reading.

    Of unequal doses, of what is taken as needed and of whatever else is written nothing is made.
    """
    found = _DOSE.fullmatch(row.get("LIEU_DUNG", "").strip())
    if found is None or found["unit"].strip().casefold() != row.get("DON_VI_TINH", "").strip().casefold():
        return {}
    daily = (number(found["once"]) or 0) * int(found["times"])
    if daily <= 0 or not 1 <= amount / daily <= _LONGEST:
        return {}
    days = {"value": int(amount / daily), "unit": "d", "system": UCUM, "code": "d"}
    return {"expectedSupplyDuration": days}
