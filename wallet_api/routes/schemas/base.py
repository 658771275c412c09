"""Fields and bases that every schema shares: strict types, clean text, bounded dates and pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from wallet_api.infra.strict_json import clean_text

FIRST_YEAR, LAST_YEAR = 1900, 2200
# Python's own readers take week dates and unpunctuated forms as well.
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LARGEST = 1e9
_DIGITS = re.compile(r"0|[1-9][0-9]{0,17}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)


class StrictSchema(Schema):
    """A schema that refuses what it does not know."""

    class Meta:
        """marshmallow's own switch."""

        unknown = RAISE


class ReplySchema(Schema):
    """A schema of what we send: every member is always there, unless its metadata say `absent`, and why."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Publish the member as required; nothing is ever read by such a schema."""
        field_obj.required = "absent" not in field_obj.metadata


class WireSchema(ReplySchema):
    """A schema of answers that are already in their wire form: it documents them and leaves them alone.

    For the long lists of the read path, where walking every field again costs more than the decision.
    """

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """The object as it is."""
        return obj


class Text(fields.String):
    """Clean NFC text of 1 to `longest` characters."""

    def __init__(self, longest: int = 200, **options: Any) -> None:
        super().__init__(validate=validate.Length(min=1, max=longest), **options)

    def _deserialize(self, value: Any, *args: Any, **more: Any) -> str:
        text = super()._deserialize(value, *args, **more)
        try:
            return clean_text(str(text))
        except ValueError as why:
            raise ValidationError("Control characters are not allowed.") from why


class Whole(fields.Integer):
    """A whole number within bounds, as a JSON number."""

    def __init__(self, lowest: int, highest: int, **options: Any) -> None:
        super().__init__(validate=validate.Range(lowest, highest), **options)

    def _deserialize(self, value: Any, *args: Any, **more: Any) -> Any:
        if type(value) is not int:
            raise self.make_error("invalid", input="")
        return super()._deserialize(value, *args, **more)


class Digits(Whole):
    """A whole number within bounds, as a query writes it: ASCII digits."""

    def _deserialize(self, value: Any, *args: Any, **more: Any) -> Any:
        if not isinstance(value, str) or not _DIGITS.fullmatch(value):
            raise self.make_error("invalid", input="")
        return super()._deserialize(int(value), *args, **more)


class Number(fields.Float):
    """A JSON number, finite."""

    def _deserialize(self, value: Any, *args: Any, **more: Any) -> Any:
        if type(value) not in (int, float) or not abs(value) < _LARGEST:
            raise self.make_error("invalid", input="")
        return super()._deserialize(value, *args, **more)


class Flag(fields.Boolean):
    """JSON's true or false, and nothing that Python takes for them."""

    def _deserialize(self, value: Any, *args: Any, **more: Any) -> Any:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input="")
        return value


class Day(fields.Field[date]):
    """A Vietnamese calendar day, YYYY-MM-DD, between 1900 and 2200."""

    def _serialize(self, value: date | None, *args: Any, **more: Any) -> str | None:
        return value.isoformat() if value else None

    def _deserialize(self, value: Any, *args: Any, **more: Any) -> date:
        try:
            if not isinstance(value, str) or not _DAY.fullmatch(value):
                raise ValueError("form")
            found = date.fromisoformat(value)
        except ValueError as why:
            raise ValidationError("A day is YYYY-MM-DD.") from why
        if not FIRST_YEAR <= found.year <= LAST_YEAR:
            raise ValidationError("A day lies between 1900 and 2200.")
        return found


class Instant(fields.Field[datetime]):
    """An RFC 3339 instant with its offset; written in UTC with Z."""

    def _serialize(self, value: datetime | None, *args: Any, **more: Any) -> str | None:
        return instant(value) if value else None

    def _deserialize(self, value: Any, *args: Any, **more: Any) -> datetime:
        try:
            if not isinstance(value, str) or not _INSTANT.fullmatch(value):
                raise ValueError("form")
            found = datetime.fromisoformat(value).astimezone(UTC)
            if not FIRST_YEAR <= found.year <= LAST_YEAR:
                raise ValueError("year")
            return found
        except (ValueError, OverflowError) as why:
            raise ValidationError(
                "An instant is RFC 3339 with an offset, like 2026-11-21T08:00:00Z."
            ) from why


class Code(fields.String):
    """A code of a list."""

    def __init__(self, allowed: Iterable[str], **options: Any) -> None:
        options.setdefault("validate", validate.OneOf(sorted(allowed)))
        super().__init__(**options)


class PeriodSchema(StrictSchema):
    """Inclusive Vietnamese days; an absent end is open."""

    first = Day(data_key="from", allow_none=True, load_default=None)
    last = Day(data_key="to", allow_none=True, load_default=None)


class LimitQuery(StrictSchema):
    """How much of a list."""

    limit = Digits(1, 100, load_default=20)


class PageQuery(LimitQuery):
    """How much of a list, and from where."""

    # Shorter than a request line may be at the server, or the longest could never be sent.
    cursor = Text(longest=2048, load_default=None)


def page_of(
    item: type[Schema], name: str, says: str, base: type[Schema] = ReplySchema, **more: fields.Field[Any]
) -> type[Schema]:
    """The schema of a list answer: items, the cursor to the next page, and what `more` there is."""
    members: dict[str, object] = {
        "__doc__": says,
        "__module__": item.__module__,
        "items": fields.List(fields.Nested(item)),
        "next_cursor": fields.String(allow_none=True),
        **more,
    }
    return type(name, (base,), members)


class ProblemFieldSchema(ReplySchema):
    """One thing that is wrong, and where."""

    pointer = fields.String()
    code = fields.String()
    message = fields.String()


class ProblemSchema(ReplySchema):
    """RFC 9457 problem details. `code` is stable; `title` and `detail` are in the reader's language."""

    type = fields.String()
    title = fields.String()
    status = fields.Integer()
    code = fields.String()
    detail = fields.String()
    request_id = fields.String()
    errors = fields.List(fields.Nested(ProblemFieldSchema), metadata={"absent": "nothing more is to be said"})
    remaining_attempts = fields.Integer(
        data_key="remainingAttempts",
        metadata={
            "absent": "only of a share link's passcode",
            "description": "as SMART Health Links names it",
        },
    )


def instant(moment: datetime) -> str:
    """RFC 3339 in UTC, always to the millisecond: one length, whatever the instant."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def listed(items: Sequence[Mapping[str, Any]], next_cursor: str | None = None) -> dict[str, Any]:
    """A list answer."""
    return {"items": list(items), "next_cursor": next_cursor}
