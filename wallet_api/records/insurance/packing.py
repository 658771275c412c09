"""How a table travels inside a visit file: as XML, as text, in Base64 once or twice; read with limits."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from wallet_api.records.insurance.values import Unreadable

_LARGEST_TABLE: Final = 10 * 2**20
_MOST_PACKED: Final = 2
_MOST_TAGS: Final = 200_000
"""In one XML document: each costs a hundred bytes of memory, however short it is written."""
_DEEPEST: Final = 32
_ENCODING = re.compile(r"""<\?xml[^>]*encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_BOM = "\ufeff"


def document(raw: bytes) -> Element:
    """An XML document, its names without their namespaces.

    Raises:
        Unreadable: it is not well-formed XML in UTF-8, has a document type, or is too large or too deep.
    """
    return _parsed(_text(raw))


def tables_in(content: Element) -> Element:
    """What a NOIDUNGFILE holds, as an element with the rows somewhere below it.

    Raises:
        Unreadable: there is nothing in it, or it cannot be unpacked and read.
    """
    if len(content):
        return content
    text = (content.text or "").lstrip(_BOM).strip()
    for _ in range(_MOST_PACKED):
        if text.startswith("<"):
            break
        text = _unpacked(text)
    if not text.startswith("<"):
        raise Unreadable("base64_invalid" if text else "table_empty")
    return _parsed(text)


def _unpacked(text: str) -> str:
    packed = "".join(text.split())
    if len(packed) > _LARGEST_TABLE * 4 // 3 + 4:
        raise Unreadable("table_too_large")
    try:
        return _text(base64.b64decode(packed, validate=True))
    except (binascii.Error, ValueError) as why:
        raise Unreadable("base64_invalid") from why


def _text(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8").lstrip(_BOM).strip()
    except UnicodeDecodeError as why:
        raise Unreadable("not_utf8") from why
    said = _ENCODING.match(text)
    if said is not None and said[1].lower() not in ("utf-8", "utf8"):
        raise Unreadable("not_utf8")
    return text


def _parsed(text: str) -> Element:
    if text.count("<") > _MOST_TAGS:
        raise Unreadable("xml_too_large")
    try:
        root: Element = fromstring(text, forbid_dtd=True)
    except DefusedXmlException as why:
        raise Unreadable("xml_forbidden") from why
    except (ParseError, ValueError) as why:
        raise Unreadable("xml_malformed") from why
    _check_depth(root)
    for each in root.iter():
        each.tag = each.tag.rpartition("}")[2]
    return root


def _check_depth(root: Element) -> None:
    level, depth = [root], 0
    while level:
        depth += 1
        if depth > _DEEPEST:
            raise Unreadable("xml_too_deep")
        level = [inner for each in level for inner in each]
