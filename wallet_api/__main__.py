"""`python -m wallet_api COMMAND`: everything an operator or a developer starts by hand."""

import gc
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - told in a sentence here, where any Python can still read it
    sys.exit(f"The wallet needs Python 3.11 or newer; this is {sys.version.split()[0]}.")

# What is loaded from here on stays: to look through it for garbage meanwhile is a seventh of a start.
gc.disable()

from collections.abc import Callable, Sequence  # noqa: E402 - as above

from wallet_api.cli import main  # noqa: E402 - as above
from wallet_api.settings import Settings  # noqa: E402 - as above


def _work(settings: Settings) -> int:
    # Commands and tasks are strangers to each other; they meet here alone, and only when asked for.
    from wallet_api.tasks import run_worker
    from wallet_api.wiring import build_services

    return run_worker(settings, build_services)


def _loop(settings: Settings, shards: Sequence[int], ready: Callable[[], object]) -> int:
    from wallet_api.tasks import run_loop
    from wallet_api.wiring import build_services

    return run_loop(settings, build_services, shards, ready)


if __name__ == "__main__":
    gc.enable()
    code = main(sys.argv[1:], work=_work, loop=_loop)
    gc.freeze()  # nor is it looked through once more at the end, which takes as long
    sys.exit(code)
