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
STANDING_GRANT: Final[Example] = {
    "organisation_id": "abcdefghijklmnopqrstuvwxyz",
    "purpose": "TREAT",
    "categories": ["condition", "immunization"],
    "expires_at": "2027-05-01T00:00:00+07:00",
    "notice": {"version": "2026-11-01", "locale": "vi"},
}
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
EMERGENCY: Final[Example] = {
    "citizen": {"national_id": "001190999001"},
    "reason_code": "unconscious",
    "reason": "Tai nạn giao thông, bất tỉnh khi nhập viện",
}
VERDICT: Final[Example] = {"verdict": "justified", "reason": "Hồ sơ bệnh án xác nhận người bệnh bất tỉnh."}
LIFTING: Final[Example] = {"reason": "Đã tập huấn lại về truy cập cấp cứu."}
OWN_ENTRY: Final[Example] = {
    "kind": "blood_pressure",
    "occurred_on": "2026-11-02",
    "systolic": 128,
    "diastolic": 82,
}
OWN_CORRECTION: Final[Example] = OWN_ENTRY | {"systolic": 126, "reason": "corrected_by_person"}
VISIBILITY: Final[Example] = {"audience": "guardians", "hidden": True}
SHARE: Final[Example] = {
    "kind": "summary",
    "label": "Cho phòng khám",
    "expires_at": "2026-12-01T00:00:00+07:00",
    "use_limit": 3,
    "passcode": "khong-de-doan",
}
HEALTH_CARD: Final[Example] = {"kind": "immunization"}
EXPORT: Final[Example] = {"format": "pdf"}
MANIFEST: Final[Example] = {"recipient": "BS. Ví Dụ, Phòng khám Ví Dụ", "passcode": "khong-de-doan"}
PREFERENCES: Final[Example] = {
    "opted_out": [],
    "muted": [{"topic": "checkup", "channel": "push"}],
    "from_hour": 8,
    "to_hour": 20,
    "time_zone": "Asia/Ho_Chi_Minh",
    "weekly_limits": [{"topic": "vaccination", "days": 2}],
    "urgent": [],
    "locale": "vi",
    "email": None,
}
SNOOZE: Final[Example] = {"until": "2026-12-01"}
ALREADY_GIVEN: Final[Example] = {"given_on": "2026-11-01", "where": "Phòng tiêm chủng tư nhân"}
SESSION_DAYS: Final[Example] = {
    "periods": [
        {"valid_from": "2026-12-01", "valid_to": "2027-06-30", "days": ["2026-12-31"], "monthly": [5, 20]}
    ]
}
COMMUNE: Final[Example] = {"commune": "00004"}
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
REGISTRY_REASON: Final[Example] = {"reason": "Đã đối chiếu giấy phép hoạt động."}
LICENCE: Final[Example] = {
    "purposes": ["TREAT"],
    "read_categories": ["immunization"],
    "write_categories": ["immunization"],
}
MERGER: Final[Example] = {"into": "abcdefghijklmnopqrstuvwxyz", "reason": "Sáp nhập theo quyết định."}
LOST_KEY: Final[Example] = {"kid": "2026-11", "reason": "Mất máy chủ."}
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
ACCOUNT_CHANGE: Final[Example] = {
    "national_id": "001188998877",
    "change": "lock",
    "evidence_kind": "call",
}
BIRTH: Final[Example] = {
    "mother": {"national_id": "001199998877", "birth_date": "1999-04-01"},
    "newborn": {"name": "Bé Thử", "birth_date": "2026-11-20", "sex": "female"},
    "paper": {"kind": "birth_record", "number": "CS-2026-000123"},
}
NUMBER_LINK: Final[Example] = {
    "person": {"birth_reference": "SSABCDEFGHIJ234567"},
    "birth_date": "2026-11-20",
    "national_id": "001326998877",
    "evidence_kind": "birth_certificate",
}
DEATH: Final[Example] = {
    "national_id": "001140998877",
    "birth_date": "1940-03-01",
    "died_on": "2026-11-01",
    "evidence_kind": "death_certificate",
    "paper_number": "KT-2026-000045",
}
REBUILD: Final[Example] = {"dry_run": True, "sample_shards": 8}
REBUILD_DECISION: Final[Example] = {"decision": "approve"}
MERGE: Final[Example] = {
    "surviving": {"national_id": "001326998877", "birth_date": "2026-11-20"},
    "absorbed": {"birth_reference": "SSABCDEFGHIJ234567", "birth_date": "2026-11-20"},
    "reason": "newborn_registered_twice",
    "evidence_kind": "birth_certificate",
    "paper_number": "KS-2026-000077",
    "accepts": [],
}
MERGE_DECISION: Final[Example] = {"decision": "confirm"}
DEATH_DECISION: Final[Example] = {"decision": "confirm"}
HEIR: Final[Example] = {
    "national_id": "001170998877",
    "birth_date": "1970-05-01",
    "relation": "child",
    "evidence_kind": "birth_certificate",
}
HEIR_DECISION: Final[Example] = {"decision": "give"}
CLAIM: Final[Example] = {
    "dependent": {"national_id": "001324999001"},
    "birth_date": "2024-02-01",
    "relation": "minor",
    "evidence_kind": "birth_certificate",
}
FLAG: Final[Example] = {
    "record_ref": "the-record-s-reference-as-the-list-gave-it",
    "kind": "child_abuse",
    "since": "2026-11-02T00:00:00+07:00",
}
FLAG_OF_OPS: Final[Example] = {
    "citizen_id": "zyxwvutsrqponmlkjihgfedcba",
    "organisation_id": "abcdefghijklmnopqrstuvwxyz",
    "kind": "domestic_violence",
    "since": "2026-11-02T00:00:00+07:00",
}
GUARDIANSHIP_REFUSAL: Final[Example] = {"reason": "evidence_insufficient"}
RESUMPTION: Final[Example] = {"notice": {"version": "2026-11-01", "locale": "vi"}}
ASSENT: Final[Example] = {
    "notice": {"version": "2026-11-01", "locale": "vi"},
    "heard_in_person": True,
}
ASSISTED: Final[Example] = {
    "citizen": {"national_id": "001152999001"},
    "birth_date": "1952-03-04",
    "known_by": "national_id_card",
    "categories": ["condition", "medication"],
    "notice": {"version": "2026-11-01", "locale": "vi"},
    "heard_in_person": True,
}
WEBHOOK: Final[Example] = {"url": "http://localhost:9443/wallet-events", "since": 0}
REWIND: Final[Example] = {"since": 41}
ATTESTATION: Final[Example] = {"attestation": "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiIuLi4ifQ.c2lnbmF0dXJl"}
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
CAMPAIGN: Final[Example] = {
    "name": "measles-2026-11",
    "kind": "outbreak",
    "template": "outbreak_vaccination.v1",
    "audience": {"province": "01", "commune": "00070", "age_from": 0, "age_to": 14},
    "per_minute": 600,
}
RIGHTS_REQUEST: Final[Example] = {"kind": "restrict", "details": "Tôi không muốn cơ sở nào xem hồ sơ nữa."}
RIGHTS_ACKNOWLEDGEMENT: Final[Example] = {"with_others": False, "note": None}
RIGHTS_EXTENSION: Final[Example] = {"note": "Phải hỏi ba cơ sở khác."}
RIGHTS_COMPLETION: Final[Example] = {"note": None}
RIGHTS_REFUSAL: Final[Example] = {"code": "legal_retention", "note": "Hồ sơ bệnh án phải lưu 10 năm."}
CORRECTION: Final[Example] = {
    "record_id": "h7ZtqkWc1vXb0Jm2RnYd5w",
    "record_version": 1,
    "kind": "wrong_date",
    "details": "Tôi khám ngày 12 chứ không phải ngày 21.",
}
CORRECTION_ANSWER: Final[Example] = {
    "outcome": "refused",
    "corrected_version": None,
    "refusal": "record_is_right",
    "note": "Đã đối chiếu với bệnh án giấy.",
}
PARKED_RELEASE: Final[Example] = {
    "citizen": {"national_id": "001190999001", "birth_date": "1990-05-04"},
    "evidence": "civil_status_register",
}
PARKED_REJECT: Final[Example] = {"reason": "identity_not_proven"}
MISMATCH_DECISION: Final[Example] = {"decision": "remove", "reason": "identity_differs"}
