"""What an error of the database means to whoever asked: a clash, a matter of time, or a fault of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pymongo.errors import (
    BulkWriteError,
    CollectionInvalid,
    ConfigurationError,
    DocumentTooLarge,
    DuplicateKeyError,
    InvalidName,
    InvalidOperation,
    OperationFailure,
)


class PerhapsDone(DuplicateKeyError):
    """A transaction that had to be begun again met what may be its own first try: whose end nobody heard."""


Meaning = Literal["clash", "passing", "ours"]
_DUPLICATE = 11000
_OURS = (CollectionInvalid, ConfigurationError, DocumentTooLarge, InvalidName, InvalidOperation)
# The server understood the command and says it can never be right (MongoDB's error_codes.yml).
_NEVER_RIGHT = frozenset(
    {
        2,  # BadValue
        9,  # FailedToParse
        14,  # TypeMismatch
        52,  # DollarPrefixedFieldName
        57,  # DottedFieldName
        59,  # CommandNotFound
        66,  # ImmutableField
        72,  # InvalidOptions
        73,  # InvalidNamespace
        121,  # DocumentValidationFailure
        10334,  # BSONObjectTooLarge
        17280,  # KeyTooLong
    }
)


def meaning_of(error: Exception) -> Meaning:
    """`clash`: what must be unique was taken; `passing`: asking again may help; `ours`: it never will.

    What is not known to be hopeless is taken to pass: a full disk, a lost primary and a time-out do.
    """
    if isinstance(error, DuplicateKeyError):
        return "passing" if isinstance(error, PerhapsDone) else "clash"
    if isinstance(error, BulkWriteError):
        return _of_codes(_bulk_codes(error.details or {}))
    if isinstance(error, OperationFailure):
        return _of_codes({error.code})
    return "ours" if isinstance(error, _OURS) else "passing"


def _of_codes(codes: set[Any]) -> Meaning:
    if codes & _NEVER_RIGHT:
        return "ours"
    return "clash" if codes == {_DUPLICATE} else "passing"


def _bulk_codes(details: Mapping[str, Any]) -> set[Any]:
    faults = [*details.get("writeErrors", ()), *details.get("writeConcernErrors", ())]
    return {fault.get("code") for fault in faults}
