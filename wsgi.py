"""The WSGI entry: `gunicorn wsgi:app`."""

from __future__ import annotations

import gc
import os

from wallet_api.app import create_app
from wallet_api.settings import Settings

app = create_app(Settings.from_env(os.environ))
# What is loaded by now stays as long as this worker, and is not looked through for garbage again and again.
gc.freeze()
