"""`reminders rebuild`: all stored plans made anew by the rules of today, shard by shard, on after a kill."""

from __future__ import annotations

import argparse
import getpass
import time

from notifications.rebuilding import Rebuilding
from notifications.rebuilds import Bounds, Preview, Rebuild
from notifications.reminders import SHARDS
from wallet_api.cli.opened import opened_services, settings_here
from wallet_api.cli.progress import Progress
from wallet_api.cli.screen import CannotDo, tell
from wallet_api.infra.ids import new_id

_PATIENCE = 0.5  # seconds between two looks at what others hold


def add(acts: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = acts.add_parser(
        "rebuild",
        help="make all stored plans anew after a change of programmes",
        description="Count what the rules of this release would change, then make the stored plans anew. "
        "Broken off and given again, it goes on where it stopped; any number may run, for the same shards or "
        "others, beside the worker. More new reminders than one person may let go wait until somebody of "
        "ops approves them over the API; then give it again.",
    )
    every = range(SHARDS)
    parser.add_argument("--shards", type=_shards, default=every, metavar="A-B", help="only these (0-63)")
    parser.add_argument("--dry-run", action="store_true", help="count, and change nothing")
    parser.add_argument("--sample", type=int, default=SHARDS, metavar="N", help="count in N shards only")
    parser.add_argument(
        "--a-second", type=int, default=Bounds().a_second, metavar="N", help="plans a second at most (200)"
    )
    parser.set_defaults(do=_rebuild)


def _shards(text: str) -> range:
    first, _, last = text.partition("-")
    try:
        found = range(int(first), int(last or first) + 1)
    except ValueError:
        found = range(0)
    if not found or found[0] < 0 or found[-1] >= SHARDS:
        raise argparse.ArgumentTypeError(f"shards are 0-{SHARDS - 1}, like 0-15 or 7")
    return found


def _rebuild(options: argparse.Namespace) -> int:
    if options.sample < 2 or options.a_second < 1:
        raise CannotDo("--sample is a whole number from 2, --a-second from 1.")
    with opened_services(settings_here()) as (services, _database):
        desk = services.reminding.upkeep.rebuilding
        made = None if options.dry_run else desk.running(options.shards)
        if made is None:
            by = f"cli:{getpass.getuser()}"
            wanted = options.shards
            made = desk.begin(new_id(), by, dry_run=options.dry_run, shards=wanted, sample=options.sample)
        else:
            tell(f"Going on with rebuild {made.id}.")
        made = _walked(desk, made, options.shards, options.a_second)
        return _told(desk, made)


def _walked(desk: Rebuilding, made: Rebuild, shards: range, a_second: int) -> Rebuild:
    """Take it on until it waits or has ended, or nothing is left of these shards."""
    pace, phase = _Pace(a_second), ""
    bar: Progress | None = None
    shown = 0
    while (found := desk.get(made.id)).state in ("previewing", "running"):
        if found.state != phase:
            if bar is not None:
                bar.end()
            phase, shown = found.state, 0
            bar = Progress(*_bar_of(found))
        mine = range(SHARDS) if phase == "previewing" else shards
        done = desk.step(shards=mine)
        far = desk.progress(desk.get(made.id))
        count = far.shards_done if phase == "previewing" else far.rows
        if bar is not None and count > shown:
            bar.add(count - shown)
            shown = count
        if not done and phase == "running" and desk.passed(found, shards):
            break
        pace.rest(done)
    if bar is not None:
        bar.end()
    return desk.get(made.id)


def _bar_of(made: Rebuild) -> tuple[str, int]:
    if made.state == "previewing":
        return "previewing, in shards", len(made.looked_at)
    rows = made.preview.rows if made.preview is not None else 0
    return "planning anew", round(rows * len(made.shards) / len(made.looked_at))


class _Pace:
    """Keeps to so many plans a second."""

    def __init__(self, a_second: int) -> None:
        self._a_second = a_second
        self._free = time.monotonic()

    def rest(self, done: int) -> None:
        """Wait until as many more may be done."""
        if not done:
            time.sleep(_PATIENCE)
        self._free = max(self._free, time.monotonic() - 1.0) + done / self._a_second
        time.sleep(max(0.0, self._free - time.monotonic()))


def _told(desk: Rebuilding, made: Rebuild) -> int:
    if made.preview is not None:
        _tell_preview(made, made.preview)
    counts = desk.progress(made).counts
    if made.state == "waiting":
        tell(
            f"More than {desk.bounds.alone:,} reminders may appear, so a second person lets it go: "
            f"POST /api/v1/ops/programmes/rebuilds/{made.id}/decision. Then give this command again."
        )
        return 1
    if made.from_day is not None:
        anew, already, failed = (counts.get(name, 0) for name in ("anew", "already", "failed"))
        tell(f"{made.state}: {anew:,} plans made anew, {already:,} were, {failed:,} failed.")
        tell(f"What is late by the new rules alone comes over {made.over_days} days from {made.from_day}.")
        return 0 if made.state in ("done", "running") and not failed else 1
    return 0 if made.state == "done" else 1


def _tell_preview(made: Rebuild, found: Preview) -> None:
    total = found.total
    tell(f"Rules {made.rules}: {found.rows:,} plans in {len(made.looked_at)} shards looked at.")
    tell(f"{total.appear:,} reminders appear, {total.vanish:,} vanish, {total.move:,} move.")
    if found.appear.low != found.appear.high:
        ranges = (("appear", found.appear), ("vanish", found.vanish), ("move", found.move))
        told = ", ".join(f"{each.low:,} to {each.high:,} {name}" for name, each in ranges)
        tell(f"Of all {len(made.shards)} shards, with 95 % certainty: {told}.")
    for (programme, series), effect in sorted(found.parts.items()):
        tell(f"  {programme}/{series}: +{effect.appear:,} -{effect.vanish:,} moved {effect.move:,}")
    if found.failed:
        tell(f"{found.failed:,} plans could not be judged.")
