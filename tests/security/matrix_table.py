"""Who may do what to whose: the policy, one line an operation. The test beside it checks every cell.

A cell is one letter for each of four targets, in this order:

1. own: what is the caller's, or what the caller was granted;
2. other's: what exists and is not the caller's;
3. formerly granted: what the caller was granted (or guardian of) until it ended;
4. absent: what never was.

One letter alone: the operation names nothing. `-`: for this caller there is no such target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TARGETS: Final = ("own", "other's", "formerly granted", "absent")
OUTSIDERS: Final = ("nobody", "signed_out")
CITIZENS: Final = ("citizen", "guardian", "companion")
PROVIDERS: Final = ("doctor", "ex_doctor", "system")
OPS: Final = ("registrar", "operator", "reviewer")
IDENTITIES: Final = (*OUTSIDERS, *CITIZENS, *PROVIDERS, *OPS)

LETTERS: Final[dict[str, tuple[int, str]]] = {
    ".": (404, "not_found"),
    "U": (401, "invalid_token"),
    "F": (403, "forbidden"),
    "R": (403, "role_missing"),
    "P": (403, "practitioner_needed"),
    "S": (403, "access_session_invalid"),
    "E": (403, "consent_ended"),
    "C": (409, "co_consent_required"),
    "I": (422, "unknown_code"),
    "K": (202, ""),
    "N": (409, "first_signature_missing"),
    "G": (409, "grant_not_suspended"),
    "O": (409, "not_self_reported"),
}
"""What a letter stands for. A is the status in the column `ok`; K is an act that waits for another's."""
DONE: Final = frozenset("AK")
"""Letters of what was done, and may have changed the database."""

