"""What the story prints: numbered steps, each with its calls and what was answered; and what it demands."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from wallet_api.cli.screen import tell
from wallet_api.cli.story.clients import Answered

_OPAQUE = re.compile(
    r"\b[a-z2-7]{26}\b|(?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]*[0-9A-Z])[A-Za-z0-9_-]{24,}(?![A-Za-z0-9_-])"
)
_KEPT = 6


class StoryFailed(Exception):
    """A step is not as it must be; the message is one sentence."""


class Journal:
    """Prints the story and stops it at the first thing that is not as it must be."""

    def __init__(self) -> None:
        self._step = 0
        self._title = ""

    @property
    def steps(self) -> int:
        """How many steps there were."""
        return self._step

    def step(self, title: str) -> None:
        """Begin the next step."""
        self._step += 1
        self._title = title
        tell(f"{self._step:2}. {title}")

    def heard(self, who: str) -> Callable[[Answered], None]:
        """A listener that prints each call of one client."""

        def listen(answer: Answered) -> None:
            path = answer.path.partition("?")
            query = f"?{path[2]}" if path[2] else ""
            code = f" {answer.code}" if answer.status >= 400 else ""
            tell(f"      {who}: {answer.method} {shortened(path[0])}{query} -> {answer.status}{code}")

        return listen

    def note(self, **fields: object) -> None:
        """Print essential fields of what was answered."""
        for name, value in fields.items():
            told = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            tell(f"        {name.replace('_', ' ')}: {shortened(told)}")

    def must(self, holds: bool, sentence: str) -> None:
        """Demand that something holds.

        Raises:
            StoryFailed: it does not.
        """
        if not holds:
            raise StoryFailed(f"Step {self._step} ({self._title}) is not as it must be: {sentence}")

    def answered(self, answer: Answered, status: int, code: str = "") -> Any:
        """Demand a status (and a code); the body.

        Raises:
            StoryFailed: another one came.
        """
        wanted, got = f"{status} {code}".strip(), f"{answer.status} {answer.code}".strip()
        right = answer.status == status and (not code or answer.code == code)
        self.must(right, f"{answer.method} {shortened(answer.path)} answered {got}, {wanted} was expected.")
        return answer.body

    def soon(self, what: str, look: Callable[[], Any], patience: float = 20.0) -> Any:
        """Ask until `look` gives something, and give that back.

        Raises:
            StoryFailed: it gave nothing for that many seconds.
        """
        limit = time.monotonic() + patience
        while not (found := look()):
            self.must(time.monotonic() < limit, f"{what} did not happen within {patience:g} seconds.")
            time.sleep(0.25)
        return found


def shortened(text: str) -> str:
    """The text with every opaque id cut to its first six characters."""
    return _OPAQUE.sub(lambda found: found[0][:_KEPT] + "…", text)
