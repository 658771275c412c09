"""What a provider sends in other people's formats, as far as JSON Schema can say it."""

from __future__ import annotations

from typing import Any

from wallet_api.records.bundle import BUNDLE_TYPES, MAX_ENTRIES
from wallet_api.records.vaccinations import MOST_EVENTS, OPERATIONS

_ENTRY: dict[str, Any] = {
    "type": "object",
    "required": ["resource"],
    "properties": {
        "fullUrl": {"type": "string"},
        "resource": {
            "type": "object",
            "required": ["resourceType"],
            "properties": {"resourceType": {"type": "string"}},
        },
    },
}
EXAMPLE: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [
        {
            "resource": {
                "resourceType": "Patient",
                "id": "p",
                "identifier": [{"system": "http://fhir.hl7.org.vn/core/sid/cccd", "value": "001190999001"}],
                "birthDate": "1990-05-04",
            }
        },
        {
            "resource": {
                "resourceType": "Condition",
                "id": "c-2026-0001",
                "subject": {"reference": "Patient/p"},
                "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "J02.9"}]},
                "onsetDateTime": "2026-11-21",
            }
        },
    ],
}
EVIDENCE_FILE: dict[str, Any] = {
    "required": True,
    "description": "JPEG, PNG or PDF, at most 5 MiB: told by its first bytes, whatever type it is sent with.",
    # One type, and this one: generators of clients know none of the three, and would leave the call out.
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}
INSURANCE_FILE: dict[str, Any] = {
    "required": True,
    "description": "The XML file itself (UTF-8, at most 10 MiB and 50 visits), as facilities make it for the "
    "health insurance under Decision 130 and its amendments: known by its content, whatever type it is sent "
    "with; application/xml is the fitting one.",
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}
_TEXT: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 200}
VACCINATIONS: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["events"],
                "properties": {
                    "events": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": MOST_EVENTS,
                        "items": {
                            "type": "object",
                            "required": ["event_id", "subject", "dose"],
                            "properties": {
                                "event_id": _TEXT,
                                "version": {"type": "integer", "minimum": 1, "default": 1},
                                "operation": {"type": "string", "enum": list(OPERATIONS)},
                                "subject": {
                                    "type": "object",
                                    "required": ["subject_identifier", "birth_date"],
                                    "properties": {"subject_identifier": _TEXT, "birth_date": _TEXT},
                                },
                                "dose": {
                                    "type": "object",
                                    "required": ["vaccine", "vaccination_date"],
                                    "properties": {
                                        "vaccine": {
                                            "type": "object",
                                            "properties": {"cvx": _TEXT, "code": _TEXT, "text": _TEXT},
                                            "description": "At least one of the three.",
                                        },
                                        "vaccination_date": _TEXT,
                                        "dose_order": {"type": "integer", "minimum": 1, "maximum": 99},
                                        "lot_number": _TEXT,
                                    },
                                },
                            },
                        },
                    }
                },
                "description": "What else an event says of a person is not filed: the book knows it.",
            },
            "example": {
                "events": [
                    {
                        "event_id": "99001-TC-2026-000501",
                        "version": 1,
                        "operation": "create",
                        "subject": {"subject_identifier": "001190999001", "birth_date": "1990-05-04"},
                        "dose": {
                            "vaccine": {"cvx": "138", "text": "Td"},
                            "vaccination_date": "2026-11-02",
                            "dose_order": 1,
                        },
                    }
                ]
            },
        }
    },
}
_BASE64: dict[str, Any] = {"type": "string", "minLength": 1, "format": "byte"}
CHECK_UP_MESSAGE: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["header", "data", "signature"],
                "additionalProperties": False,
                "properties": {
                    "header": {
                        "type": "object",
                        "required": ["txn_type", "data_type"],
                        "properties": {
                            "txn_type": {"type": "string", "enum": ["sync_checkup"]},
                            "data_type": {"type": "string", "enum": ["xml/base64"]},
                        },
                        "description": "What else it says is signed, and not read.",
                    },
                    "data": {
                        "oneOf": [
                            _BASE64,
                            {
                                "type": "object",
                                "required": ["file_content"],
                                "properties": {"file_content": _BASE64},
                            },
                        ],
                        "description": "The XML file (KHAMSUCKHOE) in Base64.",
                    },
                    "signature": {
                        **_BASE64,
                        "description": "RSA PKCS#1 v1.5 with SHA-256 over `A.B`: the SHA-256 of header and "
                        "of data as they are sent, in upper-case hexadecimal.",
                    },
                },
            },
            "example": {
                "header": {
                    "version": "1.0.6",
                    "sender_id": "2990000990013",
                    "receiver_id": "TDLBYT",
                    "txn_type": "sync_checkup",
                    "data_type": "xml/base64",
                    "send_datetime": 1794445200000,
                },
                "data": {"file_content": "PEtIQU1TVUNLSE9FPjwvS0hBTVNVQ0tIT0U+"},
                "signature": "c2lnbmVkIGJ5IHlvdXIgUlNBIGtleQ==",
            },
        }
    },
}
FHIR_BUNDLE: dict[str, Any] = {
    "required": True,
    "content": {
        "application/fhir+json": {
            "schema": {
                "type": "object",
                "required": ["resourceType", "type", "entry"],
                "properties": {
                    "resourceType": {"type": "string", "enum": ["Bundle"]},
                    "type": {"type": "string", "enum": sorted(BUNDLE_TYPES)},
                    "entry": {"type": "array", "items": _ENTRY, "minItems": 1, "maxItems": MAX_ENTRIES},
                },
                "description": "About exactly one `Patient` with a number and a birth date.",
            },
            "example": EXAMPLE,
        }
    },
}
