"""The text of a section: a table of its lines as XHTML, every word of it escaped. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from wallet_api.records.front import Line
from wallet_api.records.ips.sections import layout
from wallet_api.records.words import concept_of, name_of, values_of

Json = dict[str, Any]
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document may hold, escaped or not."""
_LONGEST: Final = 300


def told(lines: Sequence[Line], more: bool, locale: str, sources: Mapping[str, str]) -> Json:
    """The narrative of a section. `sources`: the names of organisations by id."""
    words = layout().words[locale]
    rows = [_row(each, words, sources) for each in lines]
    columns = [name for name in ("what", "value", "on", "from") if any(row[name] for row in rows)]
    head = _tags("tr", (f"<th>{escaped(words[name])}</th>" for name in columns))
    body = [_tags("tr", (f"<td>{escaped(row[name])}</td>" for name in columns)) for row in rows]
    rest = f"<p>{escaped(words['more'])}</p>" if more else ""
    return narrative(f"<table><thead>{head}</thead>{_tags('tbody', body)}</table>{rest}")


def said(text: str) -> Json:
    """A narrative of one sentence."""
    return narrative(f"<p>{escaped(text)}</p>")


def narrative(inner: str) -> Json:
    """XHTML as FHIR has it."""
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{inner}</div>'}


def escaped(text: str) -> str:
    """Words that are nothing but words, whatever is in them."""
    return html.escape(_NOT_XML.sub("", text), quote=True)


def _row(line: Line, words: Mapping[str, str], sources: Mapping[str, str]) -> dict[str, str]:
    record = line.record
    origin = words["self"] if record.self_reported else sources.get(record.source.organisation_id or "", "")
    return {
        "what": name_of(concept_of(record.resource)) or words["unknown"],
        "value": "; ".join(filter(None, map(_value, values_of(record.resource))))[:_LONGEST],
        "on": record.occurred_on.text,
        "from": origin,
    }


def _value(found: Mapping[str, Any]) -> str:
    text = found["text"] or f"{found['value']} {found['unit'] or ''}".strip()
    return f"{found['name']}: {text}" if found["name"] else str(text)


def _tags(name: str, inner: Any) -> str:
    return f"<{name}>{''.join(inner)}</{name}>"
