"""What facilities already make: the file of a visit for the health insurance arrives, and is corrected."""

from __future__ import annotations

import base64
from datetime import date, timedelta
from typing import Any

from wallet_api.cli.story.cast import DOCTOR, Act, Cast
from wallet_api.infra.clock import vn_day
from wallet_api.wiring.demo_books import Patient

_KEY = "99001-20261116-000123"


def insurance_file_arrives(cast: Cast) -> None:
    """A visit in the insurance's own XML, then the same with another laboratory value."""
    cast.journal.step(
        "The hospital's insurance file of a visit arrives; a wrong value is put right as version 2"
    )
    day = vn_day(cast.clock()) - timedelta(days=7)
    cast.hospital.sign_in(DOCTOR)
    for value in ("7.4", "7,9"):
        sent = cast.hospital.file_visits(visit_file(cast.patients["an"], day, value))
        (report,) = cast.journal.answered(sent, 202)["items"]
        cast.journal.note(accepted=report["accepted"], rejected=report["rejected"])
        cast.journal.must(report["rejected"] == 0, "every row of the visit must be taken in.")
    records = "/api/v1/citizens/me/records"
    found = cast.journal.answered(cast.citizen.call("GET", f"{records}?category=lab_result"), 200)["items"]
    mine = next(each for each in found if "HBA1C" in str(each["resource"]))
    past = cast.journal.answered(cast.citizen.call("GET", f"{records}/{mine['id']}/versions"), 200)["items"]
    said = [_said(each["resource"]) for each in past]
    cast.journal.note(HbA1c=f"{said[0]} (version {past[0]['version']}), before: {said[1]}")
    cast.journal.must(said == ["7.9 %", "7.4 %"], "the newest value must be the corrected one.")


def visit_file(patient: Patient, day: date, value: str) -> bytes:
    """A visit with one diagnosis and one result, as a hospital's system writes it."""
    head = {
        "MA_LK": _KEY,
        "HO_TEN": patient.name.upper(),
        "SO_CCCD": patient.number,
        "NGAY_SINH": f"{patient.birth_date:%Y%m%d}0000",
        "CHAN_DOAN_RV": "Đái tháo đường típ 2",
        "MA_BENH_CHINH": "E11.9",
        "NGAY_VAO": f"{day:%Y%m%d}0800",
        "NGAY_RA": f"{day:%Y%m%d}1010",
        "MA_LOAI_KCB": "01",
        "T_TONGCHI_BV": "245400",
    }
    result = {
        "MA_LK": _KEY,
        "MA_DICH_VU": "23.0083.1523",
        "MA_CHI_SO": "HBA1C",
        "TEN_CHI_SO": "HbA1c",
        "GIA_TRI": value,
        "DON_VI_DO": "%",
        "NGAY_KQ": f"{day:%Y%m%d}0935",
    }
    tables = _table("XML1", "TONG_HOP", head) + _table("XML4", "CHI_TIET_CLS", result)
    return f"<GIAMDINHHS><DANHSACHHOSO><HOSO>{tables}</HOSO></DANHSACHHOSO></GIAMDINHHS>".encode()


def _table(name: str, row: str, fields: dict[str, str]) -> str:
    inner = "".join(f"<{field}>{text}</{field}>" for field, text in fields.items())
    packed = base64.b64encode(f"<{row}>{inner}</{row}>".encode()).decode()
    return f"<FILEHOSO><LOAIHOSO>{name}</LOAIHOSO><NOIDUNGFILE>{packed}</NOIDUNGFILE></FILEHOSO>"


def _said(resource: dict[str, Any]) -> str:
    quantity = resource["valueQuantity"]
    return f"{quantity['value']} {quantity['unit']}"


ACTS: tuple[Act, ...] = (insurance_file_arrives,)