# A guardian's `own` is the book of the child of two they act for; a companion's is the book of a girl of
# fifteen, and in it the record that she hid from guardians. Both were once guardians of somebody else.
# Everybody of a provider or of ops is answered F, and U whoever has no live token.
BOOKS: Final = """
                                                                    ok  citizen guardian companion
GET    /citizens/<citizen>                                          200 A...    A...     A...
GET    /citizens/<citizen>/access-log                               200 A...    A...     A...
GET    /citizens/<citizen>/access-log/<entry_ref>/proof             200 A...    A...     A...
GET    /citizens/<citizen>/summary                                  200 A...    A...     A...
GET    /citizens/<citizen>/records                                  200 A...    A...     A...
POST   /citizens/<citizen>/records                                  201 A...    A...     A...
GET    /citizens/<citizen>/changes                                  200 A...    A...     A...
PUT    /citizens/<citizen>/records/<record_id>                      200 O...    O...     ....
GET    /citizens/<citizen>/records/<record_id>                      200 A...    A...     ....
GET    /citizens/<citizen>/records/<record_id>/versions             200 A...    A...     ....
PUT    /citizens/<citizen>/records/<record_id>/visibility           204 A...    ....     ....
GET    /citizens/<citizen>/encounters/<visit_id>                    200 A...    A...     A...
GET    /citizens/<citizen>/series/<code>                            200 A...    A...     A...
GET    /citizens/<citizen>/emergency-card                           200 A...    A...     A...
GET    /citizens/<citizen>/forecast                                 200 A...    A...     A...
GET    /citizens/<citizen>/reminders                                200 A...    A...     A...
GET    /citizens/<citizen>/reminders.ics                            200 A...    A...     A...
GET    /citizens/<citizen>/reminders/<reminder_id>                  200 A...    A...     ....
POST   /citizens/<citizen>/reminders/<reminder_id>/snooze           200 A...    A...     ....
POST   /citizens/<citizen>/reminders/<reminder_id>/already-given    200 A...    A...     ....
DELETE /citizens/<citizen>/reminders/<reminder_id>/already-given    204 A...    A...     ....
GET    /citizens/<citizen>/vaccination-commune                      200 A...    A...     A...
PUT    /citizens/<citizen>/vaccination-commune                      200 A...    A...     A...
GET    /citizens/<citizen>/consent-requests                         200 A...    A...     A...
GET    /citizens/<citizen>/consent-requests/<request_id>            200 A...    A...     A...
GET    /citizens/<citizen>/consent-requests/<request_id>/preview    200 A...    A...     A...
POST   /citizens/<citizen>/consent-requests/<request_id>/approval   201 A...    A...     K...
POST   /citizens/<citizen>/consent-requests/<request_id>/co-approval 201 N...   N...     N...
POST   /citizens/<citizen>/grants/<grant_id>/resumption             200 G...    G...     G...
POST   /citizens/<citizen>/consent-requests/<request_id>/refusal    200 A...    A...     A...
GET    /citizens/<citizen>/grants                                   200 A...    A...     A...
POST   /citizens/<citizen>/grants                                   201 A...    A...     C...
POST   /citizens/<citizen>/grants/preview                           200 A...    A...     A...
GET    /citizens/<citizen>/grants/review                            200 A...    A...     A...
GET    /citizens/<citizen>/grants/<grant_id>                        200 A...    A...     A...
GET    /citizens/<citizen>/grants/<grant_id>/preview                200 A...    A...     A...
POST   /citizens/<citizen>/grants/<grant_id>/confirmation           200 A...    A...     A...
PATCH  /citizens/<citizen>/grants/<grant_id>                        200 A...    A...     A...
GET    /citizens/<citizen>/grants/<grant_id>/receipt                200 A...    A...     A...
POST   /citizens/<citizen>/grants/<grant_id>/withdrawal             200 A...    A...     A...
GET    /fhir/Consent                                                200 A       A        A
POST   /fhir/Consent                                                201 A       A        A
GET    /fhir/Consent/<grant_id>                                     200 A...    A...     A...
GET    /fhir/AuditEvent                                             200 A       A        A
POST   /citizens/<citizen>/visit-codes                              201 A...    A...     A...
GET    /citizens/<citizen>/blocked-organisations                    200 A...    A...     A...
PUT    /citizens/<citizen>/blocked-organisations/<organisation_id>  204 A...    A...     A...
DELETE /citizens/<citizen>/blocked-organisations/<organisation_id>  204 A...    A...     C...
GET    /citizens/<citizen>/erasure-duties                           200 A...    A...     A...
GET    /citizens/<citizen>/rights-requests                          200 A...    A...     A...
POST   /citizens/<citizen>/rights-requests                          201 A...    A...     A...
GET    /citizens/<citizen>/rights-requests/<rights_id>              200 A...    A...     A...
POST   /citizens/<citizen>/rights-requests/<rights_id>/cancellation 200 A...    A...     A...
GET    /citizens/<citizen>/rights-requests/<rights_id>/copy         200 A...    A...     A...
GET    /citizens/<citizen>/correction-requests                      200 A...    A...     A...
POST   /citizens/<citizen>/correction-requests                      201 A...    A...     ....
GET    /citizens/<citizen>/correction-requests/<correction_id>      200 A...    A...     ....
POST   /citizens/<citizen>/correction-requests/<correction_id>/evidence 201 A... A...    ....
GET    /citizens/<citizen>/disputes                                 200 A...    A...     A...
POST   /citizens/<citizen>/records/<record_id>/not-mine             200 A...    A...     ....
DELETE /citizens/<citizen>/records/<record_id>/not-mine             200 A...    A...     ....
GET    /citizens/<citizen>/shares                                   200 A...    A...     A...
POST   /citizens/<citizen>/shares                                   201 A...    A...     C...
GET    /citizens/<citizen>/shares/<share_id>                        200 A...    A...     A...
DELETE /citizens/<citizen>/shares/<share_id>                        204 A...    A...     A...
POST   /citizens/<citizen>/cards                                    201 A...    A...     C...
POST   /citizens/<citizen>/exports                                  202 A...    A...     A...
GET    /citizens/<citizen>/exports/<export_id>                      200 A...    A...     A...
GET    /citizens/<citizen>/exports/<export_id>/file                 200 A...    A...     A...
DELETE /citizens/<citizen>/exports/<export_id>                      204 A...    A...     A...
GET    /citizens/<citizen>/family                                   200 A...    ....     ....
POST   /citizens/<citizen>/family                                   201 A...    ....     ....
GET    /citizens/<citizen>/family/<guardianship_id>                 200 A...    ....     ....
POST   /citizens/<citizen>/family/<guardianship_id>/evidence        201 A...    ....     ....
POST   /citizens/<citizen>/family/<guardianship_id>/end             200 A...    ....     ....
GET    /citizens/<citizen>/coming-guardianships                     200 A...    A...     A...
POST   /citizens/<citizen>/coming-guardianships/<coming_id>/objection 200 A...  A...     A...
GET    /citizens/<citizen>/merges                                   200 A...    A...     A...
PUT    /citizens/<citizen>/merges/<merge_id>/objection              200 A...    A...     A...
GET    /citizens/<citizen>/bequests                                 200 A...    ....     ....
GET    /citizens/<citizen>/bequests/<bequest_id>/summary            200 A...    ....     ....
GET    /citizens/<citizen>/sessions                                 200 A...    ....     ....
DELETE /citizens/<citizen>/sessions                                 204 A...    ....     ....
DELETE /citizens/<citizen>/sessions/<session_id>                    204 A...    ....     ....
GET    /citizens/<citizen>/digests                                  200 A...    ....     ....
GET    /citizens/<citizen>/inbox                                    200 A...    ....     ....
POST   /citizens/<citizen>/inbox/<message_id>/read                  200 A...    ....     ....
GET    /citizens/<citizen>/notification-preferences                 200 A...    ....     ....
PUT    /citizens/<citizen>/notification-preferences                 200 A...    ....     ....
PUT    /citizens/<citizen>/devices/<installation_id>                200 A...    ....     ....
DELETE /citizens/<citizen>/devices/<installation_id>                204 A...    ....     ....
"""

