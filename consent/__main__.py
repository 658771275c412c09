"""`python -m consent`: check receipts and decisions with nothing but files. Needs no wallet and no network.

    python -m consent verify receipt.json --keys jwks.json [--language vi]
    python -m consent cases list
    python -m consent cases answer < questions.jsonl
    python -m consent cases run [--against 'command'] [--verbose]

Exit status: 0 as it must be, 1 forged, changed or decided wrongly, 2 not usable as given.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from consent.cases.running import list_cases, run_cases, serve_lines
from consent.verifying import LANGUAGES, verify_files


def main(argv: list[str]) -> int:
    """Do what the words say; the exit status. Words that say nothing end with 2."""
    args = _parser().parse_args(argv)
    status: int = args.do(args)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m consent", description="Check consent with files alone.")
    commands = parser.add_subparsers(required=True)
    verify = commands.add_parser("verify", help="check a receipt against published keys")
    verify.add_argument("receipt", type=Path, help='file holding the JWS, or {"receipt": JWS}')
    verify.add_argument("--keys", type=Path, required=True, help="the wallet's published key set (JWKS)")
    verify.add_argument("--language", choices=LANGUAGES, default=_language(), help="of what is told")
    verify.set_defaults(do=lambda args: verify_files(args.receipt, args.keys, args.language))
    cases = commands.add_parser("cases", help="the published decision cases").add_subparsers(required=True)
    listing = cases.add_parser("list", help="name every case")
    listing.set_defaults(do=lambda _: list_cases())
    run = cases.add_parser("run", help="have every case decided and compare; by our own engine by default")
    run.add_argument("--against", metavar="COMMAND", help="decides one case a line: JSON in, JSON out")
    run.add_argument("--verbose", action="store_true", help="name the cases that were right, too")
    run.set_defaults(do=lambda args: run_cases(args.against, verbose=args.verbose))
    answer = cases.add_parser("answer", help="decide cases from standard input, JSON in, JSON out")
    answer.set_defaults(do=lambda _: serve_lines())
    return parser


def _language() -> str:
    """Vietnamese where the machine speaks it, else English."""
    said = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return "vi" if said.lower().startswith("vi") else "en"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
