"""C23: six ways to tamper with the log in the database, each of which names the first bad entry.

Through the very documents, in groups and in the form before them; with the checkpoints that the wallet kept
outside while it wrote, which is what the last entries and a rebuilt chain are told by.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.audit.events import NOW, an_event
from wallet_api.audit.chain import AuditRow, chained
from wallet_api.audit.checkpoint import CheckpointSigner
from wallet_api.audit.export import CheckpointFolder
from wallet_api.audit.log import AccessLog
from wallet_api.audit.verify import LogFault, verify_all
from wallet_api.infra.crypto.keystore import MemoryKeyStore
from wallet_api.infra.mongo import Db
from wallet_api.stores.audit_log import MongoAuditLog, group_of, rows_of

SIGNER = CheckpointSigner(MemoryKeyStore())
COUNT = 12


@dataclass
class Kept:
    """A log of twelve entries in a database, three in a group; checkpoints were kept at 6 and at 12."""

    db: Db
    log_id: str
    folder: CheckpointFolder

    @property
    def documents(self) -> Any:
        return self.db["audit_log"]

    def group(self, seq: int) -> dict[str, Any]:
        found: dict[str, Any] = self.documents.find_one({"rows.seq": seq})
        return found

    def put(self, group: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        self.documents.update_one({"_id": group["_id"]}, {"$set": {"rows": rows}})

    def stored(self) -> list[AuditRow]:
        return [row for found in self.documents.find({}).sort("_id") for row in rows_of(found)]

    def first_bad(self) -> int | None:
        """What the verification names, with the checkpoints that were kept."""
        checkpoints = [SIGNER.open(text) for text in self.folder.all()]
        assert [each.size for each in checkpoints] == [6, COUNT]
        faults = verify_all(MongoAuditLog(self.db), checkpoints).faults
        assert all(isinstance(each, LogFault) and each.log_id == self.log_id for each in faults)
        return faults[0].seq if faults else None


@pytest.fixture
def kept(embedded_db: Db, tmp_path: Path) -> Iterator[Kept]:
    folder = CheckpointFolder(tmp_path)
    log = AccessLog(MongoAuditLog(embedded_db), lambda: NOW, SIGNER)
    for number in range(COUNT):
        log.append(an_event(number))
        if number in (5, COUNT - 1):
            text = log.checkpoint() or ""
            folder.keep(SIGNER.open(text), text)
    log.close()
    rows = [row for found in embedded_db["audit_log"].find({}).sort("_id") for row in rows_of(found)]
    embedded_db["audit_log"].delete_many({})
    for first in range(0, COUNT, 3):
        embedded_db["audit_log"].insert_one(group_of(rows[first : first + 3]))
    made = Kept(embedded_db, rows[0].log_id, folder)
    assert made.first_bad() is None
    yield made


def test_c23_a_flipped_bit_is_named(kept: Kept) -> None:
    group = kept.group(7)
    row = group["rows"][1]
    assert row["seq"] == 7
    for name in ("hash", "prev"):
        flipped = bytes([row[name][0] ^ 1]) + row[name][1:]
        kept.put(group, [group["rows"][0], row | {name: flipped}, group["rows"][2]])
        assert kept.first_bad() == 7
    for name, value in row["event"].items():
        if isinstance(value, str):
            changed = chr(ord(value[0]) ^ 1) + value[1:]
            event = row["event"] | {name: changed}
            kept.put(group, [group["rows"][0], row | {"event": event}, group["rows"][2]])
            assert kept.first_bad() == 7, name


def test_c23_a_dropped_row_is_named(kept: Kept) -> None:
    group = kept.group(7)
    kept.put(group, [row for row in group["rows"] if row["seq"] != 7])
    assert kept.first_bad() == 7
    kept.documents.delete_one({"_id": group["_id"]})
    assert kept.first_bad() == 6


@pytest.mark.parametrize("numbered_anew", [False, True])
def test_c23_two_swapped_rows_are_named(kept: Kept, numbered_anew: bool) -> None:
    one, other = kept.group(4), kept.group(8)
    four, eight = one["rows"][1], other["rows"][2]
    assert (four["seq"], eight["seq"]) == (4, 8)
    places = ({"seq": 4}, {"seq": 8}) if numbered_anew else ({}, {})
    kept.put(one, [one["rows"][0], eight | places[0], one["rows"][2]])
    kept.put(other, [*other["rows"][:2], four | places[1]])
    assert kept.first_bad() == 4


def test_c23_a_cut_tail_is_named_by_the_checkpoint_outside(kept: Kept) -> None:
    group = kept.group(10)
    kept.put(group, group["rows"][:1])
    kept.documents.update_one({"_id": group["_id"]}, {"$set": {"newest": "~"}})
    assert kept.first_bad() == 9, "a heading that does not fit names the group's last row"
    rows = kept.stored()[:10]
    kept.documents.replace_one({"_id": group["_id"]}, group_of(rows[9:]))
    assert verify_all(MongoAuditLog(kept.db)).ok, "nothing in the database tells of it"
    assert kept.first_bad() == 10
    kept.documents.delete_many({})
    assert kept.first_bad() == 0


def test_c23_a_rebuilt_chain_is_named_by_the_checkpoint_outside(kept: Kept) -> None:
    events = [dict(row.event) for row in kept.stored()]
    events[8]["reason"] = "own_record"
    kept.documents.delete_many({})
    for rows in (chained(kept.log_id, events)[first : first + 3] for first in range(0, COUNT, 3)):
        kept.documents.insert_one(group_of(rows))
    assert verify_all(MongoAuditLog(kept.db)).ok, "nothing in the database tells of it"
    assert kept.first_bad() == 6, "the first that no fitting checkpoint covers"


def test_c23_reordered_rows_are_named(kept: Kept) -> None:
    group = kept.group(4)
    kept.put(group, [group["rows"][0], group["rows"][2], group["rows"][1]])
    assert kept.first_bad() == 4
    kept.put(group, group["rows"])
    assert kept.first_bad() is None
    one, other = kept.group(3), kept.group(6)
    for found in (one, other):
        kept.documents.delete_one({"_id": found["_id"]})
    kept.documents.insert_one(one | {"_id": other["_id"]})
    kept.documents.insert_one(other | {"_id": one["_id"]})
    assert kept.first_bad() == 3


def test_c23_appends_at_once_keep_one_chain(embedded_db: Db) -> None:
    log = AccessLog(MongoAuditLog(embedded_db), lambda: NOW + timedelta(seconds=1), SIGNER)
    writers = [
        threading.Thread(target=lambda: [log.append(an_event(turn)) for turn in range(5)]) for _ in range(16)
    ]
    for each in writers:
        each.start()
    for each in writers:
        each.join(30)
    report = verify_all(MongoAuditLog(embedded_db), [SIGNER.open(log.checkpoint() or "")])
    assert (report.ok, report.logs, report.rows) == (True, 1, 80)
    log.close()
