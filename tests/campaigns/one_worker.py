"""A worker that runs one campaign until it is killed: `python one_worker.py URI DATABASE FOLDER CAMPAIGN`."""

from __future__ import annotations

import sys

from notifications.campaigns import running
from wallet_api.infra.mongo import open_database
from wallet_api.settings import Settings
from wallet_api.wiring import build_services


def main(uri: str, database: str, folder: str, campaign: str) -> None:
    running.PAGE = 2  # many small pages, so that a kill finds one half way
    settings = Settings.from_env(
        {
            "WALLET_ENV": "dev",
            "WALLET_DATA_DIR": folder,
            "WALLET_CLOCK_FILE": f"{folder}/clock",
            "WALLET_DATABASE": database,
            "WALLET_VNEID_ISSUER": "http://127.0.0.1:9",
            "WALLET_OPS_ISSUER": "http://127.0.0.1:9",
            "WALLET_LIMITS": "off",
        }
    )
    runner = build_services(settings, open_database(uri, database)).reminding.runner
    print("ready", flush=True)
    while True:
        runner.turn(campaign)


if __name__ == "__main__":
    main(*sys.argv[1:])