# `own` is what a live grant covers, `formerly granted` what one covered until the citizen ended it.
# An ex-doctor's organisation was granted one book and holds no other. `system` is the doctor's
# organisation with nobody named. All citizens and ops are answered F, and U whoever has no live token.
# A request, an intake and what one wrote stay the organisation's own after a grant has ended.
PROVIDER: Final = """
                                                                    ok  doctor ex_doctor system
POST   /provider/consent-requests                                   202 AAAA   AAAA      PPPP
GET    /provider/consent-requests/<request_ref>                     200 A.A.   -.A.      A.A.
POST   /provider/consent-requests/<request_ref>/assent-attestation  202 A.A.   -.A.      PPPP
POST   /provider/assisted-consents                                  201 AAAA   AAAA      PPPP
GET    /provider/assisted-consents/<assisted_ref>/print             200 A.A.   -.A.      PPPP
POST   /provider/births                                             201 AAAA   AAAA      PPPP
POST   /provider/safety-flags                                       201 A.A.   -.A.      PPPP
POST   /provider/access-sessions                                    201 A.E.   -.E.      P.P.
GET    /provider/citizens/<citizen_ref>/records                     200 A.E.   -.E.      P.P.
GET    /provider/citizens/<citizen_ref>/summary                     200 A.E.   -.E.      P.P.
GET    /provider/citizens/<citizen_ref>/series/<code>               200 A.E.   -.E.      P.P.
GET    /provider/citizens/<citizen_ref>/records/<record_ref>        200 A.E.   -.E.      P.P.
POST   /provider/emergency-access                                   201 AAAA   AAAA      PPPP
GET    /provider/events                                             200 A      A         A
GET    /provider/erasure-duties                                     200 A      A         A
POST   /provider/erasure-attestations                               201 A.A.   -.A.      A.A.
GET    /provider/own-records                                        200 A      A         P
POST   /provider/intake/checkups                                    202 AAAA   AAAA      AAAA
GET    /provider/correction-requests                                200 A      A         P
GET    /provider/correction-requests/<correction_id>                200 A.A.   -.A.      PPPP
GET    /provider/correction-requests/<correction_id>/evidence/<file_id> 200 A.A. -.A.    PPPP
POST   /provider/correction-requests/<correction_id>/answer         200 A.A.   -.A.      PPPP
POST   /provider/intake/fhir-bundles                                202 AAAA   AAAA      AAAA
POST   /provider/intake/immunizations                               202 AAAA   AAAA      AAAA
POST   /provider/intake/insurance-xml                               202 AAAA   AAAA      AAAA
GET    /provider/intake/<intake_id>                                 200 A.A.   -.A.      A.A.
"""

