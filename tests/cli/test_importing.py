"""`import`: a folder taken in as if it had been sent, each row reported, going on where it was broken off."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.environment import world_here
from tests.vaccination_events import event_of
from tests.visit_files import file_of, visit_of
from tests.world import READS, Doctor, Person, World, bundle, condition, found_in
from wallet_api.audit.errors import LogUnavailable
from wallet_api.cli import importing, main
from wallet_api.infra.mongo import DATABASE_ERRORS
from wallet_api.records.errors import StaleRecord


@pytest.fixture(scope="module")
def here(embedded_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A wallet, and this process's environment told of it."""
    with pytest.MonkeyPatch.context() as patch:
        yield from world_here(embedded_uri, tmp_path_factory.mktemp("import"), patch)


@pytest.fixture(scope="module")
def doctor(here: World) -> Doctor:
    return here.doctor(reads=(*READS, "document"), writes=(*READS, "document"))


@pytest.fixture
def folder(here: World, tmp_path: Path) -> tuple[Path, Person]:
    """One file of each kind about somebody, and three that cannot be read as a whole."""
    an = here.person()
    (tmp_path / "1.xml").write_bytes(file_of(visit_of(an), visit_of(an, MA_LK="b", NGAY_VAO="x")))
    (tmp_path / "2.json").write_text(json.dumps({"events": [event_of(an)]}), encoding="utf-8")
    (tmp_path / "3.JSON").write_text(json.dumps(bundle(an, condition("c9"))), encoding="utf-8")
    (tmp_path / "4.xml").write_bytes(b"<GIAMDINHHS>")
    (tmp_path / "5.json").write_bytes(b"{")
    (tmp_path / "6.json").write_bytes(b"[]")
    (tmp_path / "notes.txt").write_text("not looked at", encoding="utf-8")
    return tmp_path, an


def taken(folder: Path, doctor: Doctor, *more: str) -> int:
    return main(["import", str(folder), "--organisation", doctor.organisation_id, *more])


def reported(folder: Path) -> list[dict[str, str]]:
    with (folder / "import-report.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def book(world: World, person: Person) -> list[Any]:
    return list(found_in(world.get("/citizens/me/records?limit=100", person))["items"])


def test_a_row_of_a_folder_is_lost(
    here: World, doctor: Doctor, folder: tuple[Path, Person], capsys: pytest.CaptureFixture[str]
) -> None:
    where, an = folder
    assert taken(where, doctor) == 0
    said = capsys.readouterr().out
    rows = reported(where)
    good = [each for each in rows if each["accepted"] == "yes" and each["code"] == "accepted"]
    assert f"6 files: {len(good)} rows taken in, " in said and len(book(here, an)) > 9
    bad = {(each["file"], each["code"]) for each in rows if each["accepted"] == "no"}
    assert bad >= {
        ("1.xml", "date_unreadable"),
        ("4.xml", "xml_malformed"),
        ("5.json", "not_json"),
        ("6.json", "not_a_bundle"),
    }
    assert [each["file"] for each in rows if each["code"] == "done"] == sorted(
        {each["file"] for each in rows}
    )
    whole = (where / "import-report.csv").read_text(encoding="utf-8")
    assert an.number not in whole and an.name not in whole
    log = here.services.log.entries(an.id, limit=50)
    assert sum(each.event.action == "record:written" for each in log) >= 3


def test_broken_off_it_begins_anew(
    here: World, doctor: Doctor, folder: tuple[Path, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    where, an = folder
    take = importing._take

    def killed(*given: Any) -> Any:
        if given[2].path.name == "3.JSON":
            raise KeyboardInterrupt
        return take(*given)

    monkeypatch.setattr(importing, "_take", killed)
    assert taken(where, doctor) == 130
    before = len(reported(where))
    assert {each["file"] for each in reported(where)} == {"1.xml", "2.json"}
    asked: list[str] = []

    def noted(*given: Any) -> Any:
        asked.append(given[2].path.name)
        return take(*given)

    monkeypatch.setattr(importing, "_take", noted)
    assert taken(where, doctor) == 0
    assert sorted(asked) == ["3.JSON", "4.xml", "5.json", "6.json"] and len(reported(where)) > before
    records = book(here, an)
    assert taken(where, doctor, "--report", str(where / "again.csv")) == 0
    assert book(here, an) == records, "taken twice changes nothing"


def test_a_database_that_goes_away_is_a_traceback(
    here: World,
    doctor: Doctor,
    folder: tuple[Path, Person],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    where, _ = folder
    for gone in (DATABASE_ERRORS[0]("gone"), LogUnavailable("not written"), StaleRecord("written meanwhile")):

        def breaks(*given: Any, why: Exception = gone) -> None:
            raise why

        with monkeypatch.context() as patch:
            patch.setattr(importing, "_log", breaks)
            assert taken(where, doctor) == 1
        said = capsys.readouterr().err
        assert "Broken off at 1.xml" in said and "0 files are in the report" in said
    assert reported(where) == [] and taken(where, doctor) == 0


def test_what_one_organisation_gave_is_anothers(
    here: World, doctor: Doctor, folder: tuple[Path, Person]
) -> None:
    where, _ = folder
    other = here.doctor(writes=("condition",))
    assert taken(where, doctor) == 0 and taken(where, other) == 0
    ended = [each["organisation"] for each in reported(where) if each["code"] == "done"]
    assert ended == [doctor.organisation_id] * 6 + [other.organisation_id] * 6


def test_a_torn_line_swallows_the_next(here: World, doctor: Doctor, folder: tuple[Path, Person]) -> None:
    where, _ = folder
    (where / "a folder.json").mkdir()
    wrong = json.dumps(bundle(here.person(), condition())).replace("001190", "01190", 1)
    (where / "7.json").write_text(wrong, encoding="utf-8")
    assert taken(where, doctor) == 0
    report = where / "import-report.csv"
    whole = report.read_text(encoding="utf-8")
    last = whole.rstrip("\n").rindex("7.json")
    report.write_text(whole[: last + 4], encoding="utf-8")
    assert taken(where, doctor) == 0
    ended = [each["file"] for each in reported(where) if each["code"] == "done"]
    assert ended[-1] == "7.json" and len(ended) == len(set(ended)) == 7


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["import", "/no/such/folder", "--organisation", "x"], "is no folder"),
        (["import", "EMPTY", "--organisation", "x"], "no .xml or .json file"),
        (["import", "FULL", "--organisation", "nobody"], "no organisation with that id"),
        (["import", "FULL", "--organisation", "x", "--report", "FULL/2.json"], "is no report of an import"),
    ],
)
def test_what_cannot_be_done_is_begun(
    here: World,
    folder: tuple[Path, Person],
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
    said: str,
) -> None:
    places = {"EMPTY": str(tmp_path_factory.mktemp("empty")), "FULL": str(folder[0])}
    asked = [places.get(each, each.replace("FULL", places["FULL"])) for each in command]
    assert main(asked) == 1
    assert said in capsys.readouterr().err and not (folder[0] / "import-report.csv").exists()
