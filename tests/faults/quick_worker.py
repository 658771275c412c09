"""The product's own worker with a faster beat. Run as a program by the tests."""

from __future__ import annotations

import sys

from wallet_api import tasks
from wallet_api.cli import main
from wallet_api.wiring import build_services

if __name__ == "__main__":
    tasks.EVERY.update({tasks.WAKE_TASK: 0.5, tasks.TODAY_TASK: 2.0, tasks.SWEEP_TASK: 1.0})
    sys.exit(main(["worker"], work=lambda settings: tasks.run_worker(settings, build_services)))
