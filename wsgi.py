"""The WSGI entry: `gunicorn wsgi:app`."""

from __future__ import annotations

import gc
import os

# What is loaded from here on stays as long as this worker: it is never looked through for garbage.
gc.disable()

from wallet_api.app import create_app  # noqa: E402 - as above
from wallet_api.settings import Settings  # noqa: E402 - as above

app = create_app(Settings.from_env(os.environ))
gc.freeze()
gc.enable()
