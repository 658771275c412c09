"""Coverage over HTTP, and that its cost does not grow with people."""

from __future__ import annotations

from datetime import date

import pytest

from notifications.campaigns.coverage import coverage_of
from notifications.campaigns.memory import MemoryPeople
from tests.campaigns.steps import follow
from tests.contracts.test_campaign_stores import person
from tests.listening import Operations, named
from tests.world import World, bundle, code_in, found_in, immunization
from wallet_api.stores.erasures import MongoErasures


def cell(world: World, born: int, province: str = "08", series: str = "measles") -> dict[str, int | None]:
    follow(world)
    path = f"/ops/coverage?series={series}&born_from={born}&born_to={born}&province={province}"
    (found,) = found_in(world.get(path, world.ops("reviewer")))["items"]
    return {name: found[name] for name in ("eligible", "started", "complete")}


def test_a_dose_is_seen_in_coverage_at_once_and_small_groups_never(world: World) -> None:
    doctor, children = world.doctor(), []
    for _ in range(9):
        children.append(world.person("Bé Thử", date(2021, 3, 1), province="08"))
    assert cell(world, 2021) == {"eligible": None, "started": None, "complete": None}
    for _ in range(31):
        children.append(world.person("Bé Thử", date(2021, 3, 1), province="08"))
    assert cell(world, 2021) == {"eligible": 40, "started": None, "complete": None}, "nobody is a small group"
    for child in children[:20]:
        world.send(doctor, bundle(child, immunization(cvx="05", on="2022-01-05")))
    told = cell(world, 2021)
    assert told["started"] in (20, 29 // 10 * 10) and told["eligible"] in (40, 49 // 10 * 10)
    totals = world.services.reminding.people.totals("measles", ("08",), (2021,))["08", 2021]
    assert (totals.eligible, totals.started, totals.complete) == (40, 20, 20)


def test_the_dead_and_the_erased_are_not_counted(world: World) -> None:
    here, people = (2019,), world.services.reminding.people
    first, second = (
        world.person("Thử", date(2019, 3, 1), province="11"),
        world.person("Thử", date(2019, 3, 2), province="11"),
    )
    follow(world)
    assert people.totals("measles", ("11",), here)["11", 2019].eligible == 2
    world.services.identity.people.record_death(first.id, world.now().date())
    follow(world)
    assert people.totals("measles", ("11",), here)["11", 2019].eligible == 1
    MongoErasures(world.db, world.services.reminding.people._cipher).delete(second.id, ("reminders",))
    assert people.totals("measles", ("11",), here)["11", 2019].eligible == 0
    assert people.of({second.id}) == {}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "series=mr",
        "series=nothing&born_from=2020&born_to=2021",
        "series=mr&born_from=2021&born_to=2020",
        "series=mr&born_from=1990&born_to=2020",
        "series=mr&born_from=x&born_to=2020",
        "series=mr&born_from=2020&born_to=2021&province=99",
    ],
)
def test_a_question_without_bounds_is_refused(world: World, query: str) -> None:
    answer = world.get(f"/ops/coverage?{query}", world.ops("operator"))
    assert (answer.status_code, code_in(answer)) == (422, "invalid_fields")


def test_a_lone_small_cell_takes_a_neighbour_with_it() -> None:
    people = MemoryPeople()
    for year, count in ((2020, 5), (2021, 30), (2022, 50)):
        for number in range(count):
            people.put(person(f"{year}-{number}", born=date(year, 1, 1)))
    told = coverage_of(people, "mr", ("01",), (2020, 2021, 2022), lambda _: 0)
    assert [each.eligible for each in told.cells] == [None, None, 50], "or the sum would tell the five"
    two = coverage_of(people, "mr", ("01", "08"), (2021, 2022), lambda _: 0)
    assert two.suppressed >= 2


def test_a_table_asks_the_counters_and_nothing_else(world: World, operations: Operations) -> None:
    people = world.services.reminding.people
    with operations.heard() as asked:
        people.totals("mr", ("01", "08"), range(2010, 2030))
    assert {named(each) for each in asked if "getMore" not in each} == {"find coverage"}
