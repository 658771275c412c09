"""Every error has a status and a text in both languages; every text helps and gives nothing away."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import pytest

from wallet_api.errors import _HTTP_CODES, LANGUAGES, STATUS, codes, texts

PACKAGES = {
    "consent.errors": "ConsentError",
    "notifications.errors": "NotificationError",
    "wallet_api.audit.errors": "AuditError",
    "wallet_api.identity.errors": "IdentityError",
    "wallet_api.infra.crypto.errors": "CryptoError",
    "wallet_api.records.errors": "RecordError",
}
NEVER_ANSWERED = {
    "BadProgramme": "a programme file that cannot be read stops the start",
    "BadTemplate": "a text file that cannot be read stops the start",
    "BadChannel": "the worker's own set-up is wrong; no request sees it",
    "BadCheckpoint": "raised by the verifier on the command line",
    "KekInUse": "raised by key work on the command line",
    "SealBroken": "somebody changed the database: an unexpected error, and to be looked at",
}


def kinds() -> list[type[Exception]]:
    found: list[type[Exception]] = []
    for module, root in PACKAGES.items():
        waiting = list(getattr(import_module(module), root).__subclasses__())
        while waiting:
            kind = waiting.pop()
            found.append(kind)
            waiting += kind.__subclasses__()
    return found


def test_every_error_of_every_package_has_a_status() -> None:
    assert len(kinds()) > 40
    unmapped = {kind.__name__ for kind in kinds() if kind not in STATUS}
    assert unmapped == set(NEVER_ANSWERED)


def test_every_error_has_a_stable_code_of_its_own_words() -> None:
    for kind in kinds():
        code: Any = kind.code  # type: ignore[attr-defined]
        assert re.fullmatch(r"[a-z][a-z_]+", code), kind


def test_one_code_has_one_meaning() -> None:
    seen: dict[str, set[int]] = {}
    for kind, status in STATUS.items():
        seen.setdefault(kind.code, set()).add(status)  # type: ignore[attr-defined]
    # Two packages keep versions: to a request without If-Match a moved one is a conflict.
    assert {code for code, statuses in seen.items() if len(statuses) > 1} <= {"stale_version"}


@pytest.mark.parametrize("locale", LANGUAGES)
def test_every_code_has_a_text_and_every_text_a_code(locale: str) -> None:
    assert set(texts(locale)) == codes()


@pytest.mark.parametrize("locale", LANGUAGES)
def test_texts_are_whole_sentences_without_placeholders(locale: str) -> None:
    for code, text in texts(locale).items():
        assert set(text) == {"title", "detail"}, code
        for part in text.values():
            assert not re.search(r"[{}<>%$]|TODO|lorem|\bXXX\b", part), code
            assert part == part.strip() and len(part) > 3, code
        assert text["detail"].endswith((".", "?")), code


def test_the_languages_say_different_things() -> None:
    vi, en = texts("vi"), texts("en")
    assert [code for code in vi if vi[code]["detail"] == en[code]["detail"]] == []


def test_every_status_of_the_framework_has_a_code() -> None:
    assert {400, 401, 403, 404, 405, 409, 413, 415, 422, 428, 429, 500, 503} <= set(_HTTP_CODES)
