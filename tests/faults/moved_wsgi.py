"""The WSGI entry on a machine whose own clock a file moves: `gunicorn tests.faults.moved_wsgi:app`.

Only the machine's clock is replaced. What the product makes of it is the product's.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from wallet_api.infra.clock import FileClock, SteadyClock

SteadyClock.__init__.__defaults__ = (FileClock(Path(os.environ["MOVED_CLOCK"])), time.monotonic)  # type: ignore[attr-defined]  # a function has them

from wsgi import app  # noqa: E402 - the application reads the clock when it is built

__all__ = ["app"]
