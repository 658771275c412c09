"""Reading one's own book as FHIR R4: reads, versions, searches and pages."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from fhir.resources.R4B import get_fhir_model_class
from fhir.resources.R4B.bundle import Bundle

from tests.fhir_facade.books import codes, conditions, entries, filled, hide, link, pages, whole
from tests.words import says
from tests.world import World, bundle, code_in, condition, found_in, without_request_id
from wallet_api.infra.ids import new_id
from wallet_api.records.fhir_search import CODES, KINDS
from wallet_api.records.types import record_types, subject_of


def test_every_type_is_searched_by_what_it_is() -> None:
    assert CODES.keys() == KINDS.keys()
    assert {each.resource_type for each in record_types().values()} == KINDS.keys()


def test_every_type_is_read_searched_and_told_with_where_it_comes_from(world: World) -> None:
    an = filled(world)
    for kind in KINDS:
        (found,) = entries(world.get(f"/fhir/{kind}", an))
        get_fhir_model_class(kind).model_validate(found)
        subject = subject_of(found)
        assert found[subject] == {"reference": f"Patient/{an.id}"}
        assert found["meta"]["versionId"] == "1" and found["meta"]["source"].startswith("urn:wallet:")
        alone = world.get(f"/fhir/{kind}/{found['id']}", an)
        assert found_in(alone) == found
        again = world.get(f"/fhir/{kind}/{found['id']}", an, headers={"If-None-Match": alone.headers["ETag"]})
        assert (again.status_code, again.get_data()) == (304, b"")
        other = next(each for each in KINDS if each != kind)
        assert world.get(f"/fhir/{other}/{found['id']}", an).status_code == 404


def test_a_reference_leads_to_what_its_source_called_the_visit(world: World) -> None:
    an = filled(world)
    (encounter,) = entries(world.get("/fhir/Encounter", an))
    (seen,) = entries(world.get("/fhir/Observation", an))
    assert "reference" not in seen["encounter"]
    assert seen["encounter"]["identifier"] in encounter["identifier"]
    assert seen["encounter"]["type"] == "Encounter"


def test_nobody_else_is_named_by_a_reference(world: World) -> None:
    contained = [{"resourceType": "Patient", "id": "x", "name": [{"text": "Người khác"}]}]
    told = condition(
        contained=contained,
        recorder={"reference": "#x"},
        asserter={"reference": "RelatedPerson/7", "display": "Mẹ"},
        evidence=[
            {"detail": [{"reference": "Patient/p"}, {"reference": "https://his.example/Observation/9"}]}
        ],
    )
    an = filled(world, told)
    (found,) = entries(world.get("/fhir/Condition", an))
    assert "contained" not in found
    assert found["recorder"] == {"type": "Patient"} and found["asserter"] == {"type": "RelatedPerson"}
    mine, theirs = found["evidence"][0]["detail"]
    assert mine == {"reference": f"Patient/{an.id}"}
    assert theirs["identifier"]["value"].endswith("Observation/9") and theirs["type"] == "Observation"


def test_versions_are_told_newest_first_and_one_by_one(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    for code in ("I10", "I11"):
        world.send(doctor, bundle(an, condition(code=code)))
    (found,) = entries(world.get("/fhir/Condition", an))
    assert (codes([found]), found["meta"]["versionId"]) == (["I11"], "2")
    history = found_in(world.get(f"/fhir/Condition/{found['id']}/_history", an))
    Bundle.model_validate(history)
    assert (history["type"], history["total"]) == ("history", 2)
    assert codes([each["resource"] for each in history["entry"]]) == ["I11", "I10"]
    for version, code in (("1", "I10"), ("2", "I11")):
        one = world.get(f"/fhir/Condition/{found['id']}/_history/{version}", an)
        assert codes([found_in(one)]) == [code]
    for absent in ("0", "3", "01", "x"):
        assert world.get(f"/fhir/Condition/{found['id']}/_history/{absent}", an).status_code == 404


SEARCHES = {
    "": ["A04", "A03", "A02", "A01", "A00"],
    "_sort=date": ["A00", "A01", "A02", "A03", "A04"],
    "_sort=-date&code=A01,A03": ["A03", "A01"],
    "code=http://hl7.org/fhir/sid/icd-10|A02": ["A02"],
    "code=http://loinc.org|A02": [],
    "code=|A02": [],
    "code=A01&code=A02": [],
    "date=2026-03-02": ["A01"],
    "date=ge2026-03-04": ["A04", "A03"],
    "date=gt2026-03-04": ["A04"],
    "date=le2026-03-02": ["A01", "A00"],
    "date=lt2026-03-02": ["A00"],
    "date=ge2026-03-02&date=le2026-03-03": ["A02", "A01"],
    "date=2026-03": ["A04", "A03", "A02", "A01", "A00"],
    "date=2026": ["A04", "A03", "A02", "A01", "A00"],
    "date=2025": [],
    "date=2026-03-01T18:30:00Z": ["A01"],
    "_lastUpdated=gt2026": [],
    "_lastUpdated=ge2026-11-03": ["A04", "A03", "A02", "A01", "A00"],
    "_lastUpdated=lt2026-11-03": [],
    "_id=nobody": [],
    "category=x": [],
}


@pytest.mark.parametrize("query", SEARCHES)
def test_a_search_finds_what_it_asks_for(world: World, query: str) -> None:
    an = filled(world, *conditions(5))
    assert codes(whole(world, f"Condition?{query}", an)) == SEARCHES[query]
    assert codes(whole(world, f"Condition?{query}&_count=2", an)) == SEARCHES[query], "page by page"
    posted = world.post(
        "/fhir/Condition/_search", an, raw=query.encode(), kind="application/x-www-form-urlencoded"
    )
    assert codes(entries(posted)) == SEARCHES[query]
    counted = found_in(world.get(f"/fhir/Condition?{query}&_summary=count", an))
    assert (counted["total"], "entry" in counted) == (len(SEARCHES[query]), False)


def test_a_year_alone_lies_on_both_sides_of_a_day_within_it(world: World) -> None:
    an = filled(world, condition(on="2026"))
    told = {"ge2026-06-01": 1, "le2026-06-01": 1, "2026-06-01": 0, "2026": 1, "lt2026": 0}
    for query, hits in told.items():
        assert len(entries(world.get(f"/fhir/Condition?date={query}", an))) == hits, query


def test_pages_lead_on_with_a_sealed_cursor_and_links_tell_nothing(world: World) -> None:
    an, other = filled(world, *conditions(5)), world.person()
    first = world.get(f"/fhir/Condition?_count=2&code=A00,A01,A02&patient=Patient/{an.id}", an)
    Bundle.model_validate(found_in(first))
    assert "total" not in found_in(first)
    self_, next_ = link(first, "self"), str(link(first, "next"))
    assert self_ == f"{world.settings.public_url}/fhir/Condition?_count=2"
    assert an.id not in next_ and not says(next_, "A00")
    cursor = next_.removeprefix(world.settings.public_url)
    assert codes(entries(world.get(cursor, an))) == ["A00"]
    assert code_in(world.get(cursor, other)) == "bad_cursor"
    assert code_in(world.get(cursor.replace("Condition", "Observation"), an)) == "bad_cursor"
    assert code_in(world.get(f"{cursor}&code=A04", an)) == "malformed_request"
    assert [len(page) for page in pages(world, "Condition?_count=2", an)] == [2, 2, 1]


def test_ids_find_their_own_and_a_total_counts_what_is_seen(world: World) -> None:
    an, other = filled(world, *conditions(3)), filled(world)
    ids = [each["id"] for each in whole(world, "Condition", an)]
    theirs = whole(world, "Condition", other)[0]["id"]
    asked = f"Condition?_id={ids[0]},{ids[2]},{theirs},{new_id()}&_total=accurate"
    answer = world.get(f"/fhir/{asked}", an)
    assert ([each["id"] for each in entries(answer)], found_in(answer)["total"]) == ([ids[0], ids[2]], 2)
    assert [each["id"] for each in whole(world, f"{asked}&_count=1", an)] == [ids[0], ids[2]]


REFUSED = {
    "nobody=declared": "unsupported",
    "code:in=x": "unsupported",
    "_count=0": "invalid",
    "_count=101": "invalid",
    "_count=x": "invalid",
    "_sort=code": "invalid",
    "_summary=true": "invalid",
    "_include=Condition:subject": "unsupported",
    "date=sa2026": "invalid",
    "date=2026-13": "invalid",
    "date=1800": "invalid",
    "date=": "invalid",
    "_lastUpdated=yesterday": "invalid",
    "code=": "invalid",
    "code=a|b|c": "invalid",
    "_id=": "invalid",
    "patient=": "invalid",
    "subject=Patient/%C3%A1": "invalid",
    "_pretty=perhaps": "invalid",
    "_count=1&_count=2": "repeated",
    "code=%00": "invalid",
    "cursor=x&_count=2": "unsupported",
}


@pytest.mark.parametrize("query", REFUSED)
def test_what_is_not_understood_is_refused_at_its_place(world: World, query: str) -> None:
    answer = world.get(f"/fhir/Condition?{query}", world.person(), headers={"Accept-Language": "en"})
    assert (answer.status_code, answer.mimetype) == (400, "application/fhir+json")
    told = found_in(answer)["issue"]
    assert [each["details"]["coding"][0]["code"] for each in told] == ["malformed_request", REFUSED[query]]


def test_a_lenient_search_leaves_aside_what_nobody_knows(world: World) -> None:
    an = filled(world)
    wish = {"Prefer": "respond-async, handling=lenient"}
    assert len(entries(world.get("/fhir/Condition?nobody=declared", an, headers=wish))) == 1
    assert world.get("/fhir/Condition?_count=0", an, headers=wish).status_code == 400
    assert world.get("/fhir/Immunization?vaccine-code=08", an).status_code == 200
    assert world.get("/fhir/Immunization?code=08", an).status_code == 400


def test_refusals_are_outcomes_whatever_is_wrong(world: World) -> None:
    an = world.person()
    told = {
        401: world.get("/fhir/Condition"),
        403: world.get("/fhir/Condition", world.ops("operator")),
        404: world.get("/fhir/Nothing", an),
        405: world.call("DELETE", "/fhir/Condition/x", an),
        406: world.get("/fhir/Condition", an, headers={"Accept": "application/fhir+xml"}),
        415: world.post("/fhir/Condition/_search", an, {}),
    }
    for status, answer in told.items():
        assert (answer.status_code, answer.mimetype) == (status, "application/fhir+json"), status
        assert found_in(answer)["resourceType"] == "OperationOutcome" and code_in(answer), status
    assert world.get("/fhir/nowhere/at/all/of/it").mimetype == "application/fhir+json"
    assert world.get("/fhir/Condition?_format=xml", an).status_code == 406
    wish = {"Accept": "application/fhir+xml"}
    assert world.get("/fhir/Condition?_format=json", an, headers=wish).status_code == 200
    assert "GET" in told[405].headers["Allow"] and told[401].headers["WWW-Authenticate"].startswith("Bearer")


def test_a_form_is_posted_and_never_taken_for_the_name_of_a_resource(world: World) -> None:
    an = filled(world)
    for path in ("/fhir/Patient/_search", "/fhir/Condition/_search"):
        answer = world.get(path, an)
        allowed = set(answer.headers["Allow"].split(", "))
        assert (answer.status_code, allowed) == (405, {"OPTIONS", "POST"}), path


def test_a_person_is_a_patient_whose_number_is_masked(world: World) -> None:
    mother = world.person()
    child = world.child_of(mother)
    everybody = entries(world.get("/fhir/Patient", mother))
    assert [each["id"] for each in everybody] == [mother.id, child.id]
    assert mother.number not in str(everybody) and mother.number[-4:] in str(everybody)
    assert len(whole(world, "Patient?_count=1", mother)) == 2
    assert [each["id"] for each in entries(world.get(f"/fhir/Patient?_id={child.id}", mother))] == [child.id]
    me = found_in(world.get("/fhir/Patient/me", mother))
    assert (me["id"], me["birthDate"], me["name"]) == (mother.id, "1990-05-04", [{"text": mother.name}])
    assert entries(world.get("/fhir/Patient", child)) == [found_in(world.get("/fhir/Patient/me", child))]
    assert world.get(f"/fhir/Patient?identifier={mother.number}", mother).status_code == 400


def test_everything_is_the_person_and_the_book_page_by_page(world: World) -> None:
    an = filled(world)
    found = list(pages(world, f"Patient/{an.id}/$everything?_count=4", an))
    kinds = [each["resourceType"] for page in found for each in page]
    assert kinds[0] == "Patient" and kinds.count("Patient") == 1
    assert sorted(kinds[1:]) == sorted(KINDS)
    assert [len(page) for page in found] == [5, 4, 3]
    some = whole(world, "Patient/me/$everything?_type=Condition,Encounter", an)
    assert sorted(each["resourceType"] for each in some) == ["Condition", "Encounter"]
    later = (world.now() + timedelta(minutes=1)).isoformat().replace("+", "%2B")
    assert [each["resourceType"] for each in whole(world, f"Patient/me/$everything?_since={later}", an)] == [
        "Patient"
    ]
    for wrong in ("_type=Nothing", "_since=2026", "patient=x", "_count=0"):
        assert world.get(f"/fhir/Patient/me/$everything?{wrong}", an).status_code == 400, wrong


def test_a_guardian_reads_a_childs_book_without_what_is_hidden(world: World) -> None:
    mother, stranger = world.person(), world.person()
    girl = filled(world, *conditions(3), who=world.child_of(mother, date(2011, 2, 1)))
    ids = [each["id"] for each in whole(world, "Condition", girl)]
    hide(world, girl, ids[1], "guardians")
    of_her = f"patient={girl.id}"
    assert [each["id"] for each in whole(world, f"Condition?{of_her}", mother)] == [ids[0], ids[2]]
    assert whole(world, f"Condition?{of_her}&code=A01", mother) == [], "nor is it found by its code"
    total = found_in(world.get(f"/fhir/Condition?{of_her}&_total=accurate", mother))["total"]
    assert total == 2 and whole(world, "Condition", mother) == []
    assert world.get(f"/fhir/Condition/{ids[0]}", mother).status_code == 200
    absent = without_request_id(world.get(f"/fhir/Condition/{new_id()}", mother))
    for path in ("", "/_history", "/_history/1"):
        hidden = world.get(f"/fhir/Condition/{ids[1]}{path}", mother)
        assert without_request_id(hidden) == absent
        assert without_request_id(world.get(f"/fhir/Condition/{ids[0]}{path}", stranger))[:2] == absent[:2]
    assert len(whole(world, f"Patient/{girl.id}/$everything", mother)) == 3
    assert world.get(f"/fhir/Patient/{girl.id}", stranger).status_code == 404


def test_a_posted_search_of_a_former_guardian_is_dropped_at_the_last_look(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    mother = world.person()
    child = filled(world, *conditions(1), who=world.child_of(mother))
    family, asked = world.services.identity.family, []

    def over(*told: object) -> bool:
        asked.append(told)
        return False  # what is read rests on `books_of`; this is the last look

    monkeypatch.setattr(family, "acts_for", over)
    form = f"patient={child.id}".encode()
    kind = "application/x-www-form-urlencoded"
    answer = world.post("/fhir/Condition/_search", mother, raw=form, kind=kind)
    assert (answer.status_code, len(asked)) == (404, 1)


def test_every_look_is_in_the_log_with_how_much_was_seen(world: World) -> None:
    an = filled(world, *conditions(3))
    found = whole(world, "Condition?_count=2", an)
    world.get(f"/fhir/Condition/{found[0]['id']}", an)
    world.get("/fhir/Condition?_summary=count", an)
    world.get(f"/fhir/Condition/{new_id()}", an)
    lines = found_in(world.get("/citizens/me/access-log?limit=5", an))["items"]
    told = [(each["action"], each["record_count"]) for each in lines]
    assert told == [
        ("record:read", 0),
        ("record:searched", 3),
        ("record:read", 1),
        ("record:searched", 1),
        ("record:searched", 2),
    ]
