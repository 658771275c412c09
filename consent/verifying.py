"""Verifying a receipt that lies in a file, and saying what it proves and what it does not."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from consent.receipt import ReceiptInvalid, verified

LANGUAGES = ("vi", "en")
GENUINE, FORGED, UNUSABLE = 0, 1, 2
_LARGEST = 2**20
_TEXTS: Mapping[str, Mapping[str, str]] = {
    "genuine": {"vi": "genuine: biên nhận là thật", "en": "genuine"},
    "forged": {
        "vi": "NOT GENUINE: biên nhận là giả hoặc đã bị sửa ({why})",
        "en": "NOT GENUINE: forged or changed ({why})",
    },
    "unusable": {"vi": "không đọc được {what}: {why}", "en": "cannot read {what}: {why}"},
    "receipt": {"vi": "biên nhận", "en": "the receipt"},
    "keys": {"vi": "tập khóa", "en": "the keys"},
    "proves": {
        "vi": "Chứng minh ví đã ghi nhận sự đồng ý này. Hiện còn hiệu lực hay không thì chỉ ví trả lời được.",
        "en": "It proves the wallet recorded this consent. Only the wallet can tell whether it still holds.",
    },
    "over": {
        "vi": "Khi cấp biên nhận, sự đồng ý đã ở trạng thái {state}.",
        "en": "When the receipt was issued, the consent was already {state}.",
    },
    "held_back": {"vi": "Được xin nhưng không cho: {names}", "en": "Asked for and not given: {names}"},
}


class NotUsable(Exception):
    """A file that is not what it should be: nothing can be said of the receipt."""

    code = "not_usable"


def verify_files(receipt: Path, keys: Path, language: str) -> int:
    """Print the verdict and, for a genuine receipt, its content as JSON. The exit status."""
    try:
        key_set = _keys(_read(keys, "keys", language), language)
        found = verified(_jws(_read(receipt, "receipt", language)), key_set)
    except NotUsable as why:
        sys.stderr.write(f"{why}\n")
        return UNUSABLE
    except ReceiptInvalid as why:
        sys.stderr.write(_text("forged", language, why=str(why)) + "\n")
        return FORGED
    lines = [_text("genuine", language), json.dumps(found, ensure_ascii=False, indent=2)]
    sys.stdout.write("\n".join([*lines, *_remarks(found, language)]) + "\n")
    return GENUINE


def _remarks(found: Mapping[str, Any], language: str) -> list[str]:
    state = found["event"][0]["event_state"]
    remarks = [_text("over", language, state=str(state))] if state != "granted" else []
    if found.get("held_back"):
        remarks.append(_text("held_back", language, names=", ".join(map(str, found["held_back"]))))
    return [*remarks, _text("proves", language)]


def _jws(text: str) -> str:
    """The JWS of a file: alone, or as the API answers it. What is neither fails as any forged one does."""
    if not text.startswith("{"):
        return text
    try:
        return str(json.loads(text)["receipt"])
    except (ValueError, KeyError, RecursionError) as why:
        raise ReceiptInvalid("form") from why


def _keys(text: str, language: str) -> Sequence[Mapping[str, Any]]:
    try:
        found = json.loads(text)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError) as why:
        raise _unusable("keys", type(why).__name__, language) from why
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise _unusable("keys", "JWKS", language)
    return found


def _read(path: Path, what: str, language: str) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_LARGEST + 1)
    except (OSError, ValueError) as why:
        raise _unusable(what, f"{path}: {type(why).__name__}", language) from why
    if len(text) > _LARGEST:
        raise _unusable(what, f"{path}: > {_LARGEST}", language)
    return text.strip()


def _unusable(what: str, why: str, language: str) -> NotUsable:
    return NotUsable(_text("unusable", language, what=_text(what, language), why=why))


def _text(name: str, language: str, **values: str) -> str:
    return _TEXTS[name][language].format(**values)
