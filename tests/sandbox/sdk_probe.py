"""Sends one message per address with the official library and prints what each ended in, as JSON.

Run as its own process: the library is pointed at the sandbox by HTTPS_PROXY, a process-wide setting.
"""

from __future__ import annotations

import json
import sys

import firebase_admin
from firebase_admin import credentials, exceptions, messaging


def outcome(app: firebase_admin.App, address: str) -> str:
    try:
        return messaging.send(messaging.Message(fid=address, data={"reminder": "r"}), app=app)
    except exceptions.FirebaseError as why:
        return type(why).__name__


if __name__ == "__main__":
    made = firebase_admin.initialize_app(credentials.Certificate(sys.argv[1]))
    sys.stdout.write(json.dumps({address: outcome(made, address) for address in sys.argv[2:]}))
