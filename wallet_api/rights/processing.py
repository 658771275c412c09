"""The register of processing: what is done with whose data, on which ground, read from a cited file.

`python -m wallet_api.rights.processing` writes the page `docs/processing-register.md` to its output.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

GROUNDS: Final = {
    "consent": {"vi": "Sự đồng ý", "en": "consent"},
    "law": {"vi": "Theo quy định của luật", "en": "ordered or allowed by law"},
    "agreement": {
        "vi": "Thực hiện thỏa thuận với người dùng",
        "en": "performing an agreement with the person",
    },
    "life_and_health": {"vi": "Bảo vệ tính mạng, sức khỏe", "en": "protecting life and health"},
}
_GENERATED: Final = "This page is written from `wallet_api/rights/processing.json`; a test keeps them equal."


@dataclass(frozen=True)
class Activity:
    """One kind of processing. `classes` are the retention classes it stores in; `third_country` the flow
    across the border, or None."""

    id: str
    classes: tuple[str, ...]
    purpose: Mapping[str, str]
    ground: str
    legal_reference: str
    subjects: tuple[str, ...]
    data: tuple[str, ...]
    recipients: tuple[str, ...]
    retention: str
    third_country: Mapping[str, str] | None
    measures: tuple[str, ...]


@dataclass(frozen=True)
class Register:
    """The whole file."""

    law: Mapping[str, str]
    activities: tuple[Activity, ...]


def load_register(raw: str) -> Register:
    """Read the file.

    Raises TypeError or ValueError, which stop the start, for an unknown or missing member, an unknown ground,
    an activity twice, or one without a legal reference, a time or a recipient.
    """
    told = json.loads(raw)
    found = tuple(
        Activity(**{name: _frozen(value) for name, value in row.items()}) for row in told["activities"]
    )
    whole = all(
        each.legal_reference and each.retention and each.recipients and each.ground in GROUNDS
        for each in found
    )
    if set(told) != {"law", "activities"} or len({each.id for each in found}) != len(found) or not whole:
        raise ValueError("the register of processing: something is missing, misspelt or there twice")
    return Register(told["law"], found)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


REGISTER: Final = load_register(
    files("wallet_api.rights").joinpath("processing.json").read_text(encoding="utf-8")
)


def as_page(register: Register = REGISTER) -> str:
    """The register as a page in Markdown."""
    lines = ["# Register of processing", "", _GENERATED, ""]
    lines += [
        f"Law: {register.law['title']}. Read {register.law['read']}. As of {register.law['as_of']}.",
        "",
    ]
    for each in register.activities:
        lines += [f"## {each.purpose['en']}", "", each.purpose["vi"], ""]
        abroad = each.third_country
        flow = "none" if abroad is None else f"{abroad['where']}: {abroad['data']} ({abroad['file']})"
        told = {
            "ground": GROUNDS[each.ground]["en"],
            "legal reference": each.legal_reference,
            "whose data": ", ".join(each.subjects),
            "kinds of data": ", ".join(each.data),
            "recipients": ", ".join(each.recipients),
            "kept": each.retention,
            "across the border": flow,
            "measures": ", ".join(each.measures),
            "retention classes": ", ".join(each.classes) or "none of a person",
        }
        lines += [f"- {name}: {value}" for name, value in told.items()] + [""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(as_page())