# Citizens and providers read the same resources, each in their own words. A provider's are those of the
# access session it names.
FHIR: Final = """
                                                ok  citizen guardian companion doctor ex_doctor system
GET    /fhir/<kind>                             200 A...    A...     A...      A.E.   -.E.      P.P.
POST   /fhir/<kind>/_search                     200 A...    A...     A...      A.E.   -.E.      P.P.
GET    /fhir/<kind>/<resource_id>               200 A...    A...     ....      A.E.   -.E.      P.P.
GET    /fhir/<kind>/<resource_id>/_history      200 A...    A...     ....      A.E.   -.E.      P.P.
GET    /fhir/<kind>/<resource_id>/_history/<version_id> 200 A... A... ....     A.E.   -.E.      P.P.
GET    /fhir/Patient                            200 A       A        A         A      E         P
POST   /fhir/Patient/_search                    200 A       A        A         A      E         P
GET    /fhir/Patient/<patient_id>               200 A...    A...     A...      A.E.   -.E.      P.P.
GET    /fhir/Patient/<patient_id>/$everything   200 A...    A...     A...      A.E.   -.E.      P.P.
GET    /fhir/Patient/<patient_id>/$summary      200 A...    A...     A...      A.E.   -.E.      P.P.
POST   /fhir/Patient/<patient_id>/$summary      200 A...    A...     A...      A.E.   -.E.      P.P.
"""

