"""Files of a book over HTTP: what stands in them, read and checked by programs of others."""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata
from datetime import date
from pathlib import Path
from typing import Any

import jwt
import pytest
from fhirclient.models.bundle import Bundle as FhirBundle

from tests.exports.steps import asked, fetch, file_of, scanned, state, text_of, work
from tests.fhir import labelled
from tests.pages.resources import allergy, clinical, measured, medicine, quantity, visit
from tests.world import Json, World, bundle, condition, found_in, immunization
from wallet_api.exports import verifier

VERIFIER = Path(verifier.__file__)


def keys_of(world: World) -> Json:
    return found_in(world.get("/.well-known/card-jwks.json"))


def run(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """The verifier as a program, where nothing of the wallet is."""
    command = [sys.executable, "-I", "verifier.py", *more, "--keys", "keys.json"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_book_in_print_has_every_vietnamese_letter(world: World) -> None:
    huong, doctor = world.person("Nguyễn Thị Hường"), world.doctor(name="Bệnh viện Đa khoa Thử Nghiệm")
    dose = immunization(lotNumber="AB-12", vaccineCode={"text": "Vắc xin sởi – quai bị – rubella"})
    said = clinical("resolved") | {
        "code": {"text": "Viêm họng cấp"},
        "note": [{"text": "Uống nhiều nước ấm; tái khám sau 7 ngày."}],
    }
    weight = measured("w1", "29463-7", "2026-10-01") | quantity(52.5) | {"code": {"text": "Cân nặng"}}
    world.send(doctor, bundle(huong, dose, condition() | said, allergy(), weight, medicine()))
    text = text_of(file_of(world, huong))
    for each in (
        "Sổ sức khỏe điện tử",
        "Họ và tên: Nguyễn Thị Hường",
        "Ngày sinh: 04/05/1990",
        "Tiêm chủng",
        "Vắc xin sởi – quai bị – rubella",
        "Số lô: AB-12",
        "Dị ứng",
        "Tôm",
        "Viêm họng cấp",
        "Tình trạng: đã khỏi",
        "Ghi chú: Uống nhiều nước ấm; tái khám sau 7 ngày.",
        "Cân nặng",
        "52,5 kg",
        "Metformin",
        "Bệnh viện Đa khoa Thử Nghiệm",
        "03/02/2026",
        "Số mục: 5",
    ):
        assert each in text, (each, text)
    assert huong.number not in text and huong.id not in text
    # Every letter of the language, composed or not, comes back as the composed one.
    letters = "ắằẳẵặấầẩẫậếềểễệốồổỗộớờởỡợứừửữựỳỷỹỵĐđ"
    spelt = unicodedata.normalize("NFD", letters + letters.upper())
    other = world.person("Lê Văn Chữ")
    world.send(doctor, bundle(other, condition() | {"code": {"text": spelt}}))
    assert letters + letters.upper() in text_of(file_of(world, other)).replace(" ", "")


def test_in_english_for_whoever_prefers_it(world: World) -> None:
    an = world.person("Lê Thị An")
    world.send(world.doctor(), bundle(an, immunization(), allergy()))
    text = text_of(file_of(world, an, locale="en"))
    for each in ("Electronic health book", "Name: Lê Thị An", "Immunization", "Allergy", "2026-02-03"):
        assert each in text, each
    assert "Test Hospital" in text


def test_what_no_font_has_is_a_box_and_never_left_out(world: World) -> None:
    an = world.person()
    said = "Sốt \u200b39\u202e \U00020000 🩺 <b>&amp;"
    world.send(world.doctor(), bundle(an, condition() | {"code": {"text": said}}))
    text = text_of(file_of(world, an))
    assert "Sốt" in text and "□" in text and "<b>&amp;" in text
    assert "\u202e" not in text


def test_the_file_verifies_offline_and_its_code_scans(world: World, tmp_path: Path) -> None:
    an = world.person("Nguyễn Thị Hường")
    world.send(world.doctor(), bundle(an, immunization(), condition()))
    export_id = asked(world, an)
    work(world)
    pdf = fetch(world, an, export_id).data
    keys = keys_of(world)
    said = verifier.check(pdf, keys)
    assert (said["jti"], said["count"], said["scope"]) == (export_id, 2, "book")
    assert said["holder"] == {"name": "Nguyễn Thị Hường", "born": 1990}
    assert said["iss"] == world.settings.public_url
    assert 0 <= world.now().timestamp() - said["iat"] < 60
    assert an.id not in str(said) and an.number not in str(said)
    # What is printed as a QR code is what the file was signed with, and another JOSE library agrees.
    code = scanned(pdf)
    assert verifier.check_code(code, keys) == said
    key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(code)["kid"]]
    assert jwt.decode(code, key, algorithms=["ES256"], options={"verify_iat": False}) == said
    assert jwt.get_unverified_header(code)["typ"] == "health-book-pdf+jws"
    # The program of one file, without anything of the wallet beside it.
    (tmp_path / "verifier.py").write_bytes(VERIFIER.read_bytes())
    (tmp_path / "book.pdf").write_bytes(pdf)
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    shown = run(tmp_path, "book.pdf")
    assert shown.returncode == 0 and "The file is as it was signed." in shown.stdout, shown
    assert "Compare this with the paper." in run(tmp_path, "--code", code).stdout
    (tmp_path / "book.pdf").write_bytes(pdf.replace(b"/Title", b"/Titlf", 1))
    refused = run(tmp_path, "book.pdf")
    assert refused.returncode == 1 and refused.stderr.startswith("Not proven: "), refused


def test_whatever_byte_is_changed_the_file_is_refused(world: World) -> None:
    an = world.person()
    world.send(world.doctor(), bundle(an, immunization()))
    pdf, keys = file_of(world, an), keys_of(world)
    jws, _ = verifier.blank(pdf)
    text = pdf.index(verifier.MARK.encode()) + len(verifier.MARK)
    picture = pdf.index(b" ID ", text) + len(" ID ")
    after = pdf.index(b"> EI", picture)
    places = {*range(0, len(pdf), 997), len(pdf) - 1, text - 1, picture - 1, after}
    places |= {*range(text, text + len(jws), 41), text + len(jws) - 1, text + len(jws)}
    # The bits of the picture are not signed: they say nothing that the text beside them does not.
    for at in sorted(places - set(range(picture, after))):
        changed = bytearray(pdf)
        changed[at] ^= 1
        with pytest.raises(verifier.NotProven):
            verifier.check(bytes(changed), keys)
    for forged in (pdf + b"\n", pdf + pdf, pdf[:-1], b"", pdf.replace(jws.encode(), b" " * len(jws))):
        with pytest.raises(verifier.NotProven):
            verifier.check(forged, keys)
    drawn = pdf.replace(b" EI\nQ", b" EI\nq BT ET Q\nQ", 1)
    with pytest.raises(verifier.NotProven):
        verifier.check(drawn, keys)
    with pytest.raises(verifier.NotProven):
        verifier.check(pdf, found_in(world.get("/.well-known/receipt-jwks.json")))


def test_no_other_signature_of_the_wallet_passes_for_a_document(world: World) -> None:
    an = world.person()
    card = str(found_in(world.get("/citizens/me/emergency-card", an))["card"])
    with pytest.raises(verifier.NotProven, match="not the signature of a printed"):
        verifier.check_code(card, keys_of(world))


def test_a_book_of_nothing_is_a_document_too(world: World) -> None:
    text = text_of(file_of(world, world.person()))
    assert "Số mục: 0" in text and "Không có mục nào." in text


def test_one_visit_in_print_holds_what_was_recorded_in_it(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    within = {"encounter": {"reference": "Encounter/v1"}}
    seen = condition("c1", on="2026-10-20") | within | {"code": {"text": "Đau thắt lưng"}}
    world.send(doctor, bundle(an, visit(), seen, condition("c2") | {"code": {"text": "Tăng huyết áp"}}))
    items = found_in(world.get("/citizens/me/records?category=visit", an))["items"]
    pdf = file_of(world, an, scope="encounter", encounter_id=items[0]["id"])
    text = text_of(pdf)
    assert "Hồ sơ một lượt khám, điều trị" in text and "Đau thắt lưng" in text
    assert "Tăng huyết áp" not in text
    assert verifier.check(pdf, keys_of(world))["scope"] == "encounter"


def test_a_book_as_fhir_is_a_bundle_that_others_read(world: World) -> None:
    an, doctor = world.person("Nguyễn Thị Hường"), world.doctor()
    world.send(doctor, bundle(an, immunization(), labelled(condition(), "HIV"), allergy()))
    made = json.loads(file_of(world, an, format="fhir"))
    assert (made["resourceType"], made["type"]) == ("Bundle", "collection")
    patient, *rest = made["entry"]
    assert patient["resource"] == {
        "resourceType": "Patient",
        "name": [{"text": "Nguyễn Thị Hường"}],
        "gender": "female",
        "birthDate": an.born.isoformat(),
    }
    kinds = sorted(each["resource"]["resourceType"] for each in rest)
    assert kinds == ["AllergyIntolerance", "Condition", "Immunization"]
    about = {(each["resource"].get("patient") or each["resource"]["subject"])["reference"] for each in rest}
    assert about == {patient["fullUrl"]}
    assert len({each["fullUrl"] for each in made["entry"]}) == 4
    read = FhirBundle(made)  # strict: an unknown member or a wrong type raises
    assert read.entry[0].resource.resource_type == "Patient"


def test_the_media_type_and_name_of_a_file_tell_nothing_of_whom_it_is(world: World) -> None:
    an = world.person()
    for kind, media in (("pdf", "application/pdf"), ("fhir", "application/fhir+json")):
        export_id = asked(world, an, format=kind)
        work(world)
        answer = fetch(world, an, export_id)
        assert answer.mimetype == media and answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="health-book-2026-')
        assert state(world, an, export_id)["size"] == len(answer.data)


def test_a_guardians_file_lacks_what_is_hidden_from_guardians(world: World) -> None:
    mother, doctor = world.person(), world.doctor()
    girl = world.child_of(mother, date(2011, 2, 1))
    secret, open_ = {"code": {"text": "Điều riêng tư"}}, {"code": {"text": "Gãy tay"}}
    world.send(doctor, bundle(girl, condition("c1") | secret, condition("c2") | open_))
    items = found_in(world.get("/citizens/me/records", girl))["items"]
    (record_id,) = [each["id"] for each in items if each["resource"]["id"] == "c1"]
    hide = {"audience": "guardians", "hidden": True}
    assert world.call("PUT", f"/citizens/me/records/{record_id}/visibility", girl, hide).status_code == 204
    for kind in ("pdf", "fhir"):
        theirs: Any = file_of(world, mother, girl.id, format=kind)
        own: Any = file_of(world, girl, format=kind)
        if kind == "pdf":
            theirs, own = text_of(theirs), text_of(own)
            assert "Do người giám hộ lập" in theirs and "Do người giám hộ lập" not in own
        else:
            theirs, own = theirs.decode(), own.decode()
        assert "Gãy tay" in theirs and "Điều riêng tư" not in theirs
        assert "Gãy tay" in own and "Điều riêng tư" in own
