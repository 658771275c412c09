"""How our own kinds of fields look in the published document: exactly what they take, as JSON Schema."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from wallet_api.routes.schemas.base import Day, Instant, Text

ID_PATTERN = "^[a-z2-7]{26}$"
REFERENCE_PATTERN = "^[A-Za-z0-9_-]{43,214}$"
SEALED_PATTERN = "^[A-Za-z0-9_-]+$"
IF_MATCH_PATTERN = '^"[!#-~]{1,64}"$'
ETAG_PATTERN = '^"[A-Za-z0-9_-]{1,64}"$'
# Tab and line breaks are text; everything else without a shape is not.
TEXT_PATTERN = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]+$"
# The years of schemas/base.py.
_YEAR = "(19[0-9]{2}|2[01][0-9]{2}|2200)"
_DATE = f"{_YEAR}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
DAY_PATTERN = f"^{_DATE}$"
_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_OFFSET = "(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
_ONLY_NULL = {"type": "object", "nullable": True, "enum": [None]}
INSTANT_PATTERN = rf"^{_DATE}T{_CLOCK}(\.[0-9]{{1,9}})?{_OFFSET}$"


def published(_converter: Any, field: fields.Field[Any], ret: dict[str, Any], **_: Any) -> dict[str, Any]:
    """The JSON Schema members of one field, beyond `ret`, which the library found by itself.

    A field may say its whole shape in its metadata, as `json_schema`.
    """
    if isinstance(field, Day):
        return {"type": "string", "format": "date", "pattern": DAY_PATTERN}
    if isinstance(field, Instant):
        return {"type": "string", "format": "date-time", "pattern": INSTANT_PATTERN}
    if isinstance(field, Text):
        return {"pattern": field.metadata.get("pattern", TEXT_PATTERN)}
    if isinstance(field, fields.Nested) and field.allow_none:
        # The library lets any object pass where null may stand.
        return {"anyOf": [next(each for each in ret["anyOf"] if "$ref" in each), _ONLY_NULL]}
    if "pattern" in ret:
        return {"pattern": ret["pattern"].replace(r"\A", "^").replace(r"\Z", "$")}
    return dict(field.metadata.get("json_schema", {}))


def without_null(schema: dict[str, Any]) -> None:
    """Take back that a query parameter may be null: a query has no word for it."""
    schema.pop("nullable", None)
    if schema.get("default", "") is None:
        del schema["default"]
    for each in (schema, schema.get("items", {})):
        if None in each.get("enum", ()):
            each["enum"] = [one for one in each["enum"] if one is not None]
