"""Rebuilds as ops ask for them and see them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from marshmallow import fields

from notifications.effects import Effect, Part, Range
from notifications.rebuilds import Preview, Progress, Rebuild, State
from notifications.reminders import SHARDS
from wallet_api.routes.schemas.base import Code, Day, Flag, Instant, ReplySchema, StrictSchema, Whole, page_of

FEW = 10
"""Counts of people or their reminders below this are not shown."""
_SIGNS = ("appear", "vanish", "move")
_HIDDEN = {"description": "null stands for fewer than 10, which is left out of every total too"}


class RebuildForm(StrictSchema):
    """What to make anew. A preview of some of the shards is enough for a nation, and says how sure it is."""

    dry_run = Flag(load_default=True)
    sample_shards = Whole(
        2,
        SHARDS,
        load_default=SHARDS,
        metadata={"description": "how many of the 64 shards the preview counts"},
    )


class RebuildDecisionForm(StrictSchema):
    """Let it go, or stop it."""

    decision = Code(("approve", "cancel"), required=True)


class RebuildRangeSchema(ReplySchema):
    """An estimate for all shards with its 95 % range."""

    low = fields.Integer(allow_none=True, metadata=_HIDDEN)
    likely = fields.Integer(allow_none=True, metadata=_HIDDEN)
    high = fields.Integer(allow_none=True, metadata=_HIDDEN)


class RebuildEffectSchema(ReplySchema):
    """What changes in one series, in the shards that were counted."""

    programme_id = fields.String()
    series_id = fields.String()
    appear = fields.Integer(allow_none=True, metadata=_HIDDEN)
    vanish = fields.Integer(allow_none=True, metadata=_HIDDEN)
    move = fields.Integer(allow_none=True, metadata=_HIDDEN)


class RebuildPreviewSchema(ReplySchema):
    """What the rules would change: reminders that appear, vanish, or move to another day."""

    plans = fields.Integer(metadata={"description": "plans that were looked at"})
    failed = fields.Integer(metadata={"description": "of them, those that could not be judged"})
    appear = fields.Nested(RebuildRangeSchema)
    vanish = fields.Nested(RebuildRangeSchema)
    move = fields.Nested(RebuildRangeSchema)
    series = fields.List(fields.Nested(RebuildEffectSchema))


class RebuildProgressSchema(ReplySchema):
    """How far it is, in the phase it is in or ended with."""

    shards_done = fields.Integer()
    shards = fields.Integer()
    plans = fields.Integer()
    anew = fields.Integer(metadata={"description": "plans made anew; 0 while it previews"})
    already = fields.Integer(metadata={"description": "plans an event had made anew before"})
    failed = fields.Integer()


class RebuildSchema(ReplySchema):
    """One rebuild."""

    id = fields.String()
    rules = fields.String(metadata={"description": "the version of the rules it plans by"})
    dry_run = fields.Boolean()
    state = Code(get_args(State))
    asked_by = fields.String()
    asked_at = Instant()
    decided_by = fields.String(allow_none=True)
    ended_at = Instant(allow_none=True)
    let_in_from = Day(allow_none=True)
    let_in_days = fields.Integer(metadata={"description": "days over which late reminders come"})
    progress = fields.Nested(RebuildProgressSchema)
    preview = fields.Nested(RebuildPreviewSchema, allow_none=True)


RebuildPage = page_of(RebuildSchema, "RebuildPage", "Rebuilds, the last first.")


def rebuild_view(found: Rebuild, progress: Progress) -> dict[str, Any]:
    """A rebuild ready to be written."""
    names = ("id", "rules", "dry_run", "state", "asked_by", "asked_at", "decided_by", "ended_at")
    counts = {name: progress.counts.get(name, 0) for name in ("anew", "already", "failed")}
    far = {"shards_done": progress.shards_done, "shards": progress.shards, "plans": progress.rows} | counts
    return {name: getattr(found, name) for name in names} | {
        "let_in_from": found.from_day,
        "let_in_days": found.over_days,
        "progress": far,
        "preview": None if found.preview is None else _preview_view(found.preview),
    }


def _preview_view(found: Preview) -> dict[str, Any]:
    series = [_row(part, effect) for part, effect in sorted(found.parts.items())]
    ranges = {sign: _range_view(getattr(found, sign), sign, found.parts.values()) for sign in _SIGNS}
    return {"plans": found.rows, "failed": found.failed, "series": series} | ranges


def _row(part: Part, effect: Effect) -> dict[str, Any]:
    shown = {sign: _shown(getattr(effect, sign)) for sign in _SIGNS}
    return {"programme_id": part[0], "series_id": part[1]} | shown


def _range_view(found: Range, sign: str, parts: Iterable[Effect]) -> dict[str, int | None]:
    """The range without what its rows leave out, in proportion: or a total would tell what a row hides."""
    counts = [getattr(each, sign) for each in parts]
    whole, told = sum(counts), sum(count for count in counts if _shown(count) is not None)
    share = told / whole if whole else 1.0
    return {name: _shown(round(getattr(found, name) * share)) for name in ("low", "likely", "high")}


def _shown(count: int) -> int | None:
    return None if 0 < count < FEW else count
