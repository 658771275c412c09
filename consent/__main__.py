"""`python -m consent verify receipt.json --keys jwks.json`: check a receipt with nothing but public keys."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from consent.receipt import ReceiptInvalid, verified


def main(argv: list[str]) -> int:
    """Exit status 0: the receipt is genuine, its content is printed. 1: it is not, or cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m consent", description="Verify consent receipts offline.")
    commands = parser.add_subparsers(required=True)
    verify = commands.add_parser("verify", help="check a receipt against published keys")
    verify.add_argument("receipt", type=Path, help='file holding the JWS, or {"receipt": JWS}')
    verify.add_argument("--keys", type=Path, required=True, help="the wallet's published key set (JWKS)")
    args = parser.parse_args(argv)
    try:
        found = verified(_jws(args.receipt), json.loads(args.keys.read_text())["keys"])
    except (OSError, ValueError, KeyError) as why:
        return _tell(f"cannot read: {why.__class__.__name__}: {why}")
    except ReceiptInvalid as why:
        return _tell(f"NOT GENUINE: {why}")
    sys.stdout.write("genuine\n" + json.dumps(found, ensure_ascii=False, indent=2) + "\n")
    return 0


def _jws(path: Path) -> str:
    text = path.read_text().strip()
    return str(json.loads(text)["receipt"]) if text.startswith("{") else text


def _tell(sentence: str) -> int:
    sys.stderr.write(sentence + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