# Ops hold nobody's book: what exists is theirs to manage, or not. Citizens and providers are answered F.
REGISTRY: Final = """
                                                                    ok  registrar operator reviewer
GET    /ops/programmes                                              200 A         A        A
GET    /ops/programmes/rebuilds                                     200 R         A        R
POST   /ops/programmes/rebuilds                                     202 R         A        R
GET    /ops/programmes/rebuilds/<rebuild_id>                        200 R--R      A--.     R--R
POST   /ops/programmes/rebuilds/<rebuild_id>/decision               200 R--R      A--.     R--R
GET    /ops/delivery                                                200 A         A        A
POST   /ops/reminder-runs                                           202 A         A        A
PUT    /ops/communes/<commune>/session-days                         200 R--R      A--A     R--R
POST   /ops/organisations                                           201 A         R        R
POST   /ops/organisations/<organisation_id>/keys                    201 A--.      R--R     R--R
POST   /ops/organisations/<organisation_id>/roster                  201 A--.      R--R     R--R
GET    /ops/organisations/<organisation_id>                         200 A--.      R--R     R--R
POST   /ops/organisations/<organisation_id>/verification            200 A--.      R--R     R--R
PUT    /ops/organisations/<organisation_id>/licence                 200 A--.      R--R     R--R
POST   /ops/organisations/<organisation_id>/suspension              200 A--.      R--R     R--R
POST   /ops/organisations/<organisation_id>/readmission             200 A--.      R--R     R--R
POST   /ops/organisations/<organisation_id>/merger                  200 A--.      R--R     R--R
POST   /ops/organisations/<organisation_id>/keys/<client_id>/revocation 200 A--.  R--R     R--R
POST   /ops/organisations/<organisation_id>/roster/<practitioner_id>/departure 200 A--. R--R R--R
GET    /ops/guardianships                                           200 A         R        R
POST   /ops/guardianships                                           201 A--.      R--R     R--R
GET    /ops/guardianships/<guardianship_id>                         200 A--.      R--R     R--R
GET    /ops/guardianships/<guardianship_id>/evidence/<file_id>      200 A--.      R--R     R--R
POST   /ops/guardianships/<guardianship_id>/confirmation            200 A--.      R--R     R--R
POST   /ops/guardianships/<guardianship_id>/refusal                 200 A--.      R--R     R--R
POST   /ops/guardianships/<guardianship_id>/end                     200 A--.      R--R     R--R
POST   /ops/safety-flags                                            201 R--R      R--R     A--.
DELETE /ops/safety-flags/<flag_id>                                  204 R--R      R--R     A--.
POST   /ops/births                                                  201 A         R        R
POST   /ops/number-links                                            201 A--.      R--R     R--R
POST   /ops/deaths                                                  201 A--.      R--R     R--R
GET    /ops/deaths                                                  200 R         R        A
GET    /ops/deaths/<death_id>                                       200 R--R      R--R     A--.
POST   /ops/deaths/<death_id>/decision                              200 R--R      R--R     A--.
POST   /ops/deaths/<death_id>/heirs                                 201 A--.      R--R     R--R
POST   /ops/deaths/<death_id>/heirs/<heir_id>/decision              200 R--R      R--R     A--.
POST   /ops/merges                                                  201 A--.      R--R     R--R
GET    /ops/merges                                                  200 R         R        A
GET    /ops/merges/<merge_id>                                       200 R--R      R--R     A--.
POST   /ops/merges/<merge_id>/decision                              200 R--R      R--R     A--.
POST   /ops/account-changes                                         201 A--.      R--R     R--R
GET    /ops/emergency-reviews                                       200 R         R        A
POST   /ops/emergency-reviews/<emergency_id>/decision               200 R--R      R--R     A--.
POST   /ops/emergency-reviews/<emergency_id>/lifting                200 R--R      R--R     A--.
GET    /ops/organisations/<organisation_id>/webhooks                200 A--.      R--R     R--R
POST   /ops/organisations/<organisation_id>/webhooks                201 A--.      R--R     R--R
DELETE /ops/organisations/<organisation_id>/webhooks/<webhook_id>   204 A--.      R--R     R--R
POST   /ops/organisations/<organisation_id>/webhooks/<webhook_id>/rewind 200 A--. R--R     R--R
GET    /ops/erasure-duties                                          200 R         R        A
GET    /ops/processing-register                                     200 R         R        A
GET    /ops/rights-requests                                         200 R         R        A
GET    /ops/rights-requests/<rights_id>                             200 R--R      R--R     A--.
POST   /ops/rights-requests/<rights_id>/acknowledgement             200 R--R      R--R     A--.
POST   /ops/rights-requests/<rights_id>/extension                   200 R--R      R--R     A--.
POST   /ops/rights-requests/<rights_id>/completion                  200 R--R      R--R     A--.
POST   /ops/rights-requests/<rights_id>/refusal                     200 R--R      R--R     A--.
GET    /ops/mismatches                                              200 R         R        A
GET    /ops/mismatches/<dispute_id>                                 200 R--R      R--R     A--.
POST   /ops/mismatches/<dispute_id>/decision                        200 R--R      R--R     A--.
GET    /ops/parked-intakes                                          200 R         R        A
GET    /ops/parked-intakes/<parked_id>                              200 R--R      R--R     A--.
POST   /ops/parked-intakes/<parked_id>/release                      200 R--R      R--R     A--.
POST   /ops/parked-intakes/<parked_id>/reject                       200 R--R      R--R     A--.
GET    /ops/programmes/<programme_id>                               200 A--.      A--.     A--.
GET    /ops/campaigns                                               200 R         A        A
POST   /ops/campaigns                                               201 R         A        R
GET    /ops/campaigns/<campaign_id>                                 200 R--R      A--.     A--.
POST   /ops/campaigns/<campaign_id>/preview                         200 R--R      A--.     R--R
PUT    /ops/campaigns/<campaign_id>/list                            200 R--R      A--.     R--R
GET    /ops/campaigns/<campaign_id>/list/report                     200 R--R      A--.     R--R
POST   /ops/campaigns/<campaign_id>/approve                         200 R--R      A--.     A--.
POST   /ops/campaigns/<campaign_id>/launch                          200 R--R      A--.     R--R
POST   /ops/campaigns/<campaign_id>/pause                           200 R--R      A--.     R--R
POST   /ops/campaigns/<campaign_id>/resume                          200 R--R      A--.     R--R
POST   /ops/campaigns/<campaign_id>/cancel                          200 R--R      A--.     R--R
GET    /ops/coverage                                                200 R         A        A
GET    /ops/dead-letters                                            200 R         A        R
POST   /ops/dead-letters/<letter_id>/replay                         202 R--R      A--.     R--R
GET    /ops/breaches                                                200 R         R        A
POST   /ops/breaches                                                201 R         R        A
GET    /ops/breaches/<breach_id>                                    200 R--R      R--R     A--.
GET    /ops/breaches/<breach_id>/affected                           200 R--R      R--R     A--.
GET    /ops/breaches/<breach_id>/notice                             200 R--R      R--R     A--.
POST   /ops/breaches/<breach_id>/assessment                         200 R--R      R--R     A--.
POST   /ops/breaches/<breach_id>/notification                       200 R--R      R--R     A--.
POST   /ops/breaches/<breach_id>/closure                            200 R--R      R--R     A--.
"""

