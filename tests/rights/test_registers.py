"""The register of processing and the drafts and lists of a breach."""

from __future__ import annotations

import json
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tests.plans import plan_stages
from tests.world import START, World, bundle, condition, found_in
from wallet_api.breaches.notice import load_forms
from wallet_api.rights.processing import REGISTER, as_page, load_register
from wallet_api.rights.rules import RULES
from wallet_api.stores import breaches as breach_store

ROOT = Path(__file__).parents[2]
PROCESSING = files("wallet_api.rights").joinpath("processing.json").read_text(encoding="utf-8")
NOTICE = files("wallet_api.breaches").joinpath("notice.json").read_text(encoding="utf-8")
SECRET = "Hồ sơ của Nguyễn Rò Rỉ bị xem"


def test_the_page_is_written_from_the_register() -> None:
    page = (ROOT / "docs" / "processing-register.md").read_text(encoding="utf-8")
    assert page.rstrip("\n") == as_page().rstrip("\n"), (
        "python -m wallet_api.rights.processing > docs/processing-register.md"
    )


def test_every_retention_class_is_in_the_register() -> None:
    told = {name for each in REGISTER.activities for name in each.classes}
    assert set(RULES.classes) <= told


@pytest.mark.parametrize(
    "spoil",
    [
        ('"ground": "consent"', '"ground": "because"'),
        ('"legal_reference": "Law 91/2025/QH15 Art. 9 and', '"legal_reference_": "'),
        ('"id": "emergency"', '"id": "sharing"'),
        ('"recipients": ["the wallet"]', '"recipients": []'),
    ],
)
def test_a_misspelt_register_stops_the_start(spoil: tuple[str, str]) -> None:
    assert spoil[0] in PROCESSING
    with pytest.raises((ValueError, TypeError)):
        load_register(PROCESSING.replace(*spoil))


def test_the_register_tells_of_the_flow_abroad(world: World) -> None:
    answer = world.get("/ops/processing-register", world.ops("reviewer"), headers={"Accept-Language": "en"})
    found = {each["id"]: each for each in found_in(answer)["items"]}
    assert [one for one, each in found.items() if each["third_country"]] == ["push"]
    assert "Art. 20(1)" in found["push"]["legal_reference"] and found["sharing"]["ground_text"] == "consent"
    assert world.get("/ops/processing-register", world.ops("operator")).status_code == 403


def opened(world: World, **more: Any) -> Any:
    body = {
        "detected_at": world.now().isoformat(),
        "kind": "confidentiality",
        "cause": "insider",
        "data": ["health"],
        "what": SECRET,
    }
    return found_in(world.post("/ops/breaches", world.ops("reviewer"), body | more))


def test_a_draft_says_what_is_known_and_what_is_missing(world: World) -> None:
    breach, path = opened(world), "/ops/breaches/{}/notice?to={}&locale={}"
    draft = found_in(world.get(path.format(breach["id"], "authority", "vi"), world.ops("reviewer")))
    told = {each["code"]: each["value"] for each in draft["fields"]}
    assert (
        told["detected_at"] == "10:00 03/11/2026 (UTC+7)" and told["deadline"] == "10:00 06/11/2026 (UTC+7)"
    )
    assert told["what"] == SECRET and told["cause"] == "Người bên trong lạm dụng quyền"
    assert {"controller", "contact", "measures", "affected", "risk"} <= set(draft["missing"])
    assert draft["due_at"].startswith("2026-11-06T03:00:0") and draft["letter"] is None
    body = {"risk": "high", "must_notify": True, "affected": 7, "reason": "x"}
    tag = {"If-Match": f'"{breach["version"]}"'}
    world.post(f"/ops/breaches/{breach['id']}/assessment", world.ops("reviewer"), body, headers=tag)
    draft = found_in(world.get(path.format(breach["id"], "authority", "en"), world.ops("reviewer")))
    assert {each["code"]: each["value"] for each in draft["fields"]}["affected"] == "7"
    assert "affected" not in draft["missing"] and "form 08" in draft["title"]
    letter = found_in(world.get(path.format(breach["id"], "subjects", "vi"), world.ops("reviewer")))
    assert "03/11/2026" in letter["letter"] and SECRET not in json.dumps(letter, ensure_ascii=False)
    assert world.get(path.format(breach["id"], "nobody", "vi"), world.ops("reviewer")).status_code == 422


def test_who_is_concerned_is_named_from_the_log(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breach_store, "_PART", 8)
    world.clock.set_to(START + timedelta(days=11))  # a day on which nobody else was read
    doctor, other = world.doctor(), world.doctor()
    bad = world.colleague(doctor, "BS. Xấu")
    read, also, not_read = world.person(), world.person(), world.person()
    for who in (read, also, not_read):
        world.send(other, bundle(who, condition()))
    for who, by in ((read, doctor), (also, bad)):
        made = world.grant(doctor, who)
        opened_ = found_in(made.open(by))
        for _ in range(2):
            assert made.read(opened_["id"], by).status_code == 200
    world.grant(other, not_read).seen()
    breach = opened(world)
    day = world.now().date().isoformat()
    path = f"/ops/breaches/{breach['id']}/affected?from={day}&to={day}"
    everybody = f"{path}&organisation_id={doctor.organisation_id}"
    assert named(world, everybody) == {read.id: 2, also.id: 2}
    assert named(world, f"{everybody}&practitioner_id={bad.practitioner_id}") == {also.id: 2}
    assert named(world, f"{path}&client_id={other.client_id}") == {not_read.id: 1}
    assert not_read.id in named(world, path)
    assert world.get(f"{path}&from=2026-11-30", world.ops("reviewer")).status_code == 422
    early = f"/ops/breaches/{breach['id']}/affected?from=2020-01-01&to=2020-01-02"
    assert named(world, early) == {}
    stages = plan_stages(world.db["audit_log"], {"newest": {"$gte": "2026", "$lt": "2027"}})
    assert any(stage.startswith("IXSCAN") for stage in stages), stages


def named(world: World, path: str) -> dict[str, int]:
    reviewer, cursor, found = world.ops("reviewer"), "", dict[str, int]()
    while True:
        answer = world.get(path + cursor, reviewer)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        page = found_in(answer)
        for each in page["items"]:
            assert set(each) == {"citizen_id", "reads", "first_at", "last_at"}
            found[each["citizen_id"]] = found.get(each["citizen_id"], 0) + each["reads"]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


@pytest.mark.parametrize(
    "spoil",
    [('"fill": "kind"', '"fill": "mood"'), ('"letter"', '"leter"'), ('"source": "Law', '"sauce": "Law')],
)
def test_a_misspelt_form_stops_the_start(spoil: tuple[str, str]) -> None:
    assert spoil[0] in NOTICE
    with pytest.raises(ValueError, match=r"members|misspelt"):
        load_forms(NOTICE.replace(*spoil))
