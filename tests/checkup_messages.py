"""Check-ups as facilities push them, for people who do not exist, signed with keys made for the test."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from tests.visit_files import Row, Somebody, escaped
from tests.world import Doctor, Json, World
from wallet_api.records.checkups.dictionary import check_ups

KEY = "99001-KSK-20261101-7"
HEADER = {
    "version": "1.0.6",
    "sender_id": "2990000990013",
    "receiver_id": "TDLBYT",
    "txn_type": "sync_checkup",
    "msg_id": "29900009900132611015b0a3f6c9d2e4a71b8c4e0f1a2d3c4b5",
    "msg_type": "101",
    "data_type": "xml/base64",
    "send_datetime": 1793500000000,
}
OCCASION: Row = {
    "MA_CSKCB": "99001",
    "MA_LK": KEY,
    "DOI_TUONG": "5;13",
    "NGUON_CHI_TRA": "2",
    "MA_LOAI_KCB": "15",
    "NGAY_VAO": "202611010730",
    "TYPE": "Adult",
}
EXAMINED: Row = {
    "KHONG_KINH_MAT_PHAI": "8/10",
    "KHAM_MAT_PL": "2",
    "NOI_KHOA_TIM_MACH": "Nhịp tim đều",
    "NOI_KHOA_HO_HAP": "Rì rào phế nang rõ",
    "NOI_KHOA_TAM_THAN": "Lo âu kéo dài",
    "NOI_KHOA_TAM_THAN_PL": "3",
    "CKDT_KHAM_MAT": "chữ ký",
}
HISTORY: Row = {
    "TIEM_CHUNG_SOI": "1",
    "TSBT_MA_BENH": "I10",
    "TSBT_TANG_HUYET_AP": "1",
    "TSBT_MA_TUY": "1",
    "TSBT_TEN_THUOC_LIEU_LUONG": "Amlodipin 5 mg",
}
BODY: Row = {"CHIEU_CAO": "168", "CAN_NANG": "72,5", "CHI_SO_BMI": "25.7", "MACH": "76", "HUYET_AP": "134/84"}
RESULTS: Sequence[Row] = (
    {"MA_DICH_VU": "23.0075", "MA_CHI_SO": "GLUCOSE", "GIA_TRI": "5.9", "DON_VI_DO": "mmol/L"},
    {"MA_DICH_VU": "18.0002", "MO_TA": "Siêu âm bụng", "KET_LUAN": "Bình thường"},
)
CONCLUSION: Row = {
    "VAN_DE_SUC_KHOE": "1",
    "NGUY_CO_MAC_LAO": "0",
    "KET_LUAN_BENH": "I10;E66.9",
    "PHAN_LOAI_SK": "3",
    "CAC_VAN_DE_SUC_KHOE": "Theo dõi huyết áp",
}


@cache
def rsa_key(bits: int = 2048, exponent: int = 65537) -> RSAPrivateKey:
    """A key for the tests of this run."""
    return generate_private_key(exponent, bits)


def public_jwk(key: RSAPrivateKey, kid: str = "message-1", **over: str) -> Json:
    """The key as it is registered."""
    numbers = key.public_key().public_numbers()
    told = {name: _text_of(number) for name, number in (("n", numbers.n), ("e", numbers.e))}
    return told | {"kty": "RSA", "kid": kid, "alg": "RS256"} | over


def _text_of(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def may_push(world: World, doctor: Doctor, key: RSAPrivateKey | None = None) -> Doctor:
    """The doctor, whose system may push check-ups from now on."""
    clients = world.services.identity.clients
    own = [each for each in clients.get(doctor.client_id).jwks["keys"] if each["kty"] == "EC"]  # type: ignore[attr-defined]  # a list
    clients.change_keys(doctor.client_id, {"keys": [*own, public_jwk(key or rsa_key())]})
    world.forget_tokens()
    return doctor


def parts_of(person: Somebody, **over: Row | Sequence[Row]) -> dict[str, Row | Sequence[Row]]:
    """The parts of a check-up of somebody; what `over` names is put in its place, or left out if empty."""
    told: dict[str, Row | Sequence[Row]] = {
        "XML1": {
            "HO_TEN": "NGƯỜI THỬ",
            "NGAY_SINH": f"{person.born:%Y%m%d}0000",
            "SO_CCCD": person.number,
            "NHOM_MAU": "B+",
            "DIEN_THOAI": "0900000000",
            "LY_DO_VV": "Khám sức khỏe định kỳ",
        },
        "XML2": OCCASION,
        "XML7": EXAMINED,
        "XML9": HISTORY,
        "XML10": BODY,
        "XML11": RESULTS,
        "XML12": CONCLUSION,
    }
    return {name: rows for name, rows in (told | over).items() if rows}


def file_of(*check_ups_told: Mapping[str, Row | Sequence[Row]]) -> bytes:
    """A file of check-ups, its parts nested as most builders write them."""
    listed = "".join(f"<HOSO>{_parts(each)}</HOSO>" for each in check_ups_told)
    inner = f"<THONGTINHOSO><DANHSACHHOSO>{listed}</DANHSACHHOSO></THONGTINHOSO>"
    return f'<?xml version="1.0" encoding="UTF-8"?><KHAMSUCKHOE>{inner}</KHAMSUCKHOE>'.encode()


def message_of(raw: bytes, key: RSAPrivateKey | None = None, *, wrapped: bool = True, **header: Any) -> bytes:
    """A message with a file in it, signed; `wrapped` as Decision 2062 has the data, else as 1551."""
    packed = base64.b64encode(raw).decode()
    told = json.dumps(HEADER | header, separators=(",", ":"), ensure_ascii=False)
    data = json.dumps({"file_content": packed} if wrapped else packed, separators=(",", ":"))
    signed = ".".join(hashlib.sha256(each.encode()).hexdigest().upper() for each in (told, data))
    signature = (key or rsa_key()).sign(signed.encode(), PKCS1v15(), SHA256())
    return f'{{"header":{told},"data":{data},"signature":"{base64.b64encode(signature).decode()}"}}'.encode()


def _parts(told: Mapping[str, Row | Sequence[Row]]) -> str:
    return "".join(
        f"<FILEHOSO><LOAIHOSO>{name}</LOAIHOSO><NOIDUNGFILE>{_part(name, rows)}</NOIDUNGFILE></FILEHOSO>"
        for name, rows in told.items()
    )


def _part(name: str, rows: Row | Sequence[Row]) -> str:
    known = check_ups().form.tables.get(name)
    record = known.record if known else "PHAN_LA"
    listed = [rows] if isinstance(rows, Mapping) else rows
    inner = "".join(f"<{record}>{escaped(row)}</{record}>" for row in listed)
    return inner if len(listed) == 1 else f"<PHAN><DANH_SACH_CLS>{inner}</DANH_SACH_CLS></PHAN>"