# The same for everybody with a live token; U for the rest.
DIRECTORY: Final = """
                                                                    ok  all
GET    /notices/<purpose>                                           200 A--I
GET    /organisations                                               200 A
GET    /communes/<commune>/session-days                             200 A--A
"""

# The same for everybody, whatever token they show, or none. The OAuth endpoints judge by what is in the
# request; sent nothing, they refuse: that is their `ok` here.
PUBLIC: Final = """
                                                                    ok  all
GET    /                                                            200 A
GET    /healthz                                                     200 A
GET    /readyz                                                      200 A
GET    /metrics                                                     200 A
GET    /api/docs/                                                   200 A
GET    /api/docs/start.js                                           200 A
GET    /api/docs/<name>                                             200 A--.
GET    /api/openapi.json                                            200 A
GET    /code-systems/<name>                                         200 A--.
GET    /fhir/metadata                                               200 A
POST   /share-links/<link>                                          200 A--.
GET    /share-links/<link>/files/<ticket>                           200 A--.
GET    /.well-known/jwks.json                                       200 A
GET    /.well-known/event-jwks.json                                 200 A
GET    /.well-known/checkpoint-jwks.json                            200 A
GET    /.well-known/card-jwks.json                                  200 A
GET    /cards/.well-known/jwks.json                                 200 A
GET    /.well-known/receipt-jwks.json                               200 A
GET    /.well-known/oauth-authorization-server                      200 A
GET    /.well-known/smart-configuration                             200 A
GET    /oauth/authorize                                             400 A
GET    /oauth/vneid/callback                                        400 A
GET    /oauth/ops/callback                                          400 A
POST   /oauth/token                                                 400 A
POST   /oauth/revoke                                                401 A
"""


@dataclass(frozen=True)
class Row:
    """What one operation answers to each identity: a letter, or one for each target."""

    method: str
    path: str
    ok: int
    cells: dict[str, str]

    @property
    def name(self) -> str:
        """The operation, as in the table."""
        return f"{self.method} {self.path}"

    def expected(self, letter: str) -> tuple[int, str]:
        """(status, code) that a letter stands for here; an allowed answer has no code."""
        return (self.ok, "") if letter == "A" else LETTERS[letter]


def rows() -> list[Row]:
    """The whole policy."""
    return [
        *_rows(BOOKS, {**_all(OUTSIDERS, "U"), **_all((*PROVIDERS, *OPS), "F")}),
        *_rows(PROVIDER, {**_all(OUTSIDERS, "U"), **_all((*CITIZENS, *OPS), "F")}),
        *_rows(FHIR, {**_all(OUTSIDERS, "U"), **_all(OPS, "F")}),
        *_rows(REGISTRY, {**_all(OUTSIDERS, "U"), **_all((*CITIZENS, *PROVIDERS), "F")}),
        *_rows(DIRECTORY, _all(OUTSIDERS, "U")),
        *_rows(PUBLIC, {}),
    ]


def _all(names: tuple[str, ...], letter: str) -> dict[str, str]:
    return dict.fromkeys(names, letter)


def _rows(table: str, others: dict[str, str]) -> list[Row]:
    """`others`: one letter for who has no column, spread over as many targets as the row has."""
    head, *lines = (line.split() for line in table.strip().splitlines())
    found = []
    for method, path, ok, *cells in lines:
        named = dict(zip(head[1:], cells, strict=True))
        if "all" in named:
            named = dict.fromkeys(IDENTITIES, named["all"])
        whole = "".join("-" if letter == "-" else "x" for letter in next(iter(named.values())))
        spread = {who: "".join("-" if x == "-" else one for x in whole) for who, one in others.items()}
        found.append(Row(method, path, int(ok), named | spread))
    return found
