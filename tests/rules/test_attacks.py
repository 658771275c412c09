"""Every attack on consent that is known by number has a test that bears it."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
ATTACKS = {
    1: "withdrawal against a read under way",
    2: "answered twice at once",
    3: "widened while approving",
    4: "changed after the grant",
    5: "replayed",
    6: "forged signature",
    7: "clocks and time zones",
    8: "another purpose",
    9: "another's authority",
    10: "a yes to oneself",
    11: "who exists",
    12: "searching for what is withheld",
    13: "pages and cursors",
    14: "answers kept for another",
    15: "an emptied filter",
    16: "the order of conflicting consents",
    17: "what cannot be read or asked",
    18: "uses counted",
    19: "lost notices",
    20: "fatigue and look-alikes",
    21: "break-glass abused",
    22: "children's birthdays and guardians",
    23: "a spoilt log",
    24: "lock screens and logs",
    25: "a crowd of old grants",
}
"""What shares by link or QR are attacked with (26) comes with the shares."""


def test_each_attack_has_a_test() -> None:
    named: set[int] = set()
    for path in TESTS.rglob("test_*.py"):
        for numbers in re.findall(r"^def test_((?:c\d\d_)+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            named |= {int(each[1:]) for each in numbers.strip("_").split("_")}
    missing = {number: what for number, what in ATTACKS.items() if number not in named}
    assert missing == {}
    assert named <= ATTACKS.keys() | {26}
