"""Series: the values of one code, with the range of their own source, in pages."""

from __future__ import annotations

from tests.pages.resources import measured, quantity
from tests.world import Json, Person, World, bundle, found_in

GLUCOSE = {"referenceRange": [{"low": {"value": 3.9}, "high": {"value": 6.1}}]}


def series(world: World, who: Person, code: str, query: str = "", whose: str = "me") -> Json:
    answer = world.get(f"/citizens/{whose}/series/{code}{query}", who)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return found_in(answer)


def test_a_series_has_each_value_with_its_range_and_its_source(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    values = {"2026-01": 3.5, "2026-02-01": 5, "2026-03-01": 7.25}
    sent = [
        measured(f"o{day}", "15074-8", day, "laboratory", **quantity(value, "mmol/L"), **GLUCOSE)
        for day, value in values.items()
    ]
    other = measured("x", "718-7", "2026-02-01", "laboratory", **quantity(12, "g/dL"))
    void = measured("v", "15074-8", "2026-02-02", "laboratory", **quantity(99, "mmol/L"), status="cancelled")
    world.send(doctor, bundle(an, *sent, other, void))
    points = series(world, an, "15074-8")["items"]
    assert [(each["value"], each["against"]) for each in points] == [
        (7.25, "above"),
        (5, "within"),
        (3.5, "below"),
    ]
    assert [each["occurred_on"] for each in points] == ["2026-03-01", "2026-02-01", "2026-01"]
    assert {(each["low"], each["high"], each["unit"]) for each in points} == {(3.9, 6.1, "mmol/L")}
    assert points[0]["source"]["name_vi"] == "Bệnh viện Thử" and points[0]["self_reported"] is False
    assert points[0]["age_days"] == 13085 and points[2]["age_days"] is None, "a month is no day"
    asked = series(world, an, "15074-8", "?from=2026-01-01&to=2026-02-28")["items"]
    assert [each["value"] for each in asked] == [5, 3.5]
    assert series(world, an, "15074-8", "?system=urn:other")["items"] == []
    assert world.get("/citizens/me/series/glucose", an).status_code == 404, "that is no LOINC code"


def test_a_component_is_a_value_and_own_values_are_marked(world: World) -> None:
    an = world.person()
    said = {"kind": "blood_pressure", "occurred_on": "2026-11-01", "systolic": 128, "diastolic": 82}
    assert world.post("/citizens/me/records", an, said).status_code == 201
    for code, value in (("8480-6", 128), ("8462-4", 82)):
        (point,) = series(world, an, code)["items"]
        assert (point["value"], point["unit"], point["self_reported"]) == (value, "mm[Hg]", True)
        assert point["low"] is point["high"] is point["against"] is None, "no range is made up"


def test_a_series_comes_in_pages_without_a_gap(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    sent = [measured(f"o{n}", "29463-7", f"2026-0{1 + n // 3}", **quantity(50 + n)) for n in range(9)]
    world.send(doctor, bundle(an, *sent))
    found, cursor = [], ""
    while cursor is not None:
        page = series(world, an, "29463-7", f"?limit=2{cursor}")
        found += [each["value"] for each in page["items"]]
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    assert sorted(found) == [50 + n for n in range(9)]
    assert found == [each["value"] for each in series(world, an, "29463-7")["items"]]


def test_a_cursor_is_good_for_its_own_series_alone(world: World) -> None:
    an, bo, doctor = world.person(), world.person(), world.doctor()
    for who in (an, bo):
        world.send(
            doctor, bundle(who, *(measured(f"o{n}", "29463-7", "2026", **quantity(n + 1)) for n in range(3)))
        )
    cursor = series(world, an, "29463-7", "?limit=1")["next_cursor"]
    assert world.get(f"/citizens/me/series/29463-7?cursor={cursor}", an).status_code == 200
    for path, who in (
        (f"series/8302-2?cursor={cursor}", an),
        (f"series/29463-7?cursor={cursor}", bo),
        (f"series/29463-7?from=2026-01-01&cursor={cursor}", an),
        (f"records?cursor={cursor}", an),
    ):
        assert world.get(f"/citizens/me/{path}", who).status_code == 400, path
    backwards = world.get("/citizens/me/series/29463-7?from=2026-02-01&to=2026-01-01", an)
    assert backwards.status_code == 422


def test_a_series_shows_a_guardian_no_hidden_value(world: World) -> None:
    mother, doctor, stranger = world.person(), world.doctor(), world.person()
    girl = world.signed_in(world.child_of(mother, world.now().date().replace(year=2011)))
    world.send(
        doctor, bundle(girl, *(measured(f"o{n}", "29463-7", "2026", **quantity(40 + n)) for n in range(2)))
    )
    first, second = series(world, girl, "29463-7")["items"]
    path = f"/citizens/me/records/{first['id']}/visibility"
    assert world.call("PUT", path, girl, {"audience": "guardians", "hidden": True}).status_code == 204
    assert [each["id"] for each in series(world, mother, "29463-7", "", girl.id)["items"]] == [second["id"]]
    assert world.get(f"/citizens/{girl.id}/series/29463-7", stranger).status_code == 404
