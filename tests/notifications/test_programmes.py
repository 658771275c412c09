"""The shipped files are cited and whole; a faulty file stops the start-up and is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from importlib.resources import files
from typing import Any

import pytest

from notifications.errors import BadProgramme, BadTemplate
from notifications.model import CitizenFacts, Status
from notifications.planner import plan
from notifications.programmes import TOPICS, load_programmes, read_programme
from notifications.templates import load_texts, read_texts
from notifications.vaccines import ATC, CVX, load_vaccines, read_vaccines, vaccine_for

RAW = files("notifications.programmes").joinpath("epi_routine.json").read_text("utf-8")
Spoil = Callable[[dict[str, Any]], Any]


def spoilt(change: Spoil) -> str:
    doc = json.loads(RAW)
    change(doc)
    return json.dumps(doc)


FAULTS: dict[str, Spoil] = {
    "unknown key": lambda d: d.update(minage="P1M"),
    "unknown key in a dose": lambda d: d["series"][0]["doses"][0].update(min_agee="P1M"),
    "repeated dose": lambda d: d["series"][2]["doses"][1].update(dose=1),
    "doses out of order": lambda d: d["series"][2]["doses"].reverse(),
    "no source": lambda d: d.pop("source"),
    "empty source": lambda d: d["series"][0]["doses"][0].update(source=[]),
    "dose without confidence": lambda d: d["series"][0]["doses"][0].pop("confidence"),
    "bad duration": lambda d: d["series"][0]["doses"][0].update(min_age="9 months"),
    "hours": lambda d: d["series"][0]["doses"][0].update(overdue_after="PT24H"),
    "later dose without interval": lambda d: d["series"][2]["doses"][1].pop("min_interval"),
    "vaccine that does not cover": lambda d: d["series"][2]["accepts"].append("penta_ipv"),
    "unknown vaccine": lambda d: d["series"][2]["accepts"].append("nope"),
    "follows a later series": lambda d: d["series"][0].update(follows="je"),
    "repeated series": lambda d: d["series"].append(d["series"][0]),
    "repeated offset": lambda d: d["offsets"].append({"kind": "on_day", "days": 3}),
    "one language": lambda d: d["title"].pop("en"),
    "third kind": lambda d: d.update(kind="lunar"),
    "unknown date rule": lambda d: d.update(date_rule="whatever"),
    "valid_to before valid_from": lambda d: d.update(valid_to="2001-01-01"),
    "boolean dose": lambda d: d["series"][0]["doses"][0].update(dose=True),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_programme_stops_the_start_up(fault: str) -> None:
    with pytest.raises(BadProgramme) as told:
        read_programme(spoilt(FAULTS[fault]), load_vaccines())
    assert told.value.programme_id.startswith("epi_routine")


@pytest.mark.parametrize("raw", ["", "[]", "null", "{"])
def test_a_file_that_is_no_object_is_refused(raw: str) -> None:
    with pytest.raises(BadProgramme):
        read_programme(raw, load_vaccines())


def test_shipped_programmes_are_read_whole() -> None:
    found = {programme.id: programme for programme in load_programmes()}
    assert {"annual_checkup", "epi_rollout", "epi_routine", "service_vaccines", "tetanus_pregnancy"} <= set(
        found
    )
    assert [s.id for s in found["epi_routine"].series] == (
        [
            "hepb_birth",
            "bcg",
            "dtp_hepb_hib",
            "dtp_booster1",
            "td_booster2",
            "opv",
            "ipv",
            "rota",
            "measles",
            "mr",
            "je",
        ]
    )
    assert asdict(read_programme(RAW, load_vaccines())) == asdict(found["epi_routine"])
    assert all(programme.title_of("x", "fr") == programme.title["vi"] for programme in found.values())


def test_every_wanted_text_exists() -> None:
    texts = load_texts()
    for programme in load_programmes():
        for offset in programme.offsets:
            for locale in ("vi", "en"):
                title, body = texts.render(programme.topic, offset.phase, locale, "Sởi", programme.valid_from)
                assert "Sởi" in title and programme.valid_from.strftime("%d/%m/%Y") in body
    with pytest.raises(BadTemplate):
        texts.render("vaccination", "someday", "vi", "Sởi", programme.valid_from)


@pytest.mark.parametrize("body", ["{programme} {day} {name}", "{programme}", "nothing"])
def test_a_text_with_missing_or_unknown_places_is_refused(body: str) -> None:
    text = {"title": "{programme}", "body": body}
    doc = {"id": "t", "version": 1, "texts": {"checkup.on": {"vi": text, "en": text}}}
    with pytest.raises((BadTemplate, BadProgramme)):
        read_texts(json.dumps(doc))


@pytest.mark.parametrize(
    ("codes", "vaccine"),
    [
        ([(CVX, "05")], "measles"),
        ([(ATC, "J07BD53")], "mr"),
        ([(ATC, "J07BD01"), (CVX, "03")], "mmr"),
        ([(CVX, "09")], "td"),
        ([(CVX, "129")], None),
        ([(CVX, "129"), (ATC, "J07BA02")], "je_inactivated"),
        ([(CVX, "05"), (CVX, "10")], None),
        ([("http://other", "05"), (None, None)], None),
        ([], None),
    ],
)
def test_public_codes_find_their_class(
    codes: list[tuple[str | None, str | None]], vaccine: str | None
) -> None:
    assert vaccine_for(codes) == vaccine
    assert vaccine_for(reversed(codes)) == vaccine


def test_a_code_claimed_twice_is_refused() -> None:
    doc = json.loads(files("notifications").joinpath("vaccines.json").read_text("utf-8"))
    doc["vaccines"][0]["cvx"] = ["19"]
    with pytest.raises(BadProgramme):
        read_vaccines(json.dumps(doc))


def test_a_province_gate_shuts_out_other_provinces() -> None:
    gate = spoilt(lambda d: d["series"][8]["eligible"].update(provinces=["01"]))
    programme = read_programme(gate, load_vaccines())
    for province, status in (
        ("01", Status.OVERDUE),
        ("79", Status.NOT_ELIGIBLE),
        (None, Status.NOT_ELIGIBLE),
    ):
        facts = CitizenFacts("c", date(2025, 1, 1), "female", province)
        found = {(i.series_id, i.dose): i for i in plan(facts, [], [programme], date(2026, 11, 20))}
        assert found["measles", 1].status is status


def test_every_topic_has_its_texts_in_every_phase() -> None:
    texts = load_texts()
    assert set(texts.texts) == {f"{topic}.{phase}" for topic in TOPICS for phase in ("before", "on", "after")}
