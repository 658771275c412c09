"""Examples of what is sent, for people who write clients: shown in the document, and tried by its tests."""

from __future__ import annotations

from typing import Any, Final

Example = dict[str, Any]
APPROVAL: Final[Example] = {
    "categories": ["condition", "immunization"],
    "record_period": {"from": "2025-01-01", "to": None},
    "frequency": "unlimited",
    "notice": {"version": "2026-11-01", "locale": "vi"},
}
NARROWING: Final[Example] = {"categories": ["immunization"]}
PROPOSAL: Final[Example] = {
    "citizen": {"national_id": "001190999001"},
    "purpose": "TREAT",
    "categories": ["condition", "immunization"],
    "record_period": {"from": "2025-01-01", "to": None},
    "expires_at": "2026-12-01T00:00:00+07:00",
    "frequency": "unlimited",
    "labels": [],
    "only_me": False,
    "reason": "Tái khám",
}
ACCESS: Final[Example] = {"citizen_ref": "06ymqlr7c3V5Jt2Ncl0pQeWbXz8Kf1uHsAoGd9yTiRE", "purpose": "TREAT"}
VISIBILITY: Final[Example] = {"audience": "guardians", "hidden": True}
PREFERENCES: Final[Example] = {"opted_out": [], "from_hour": 8, "to_hour": 20, "locale": "vi"}
DEVICE: Final[Example] = {
    "platform": "android",
    "address_kind": "fid",
    "address": "dGhpc19pc19hbl9leGFtcGxl",
    "locale": "vi",
}
ORGANISATION: Final[Example] = {
    "name_vi": "Trạm y tế xã Ví Dụ",
    "name_en": "Example commune health station",
    "kind": "commune_station",
    "facility_code": "01ABC",
    "gln": None,
    "purposes": ["TREAT"],
    "read_categories": ["immunization"],
    "write_categories": ["immunization"],
}
KEYS: Final[Example] = {
    "jwks": {
        "keys": [
            {
                "kty": "EC",
                "crv": "P-256",
                "kid": "2026-11",
                "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            }
        ]
    }
}
ROSTER: Final[Example] = {
    "id": "bs-khanh",
    "name": "BS. Khánh",
    "role": "physician",
    "valid_from": "2026-11-01",
    "valid_to": None,
}
GUARDIANSHIP: Final[Example] = {
    "guardian_id": "abcdefghijklmnopqrstuvwxyz",
    "dependent_id": "zyxwvutsrqponmlkjihgfedcba",
    "relation": "minor",
    "evidence_kind": "birth_certificate",
    "valid_from": "2026-11-01",
}
BREACH: Final[Example] = {
    "detected_at": "2026-11-02T21:15:00+07:00",
    "kind": "confidentiality",
    "cause": "credential",
    "data": ["health"],
    "what": "A practitioner's token was used from another town.",
}
BREACH_ASSESSMENT: Final[Example] = {
    "risk": "high",
    "must_notify": True,
    "affected": 12,
    "reason": "Twelve books were read by somebody else.",
}
BREACH_NOTIFICATION: Final[Example] = {
    "to": ["authority"],
    "told_at": "2026-11-03T09:00:00+07:00",
    "reason": "Reported by the form of the authority.",
}
BREACH_CLOSURE: Final[Example] = {"reason": "Everybody was told; the token is void."}
