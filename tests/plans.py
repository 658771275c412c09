"""What the server says it would do with a query: the stages of its plan, with the index each scan uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pymongo.collection import Collection


def plan_stages(
    collection: Collection[Any], query: Mapping[str, Any] | Sequence[Mapping[str, Any]]
) -> list[str]:
    """Stages from the outside in, e.g. ``["FETCH", "IXSCAN citizen_id_1"]``.

    `query` is a filter, or an aggregation. For an update explain a find with its filter: the embedded
    server's plan of an update leaves the filter out.
    """
    name = collection.name
    command: dict[str, Any] = (
        {"find": name, "filter": dict(query)}
        if isinstance(query, Mapping)
        else {"aggregate": name, "pipeline": list(query), "cursor": {}}
    )
    answer = collection.database.command("explain", command, verbosity="queryPlanner")
    plan = answer.get("queryPlanner") or answer["stages"][0]["$cursor"]["queryPlanner"]
    return list(_stages(plan["winningPlan"]))


def _stages(plan: Mapping[str, Any]) -> Iterator[str]:
    plan = plan.get("queryPlan", plan)  # MongoDB's newer engine wraps it
    if "stage" in plan:
        yield f"{plan['stage']} {plan['indexName']}" if "indexName" in plan else str(plan["stage"])
    for below in [plan.get("inputStage"), *plan.get("inputStages", []), *plan.get("shards", [])]:
        if below:
            yield from _stages(below.get("winningPlan", below))
