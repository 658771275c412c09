"""Receipts say all they must, verify offline with public keys, and nothing else does."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import unicodedata
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.__main__ import main
from consent.notices import notice_for
from consent.receipt import ReceiptInvalid, content, signed, verified
from consent.receipt_fields import EVENT, MANDATORY, PARTY, lacking
from tests.consent.builders import NOW, make_scope
from tests.consent.keys import WALLET, ReceiptKey, make_grant, make_receipt
from tests.examples import examples

KEY = ReceiptKey.made()
KEYS = [KEY.jwk]
JWS = signed(make_receipt(), KEY.signing)


def test_a_receipt_verifies_and_says_what_was_agreed() -> None:
    found = verified(JWS, KEYS)
    assert found["purpose"] == "TREAT"
    assert found["privacy_notice"]["text"] == notice_for("TREAT", "vi").text
    assert found["event"][0]["event_time"] == "2026-11-23T02:00:00Z"


@pytest.mark.parametrize(
    "path",
    [*MANDATORY, *(f"pii_controllers/0/{name}" for name in PARTY), *(f"event/0/{each}" for each in EVENT)],
)
@pytest.mark.parametrize("gone", [True, False])
def test_no_mandatory_field_may_be_missing_or_empty(path: str, gone: bool) -> None:
    receipt: Any = make_receipt()
    assert lacking(receipt) == ()
    *way, name = path.split("/")
    part = receipt
    for step in way:
        part = part[int(step) if step.isdigit() else step]
    if gone:
        del part[name]
    else:
        part[name] = type(part[name])()
    with pytest.raises(ReceiptInvalid, match=name):
        verified(signed(receipt, KEY.signing), KEYS)


def test_the_difference_between_request_and_grant_is_told_dimension_by_dimension() -> None:
    asked = make_scope(labels=frozenset({"PSY"}))
    given_ = make_scope(categories=frozenset({"visit"}), expires_at=NOW + timedelta(days=1), uses=1)
    grant = make_grant(scope=given_, held_back=given_.narrowed_from(asked))
    found = content(grant, WALLET, WALLET, "", asked)
    told = {each["dimension"]: each for each in found["difference"]}  # type: ignore[attr-defined]  # a list
    assert set(told) == {"categories", "expires_at", "frequency", "labels"} == set(found["held_back"])  # type: ignore[call-overload]  # a list
    assert told["categories"]["asked"] == ["immunization", "visit"]
    assert told["categories"]["granted"] == ["visit"]
    assert told["frequency"] == {"dimension": "frequency", "asked": None, "granted": 1}
    assert found["asked"]["labels"] == ["PSY"]  # type: ignore[index]  # a mapping


def test_a_receipt_of_a_superseded_grant_still_verifies_and_says_so() -> None:
    old = make_grant()
    before = signed(make_receipt(), KEY.signing)
    gone = replace(old, state="superseded", version=2, ended_at=NOW)
    after = signed(content(gone, WALLET, WALLET, notice_for("TREAT", "vi").text), KEY.signing)
    assert verified(before, KEYS)["event"][0]["event_state"] == "granted"
    found = verified(after, KEYS)
    assert found["event"][0]["event_state"] == "superseded"
    assert found["record_id"] == verified(before, KEYS)["record_id"]
    assert found["receipt_id"] != verified(before, KEYS)["receipt_id"]


def test_a_text_and_a_digest_that_do_not_belong_together_are_refused() -> None:
    receipt: Any = make_receipt()
    receipt["privacy_notice"]["text"] += " "
    with pytest.raises(ReceiptInvalid, match="digest"):
        verified(signed(receipt, KEY.signing), KEYS)


def test_equal_receipts_are_equal_bytes_whatever_the_spelling_of_diacritics() -> None:
    decomposed = make_receipt(unicodedata.normalize("NFD", "Bệnh viện"))
    turned = dict(reversed(list(decomposed.items())))
    assert JWS.split(".")[:2] == signed(turned, KEY.signing).split(".")[:2]


@settings(max_examples=examples(60, 1000))
@given(place=st.integers(0, len(JWS) - 1), flip=st.integers(1, 127))
def test_no_changed_character_verifies(place: int, flip: int) -> None:
    changed = JWS[:place] + chr(ord(JWS[place]) ^ flip) + JWS[place + 1 :]
    with pytest.raises(ReceiptInvalid):
        verified(changed, KEYS)


def _header(**over: Any) -> str:
    head, body, _ = JWS.split(".")
    raw = json.loads(base64.urlsafe_b64decode(head + "==")) | over
    head = base64.urlsafe_b64encode(json.dumps(raw).encode()).decode().rstrip("=")
    signature = base64.urlsafe_b64encode(KEY.sign(f"{head}.{body}".encode())).decode().rstrip("=")
    return f"{head}.{body}.{signature}"


@pytest.mark.parametrize("over", [{"alg": "none"}, {"alg": "HS256"}, {"typ": "at+jwt"}, {"kid": "k2"}])
def test_another_algorithm_type_or_key_is_refused_even_if_well_signed(over: dict[str, str]) -> None:
    assert verified(_header(), KEYS)
    with pytest.raises(ReceiptInvalid):
        verified(_header(**over), KEYS)


@pytest.mark.parametrize("broken", [{"x": "AA"}, {"x": None}, {"y": "!"}, {"x": "A" * 43}])
def test_a_key_that_is_none_verifies_nothing(broken: dict[str, Any]) -> None:
    with pytest.raises(ReceiptInvalid):
        verified(JWS, [KEY.jwk | broken])


# --- the command -------------------------------------------------------------------------------------------


def _files(folder: Path, receipt: str = "", keys: str = "") -> list[str]:
    (folder / "receipt.json").write_text(receipt or json.dumps({"receipt": JWS}))
    (folder / "jwks.json").write_text(keys or json.dumps({"keys": KEYS}))
    return ["verify", str(folder / "receipt.json"), "--keys", str(folder / "jwks.json")]


def test_the_command_verifies_a_file_offline(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "consent", *_files(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.startswith("genuine")) == (0, True)


def test_a_bare_jws_will_do(tmp_path: Path) -> None:
    assert main(_files(tmp_path, receipt=JWS + "\n")) == 0


@pytest.mark.parametrize(
    "receipt", [JWS[:-4] + "AAAA", "{}", "[]", "x", '{"receipt": 1}', "{" * 9999, "a.b.c"]
)
def test_what_is_forged_or_no_receipt_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], receipt: str
) -> None:
    assert main([*_files(tmp_path, receipt), "--language", "en"]) == 1
    assert capsys.readouterr().err.startswith("NOT GENUINE: forged or changed (")


@pytest.mark.parametrize("keys", ["{}", "[]", "x", '{"keys": {}}', '{"keys": [1]}', "[" * 9999])
def test_keys_that_cannot_be_read_end_with_2_and_no_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], keys: str
) -> None:
    assert main([*_files(tmp_path, keys=keys), "--language", "en"]) == 2
    told = capsys.readouterr()
    assert told.err.startswith("cannot read the keys: ") and "GENUINE" not in told.err and not told.out


def test_a_missing_file_or_word_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = _files(tmp_path)
    (tmp_path / "receipt.json").unlink()
    assert main(words) == 2
    for incomplete in (words[:2], ["verify"], [], ["check"]):
        with pytest.raises(SystemExit) as ended:
            main(incomplete)
        assert ended.value.code == 2
    capsys.readouterr()


def test_the_verdict_comes_in_both_languages_and_says_what_it_does_not_prove(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = signed(make_receipt(state="withdrawn", held_back=("labels",)), KEY.signing)
    assert main([*_files(tmp_path, gone), "--language", "vi"]) == 0
    told = capsys.readouterr().out
    assert "biên nhận là thật" in told and "withdrawn" in told and "không cho: labels" in told
    assert main([*_files(tmp_path, gone), "--language", "en"]) == 0
    assert "Only the wallet can tell" in capsys.readouterr().out
    assert main([*_files(tmp_path, "x"), "--language", "vi"]) == 1
    assert "giả hoặc đã bị sửa" in capsys.readouterr().err
