"""Backups: the database here, the wrapped keys there, and both back into an empty database.

A database backup alone opens nothing: every sealed value needs a wrapped key, and every wrapped key needs a
key-encryption key, which never leaves the key store. Backups of wrapped keys live at most 31 days, so that
a citizen whose keys are destroyed is gone from old database backups too.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from wallet_api.audit.chain import AuditRow, leaf_of, verify
from wallet_api.audit.checkpoint import Checkpoint, CheckpointSigner
from wallet_api.audit.errors import BadCheckpoint
from wallet_api.audit.merkle import Frontier
from wallet_api.audit.model import instant_text
from wallet_api.audit.verify import verify_all
from wallet_api.infra.archive import (
    ArchiveError,
    check_files,
    entries,
    read_manifest,
    write_manifest,
)
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.crypto.keystore import KeyStore
from wallet_api.infra.migrations import applied
from wallet_api.infra.mongo import Db, ensure_indexes
from wallet_api.migrations import MIGRATIONS
from wallet_api.stores import backup
from wallet_api.stores.audit_log import MongoAuditLog
from wallet_api.stores.citizen_keys import COLLECTION as KEYS
from wallet_api.stores.citizen_keys import MongoCitizenKeys
from wallet_api.stores.erasures import TOMBSTONES, MongoErasures
from wallet_api.stores.restrictions import MongoRestrictions
from wallet_api.stores.sealed_fields import SealReport, check_sealed, sealed_documents
from wallet_api.wiring.indexes import ALL_INDEXES

KEYS_LIVE: Final = timedelta(days=31)
TRANSIENT: Final = frozenset(each.collection for each in ALL_INDEXES if each.ttl is not None)
"""What clears itself away: sign-ins, sessions, codes, counts. A restore ends them, and so revives none."""
_NAME: Final = re.compile(r"(database|keys)-\d{4}-\d\d-\d\dT\d{6}\.\d{3}Z")

Count = Callable[[int], None]
Bar = Callable[[str, int], Count]


class RestoreRefused(Exception):
    """A backup cannot be made or restored here; nothing was changed."""

    code: ClassVar[str] = "restore_refused"


@dataclass(frozen=True)
class BackupMade:
    """A finished backup."""

    folder: Path
    documents: int
    consistency: str
    log_rows: int
    log_faults: tuple[str, ...]


@dataclass(frozen=True)
class Restored:
    """What a restore found to be true."""

    documents: int
    keys: int
    log_rows: int
    checkpoints: int
    grants_ended: int
    sealed: SealReport


class Safekeeping:
    """Makes and restores backups of one wallet. `bar` begins a progress bar and gives how to move it."""

    def __init__(self, db: Db, keys: KeyStore, now: Callable[[], datetime], keys_dir: Path, bar: Bar) -> None:
        self._db = db
        self._keys = keys
        self._now = now
        self._keys_dir = keys_dir
        self._bar = bar

    def back_up(self, to: Path) -> BackupMade:
        """Write the database without wrapped keys and without what is transient into a new folder in `to`.

        The wallet may go on serving. Raises RestoreRefused, ArchiveError.
        """
        self._check_apart(to, "database")
        folder, at = self._new_folder(to, "database")
        with backup.one_moment(self._db) as (session, consistency):
            names = backup.names_to_keep(self._db, TRANSIENT)
            count, places = self._bar("database", backup.about(self._db, names)), backup.LogPlaces()

            def seen(block: bytes, documents: int) -> None:
                count(documents)

            def seen_log(block: bytes, documents: int) -> None:
                places(block, documents)
                count(documents)

            files = [
                backup.dump(self._db, session, name, folder, seen_log if name == "audit_log" else seen)
                for name in names
            ]
        checkpoints, faults = self._vouch(places.last, at)
        body = self._body("database", at) | {
            "consistency": consistency,
            "left_out": sorted(TRANSIENT | {KEYS, TOMBSTONES}),
            "schema": {f"{n:04d}": int(each.stage) for n, each in applied(self._db).items()},
            "log": checkpoints,
            "log_faults": faults,
        }
        write_manifest(folder, body, files, self._sign)
        documents = sum(each.documents for each in files)
        return BackupMade(folder, documents, consistency, _rows_of(files, "audit_log"), tuple(faults))

    def back_up_keys(self, to: Path) -> tuple[Path, int, int]:
        """Write the wrapped keys into a new folder in `to`; it, how many keys, and how many old ones went.

        The tombstones go with them, so that a restore knows of erasures younger than its data. Backups of
        wrapped keys in `to` that are older than 31 days are deleted.
        """
        self._check_apart(to, "keys")
        gone = self._delete_old_keys(to)
        folder, at = self._new_folder(to, "keys")
        count = self._bar("wrapped keys", backup.about(self._db, [KEYS]))
        with backup.one_moment(self._db) as (session, consistency):
            file, stones = (
                backup.dump(self._db, session, name, folder, lambda _, documents: count(documents))
                for name in (KEYS, TOMBSTONES)
            )
        body = self._body("keys", at) | {"consistency": consistency, "kek_ids": self._kek_ids()}
        write_manifest(folder, body, [file, stones], self._sign)
        return folder, file.documents, gone

    def restore(self, source: Path, keys: Path) -> Restored:
        """Put a database backup and a backup of wrapped keys into an empty database, and prove it whole.

        Everything that can be known is checked before the first write. What fails later leaves the database
        empty; a process that dies leaves a mark that no wallet starts on, and the next restore clears.
        Raises RestoreRefused, ArchiveError.
        """
        manifest, key_manifest = self._checked(source, keys)
        full = backup.filled(self._db)
        if full is not None:
            raise RestoreRefused(
                f"The database is not empty ({full} holds something): restore into a new one."
            )
        backup.begin_restore(self._db, manifest["made_at"])
        try:
            restored = self._load(source, keys, manifest, key_manifest)
        except BaseException:
            backup.clear(self._db)
            raise
        backup.end_restore(self._db)
        return restored

    def _checked(self, source: Path, keys: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        manifest = read_manifest(source, "database", self._verify)
        key_manifest = read_manifest(keys, "keys", self._verify)
        if self._now() - datetime.fromisoformat(key_manifest["made_at"]) > KEYS_LIVE:
            raise RestoreRefused(
                "This backup of wrapped keys is older than 31 days and must not exist: use a newer one, "
                "and delete this one wherever it lies."
            )
        newer = [name for name in manifest["schema"] if int(name) > len(MIGRATIONS)]
        if newer:
            raise RestoreRefused(
                f"The backup was made by a newer release (migration {max(newer)}): restore it with that one."
            )
        for folder, told in ((source, manifest), (keys, key_manifest)):
            total = sum(each.documents for each in entries(told))
            check_files(folder, told, self._bar(f"checking {told['kind']}", total))
        return manifest, key_manifest

    def _load(
        self, source: Path, keys: Path, manifest: Mapping[str, Any], key_manifest: Mapping[str, Any]
    ) -> Restored:
        files = entries(manifest)
        count = self._bar("restoring", sum(each.documents for each in files))
        documents = sum(backup.load(self._db, source, each.name, count) for each in files)
        loaded = {each.name: backup.load(self._db, keys, each.name, count) for each in entries(key_manifest)}
        wrapped = loaded[KEYS]
        ensure_indexes(self._db, ALL_INDEXES)
        self._erase_again()
        ended = backup.settle(self._db)
        texts = [each["checkpoint"] for each in manifest["log"]]
        rows = self._verify_log(texts, manifest["log_faults"])
        sealed = self.check_sealed()
        if sealed.broken:
            raise RestoreRefused(
                f"{len(sealed.broken)} sealed values do not open, first {sealed.broken[0]}: the backup of "
                "wrapped keys belongs to another database or was changed. Nothing was restored."
            )
        return Restored(documents, wrapped, rows, len(texts), ended, sealed)

    def _erase_again(self) -> None:
        """What was erased after the data was backed up is not opened by it any more; now it is gone again."""
        cipher = CitizenCipher(MongoCitizenKeys(self._db), self._keys, self._now)
        MongoErasures(self._db, cipher).erase_again(MongoRestrictions(self._db))

    def check_sealed(self) -> SealReport:
        """Open every sealed value of the database."""
        cipher = CitizenCipher(MongoCitizenKeys(self._db), self._keys, self._now)
        return check_sealed(self._db, cipher, self._bar("opening", sealed_documents(self._db)))

    def _vouch(self, last: Mapping[str, int], at: datetime) -> tuple[list[dict[str, Any]], list[str]]:
        """A signed checkpoint of each log as far as it was written, and the logs that are not whole."""
        signer, store = CheckpointSigner(self._keys), MongoAuditLog(self._db)
        checkpoints, faults = [], []
        count = self._bar("access log", sum(last.values()) + len(last))
        for log_id, highest in sorted(last.items()):
            tree = Frontier()
            bad = verify(_watched(store.rows(log_id, highest), tree, count))
            if bad is not None or tree.size != highest + 1:
                faults.append(log_id)
                continue
            text = signer.sign(Checkpoint(log_id, tree.size, tree.root()), at)
            checkpoints.append({"log_id": log_id, "rows": tree.size, "checkpoint": text})
        return checkpoints, faults

    def _verify_log(self, texts: Sequence[str], known_faults: Sequence[str]) -> int:
        signer = CheckpointSigner(self._keys)
        try:
            report = verify_all(MongoAuditLog(self._db), [signer.open(text) for text in texts])
        except BadCheckpoint as why:
            raise RestoreRefused("A checkpoint of the backup was not signed by this wallet's keys.") from why
        fresh = [each for each in report.faults if each.log_id not in known_faults]
        if fresh:
            raise RestoreRefused(
                f"Entry {fresh[0].seq} of log {fresh[0].log_id} is not as it was written. "
                "Nothing was restored."
            )
        return report.rows

    def _delete_old_keys(self, to: Path) -> int:
        old = []
        for folder in sorted(to.glob("keys-*")) if to.is_dir() else ():
            if _NAME.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
                made = datetime.strptime(folder.name[5:-1] + "+0000", "%Y-%m-%dT%H%M%S.%f%z")
                if self._now() - made > KEYS_LIVE:
                    old.append(folder)
        for folder in old:
            shutil.rmtree(folder)
        return len(old)

    def _check_apart(self, to: Path, kind: str) -> None:
        """Keys, wrapped keys and data never lie in one place: whoever takes one place gets nothing."""
        place, keys = to.resolve(), self._keys_dir.resolve()
        if place == keys or place in keys.parents or keys in place.parents:
            raise RestoreRefused(f"{to} and the key folder lie in one another: choose another place.")
        other = "keys" if kind == "database" else "database"
        if to.is_dir() and any(to.glob(f"{other}-*")):
            raise RestoreRefused(f"{to} holds backups of {other}; {kind} and {other} are kept apart.")

    def _new_folder(self, to: Path, kind: str) -> tuple[Path, datetime]:
        at = self._now()
        folder = to / f"{kind}-{instant_text(at).replace(':', '')}"
        try:
            folder.mkdir(mode=0o700, parents=True)
        except OSError as why:
            raise ArchiveError(f"{folder} cannot be made ({why.strerror}).") from why
        return folder, at

    def _body(self, kind: str, at: datetime) -> dict[str, Any]:
        return {"kind": kind, "made_at": instant_text(at), "database": self._db.name}

    def _kek_ids(self) -> list[str]:
        return sorted(MongoCitizenKeys(self._db).by_kek())

    def _sign(self, message: bytes) -> tuple[str, bytes]:
        signer = self._keys.signer("backup")
        return signer.kid, signer.sign(message)

    def _verify(self, kid: str, message: bytes, signature: bytes) -> bool:
        key = self._keys.public_key("backup", kid)
        if not isinstance(key, Ed25519PublicKey):
            return False
        try:
            key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


def _watched(rows: Iterator[AuditRow], tree: Frontier, count: Count) -> Iterator[AuditRow]:
    for row in rows:
        count(1)
        tree.append(leaf_of(row.event))
        yield row


def _rows_of(files: Sequence[Any], name: str) -> int:
    return sum(each.documents for each in files if each.name == name)
