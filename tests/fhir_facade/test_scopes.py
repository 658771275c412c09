"""A narrowed session reads what its scope names, of the person's own book, and does nothing else."""

from __future__ import annotations

from datetime import timedelta

from tests.fhir_facade.books import entries, filled, whole
from tests.world import Person, World, code_in, found_in
from wallet_api.identity.oauth.model import SignedIn
from wallet_api.infra.ids import new_id


def narrowed(world: World, who: Person, scope: str) -> str:
    """An access token of a session of these scopes."""
    client = world.services.identity.clients.get("app")
    signed = SignedIn("citizen", who.id, "2", world.now() - timedelta(seconds=1))
    opened = world.services.identity.sessions.open(new_id(), signed, client, scope)
    return world.session_token(opened.session.id)


def refused(world: World, path: str, token: str) -> bool:
    answer = world.get(path, token)
    return (answer.status_code, code_in(answer)) == (403, "insufficient_scope")


def test_it_reads_the_types_it_names_and_no_others(world: World) -> None:
    an = filled(world)
    (condition,) = whole(world, "Condition", an)
    token = narrowed(world, an, "patient/Immunization.rs patient/Condition.s patient/Patient.r")
    assert len(entries(world.get("/fhir/Immunization", token))) == 1
    assert [each["id"] for each in entries(world.get("/fhir/Condition", token))] == [condition["id"]]
    assert found_in(world.get("/fhir/Patient/me", token))["id"] == an.id
    for path in (
        f"Condition/{condition['id']}",
        f"Condition/{condition['id']}/_history/1",
        "Patient",
        "Encounter",
    ):
        assert refused(world, f"/fhir/{path}", token), path
    kinds = [each["resourceType"] for each in whole(world, "Patient/me/$everything", token)]
    assert kinds == ["Patient", "Immunization"]
    assert whole(world, "Patient/me/$everything?_type=Encounter", token) == []


def test_everything_of_everything_is_the_whole_book(world: World) -> None:
    an = filled(world)
    token = narrowed(world, an, "patient/*.rs")
    assert whole(world, "Patient/me/$everything", token) == whole(world, "Patient/me/$everything", an)


def test_it_does_nothing_else(world: World) -> None:
    an = filled(world)
    token = narrowed(world, an, "patient/*.rs")
    for path in ("/citizens/me", "/citizens/me/records", "/citizens/me/grants", "/fhir/Consent"):
        assert refused(world, path, token), path
    assert refused(world, "/organisations?query=thu", token)
    made = world.post("/citizens/me/visit-codes", token)
    assert (made.status_code, code_in(made)) == (403, "insufficient_scope")


def test_the_own_book_is_the_patient_and_no_childs(world: World) -> None:
    mother = filled(world)
    child = filled(world, who=world.child_of(mother))
    (theirs,) = whole(world, f"Condition?patient={child.id}", mother)
    token = narrowed(world, mother, "patient/*.rs")
    assert [each["id"] for each in entries(world.get("/fhir/Patient", token))] == [mother.id]
    paths = (f"Condition?patient={child.id}", f"Condition/{theirs['id']}", f"Patient/{child.id}")
    for path in (*paths, f"Patient/{child.id}/$everything"):
        assert world.get(f"/fhir/{path}", token).status_code == 404, path
