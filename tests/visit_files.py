"""Visit files of the health insurance as facilities make them, for people who do not exist."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Protocol
from xml.sax.saxutils import escape

from wallet_api.records.insurance.dictionary import VISITS

Row = Mapping[str, str]


class Somebody(Protocol):
    """Whom a visit is about: somebody, or nobody."""

    @property
    def number(self) -> str:
        """The personal number."""

    @property
    def born(self) -> date:
        """The birth date."""


HEAD: Row = {
    "MA_LK": "99001-20261101-7",
    "STT": "1",
    "HO_TEN": "NGƯỜI THỬ",
    "LY_DO_VV": "Tái khám theo hẹn",
    "CHAN_DOAN_RV": "Tăng huyết áp; Đái tháo đường típ 2",
    "MA_BENH_CHINH": "I10",
    "MA_BENH_KT": "E11.9",
    "NGAY_VAO": "202611010800",
    "NGAY_RA": "202611011010",
    "PP_DIEU_TRI": "Thuốc hạ áp",
    "KET_QUA_DTRI": "2",
    "MA_LOAI_KCB": "08",
    "T_TONGCHI_BV": "245400",
    "T_BHTT": "196320",
    "CAN_NANG": "58.50",
}
MEDICINE: Row = {
    "MA_LK": HEAD["MA_LK"],
    "STT": "1",
    "MA_THUOC": "40.491",
    "TEN_THUOC": "Amlodipin 5mg",
    "DON_VI_TINH": "Viên",
    "LIEU_DUNG": "1 viên/lần * 1 lần/ngày",
    "SO_LUONG": "28",
    "DON_GIA": "650",
    "NGAY_YL": "202611010940",
}
RESULT: Row = {
    "MA_LK": HEAD["MA_LK"],
    "STT": "1",
    "MA_DICH_VU": "23.0083.1523",
    "MA_CHI_SO": "HBA1C",
    "TEN_CHI_SO": "HbA1c",
    "GIA_TRI": "7.4",
    "DON_VI_DO": "%",
    "NGAY_KQ": "202611010935",
}
NOTICE: Row = {
    "MA_LK": HEAD["MA_LK"],
    "NGAY_HEN_KL": "20261129",
    "CHAN_DOAN_RV": "Tăng huyết áp",
    "NGAY_CT": "20261101",
}
_LISTS = {
    "XML2": "DSACH_CHI_TIET_THUOC",
    "XML4": "DSACH_CHI_TIET_CLS",
    "XML9": "DSACH_GIAYCHUNGSINH",
}


def head(person: Somebody, **over: str) -> Row:
    """The head of a visit of somebody."""
    return dict(HEAD) | {"SO_CCCD": person.number, "NGAY_SINH": f"{person.born:%Y%m%d}0000"} | over


def table(name: str, *rows: Row) -> str:
    """One table as XML, with a root and a list around its rows where it has them."""
    known = VISITS.tables.get(name)
    record = known.record if known else "DONG"
    inner = "".join(f"<{record}>{escaped(row)}</{record}>" for row in rows)
    around = _LISTS.get(name)
    return f"<BANG><{around}>{inner}</{around}></BANG>" if around else inner


def packed(xml: str) -> str:
    """A table as it travels: Base64 of UTF-8."""
    return base64.b64encode(f'<?xml version="1.0" encoding="UTF-8"?>{xml}'.encode()).decode()


def visit(tables: Mapping[str, str]) -> str:
    """One HOSO of tables that are packed already, or nested."""
    return "<HOSO>" + "".join(_file(name, content) for name, content in tables.items()) + "</HOSO>"


def file_of(*visits: str) -> bytes:
    """A file of visits."""
    listed = f"<SOLUONGHOSO>{len(visits)}</SOLUONGHOSO><DANHSACHHOSO>{''.join(visits)}</DANHSACHHOSO>"
    sender = "<THONGTINDONVI><MACSKCB>99001</MACSKCB></THONGTINDONVI>"
    inner = f"{sender}<THONGTINHOSO>{listed}</THONGTINHOSO>"
    return f'<?xml version="1.0" encoding="UTF-8"?><GIAMDINHHS>{inner}</GIAMDINHHS>'.encode()


def visit_of(person: Somebody, more: Mapping[str, Sequence[Row]] | None = None, **over: str) -> str:
    """A whole visit: head, medicine, result and next appointment, with what `more` puts in their place."""
    tables: dict[str, Sequence[Row]] = {
        "XML1": [head(person, **over)],
        "XML2": [MEDICINE],
        "XML4": [RESULT],
        "XML14": [NOTICE],
    }
    tables |= more or {}
    return visit({name: packed(table(name, *rows)) for name, rows in tables.items()})


def _file(name: str, content: str) -> str:
    return f"<FILEHOSO><LOAIHOSO>{name}</LOAIHOSO><NOIDUNGFILE>{content}</NOIDUNGFILE></FILEHOSO>"


def escaped(row: Row) -> str:
    """The elements of a row as XML."""
    return "".join(f"<{name}>{escape(text)}</{name}>" for name, text in row.items())
