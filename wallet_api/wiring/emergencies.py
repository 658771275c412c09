"""Telling people of emergencies: the person and their guardians, in the inbox and by push, at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from consent.emergency import Emergencies, Emergency, EmergencyService
from consent.ports import Consents, LicenceOf
from notifications.alerts import Alerts
from notifications.outgoing import Message
from notifications.ports import PreferenceStore
from wallet_api.context import EmergencyDesk, Reminding
from wallet_api.identity.ages import AGES, has_reached
from wallet_api.identity.errors import CitizenUnknown, IdentityError
from wallet_api.identity.family import Family
from wallet_api.identity.organisations import Organisations
from wallet_api.identity.people import People
from wallet_api.identity.service import Identity
from wallet_api.infra.clock import VIETNAM, vn_day
from wallet_api.infra.logs import say_error

_SWEPT = 100
_TEMPLATE = "emergency.v1"
_TITLES: Mapping[str, Mapping[str, str]] = {
    "vi": {
        "person": "Hồ sơ đã được mở trong cấp cứu",
        "blocked": "Một lần mở hồ sơ cấp cứu đã bị chặn",
        "restricted": "Một lần mở hồ sơ cấp cứu đã bị chặn",
        "not_justified": "Một lần mở hồ sơ cấp cứu là không chính đáng",
    },
    "en": {
        "person": "Records were opened in an emergency",
        "blocked": "Opening records in an emergency was stopped",
        "restricted": "Opening records in an emergency was stopped",
        "not_justified": "An emergency access was not justified",
    },
}
_BODIES: Mapping[str, Mapping[str, str]] = {
    "vi": {
        "person": "{organisation} đã mở hồ sơ {whose} trong tình huống cấp cứu lúc {at}: chỉ dị ứng, bệnh và "
        "thuốc, đến {until}. Nếu điều này không đúng, hãy chấm dứt ngay trong mục Quyền truy cập. "
        "Việc mở này sẽ được kiểm tra.",
        "blocked": "{organisation}, cơ sở đang bị chặn, đã thử mở hồ sơ {whose} trong tình huống cấp cứu lúc "
        "{at} và không xem được gì. Việc này sẽ được kiểm tra.",
        "restricted": "{organisation} đã thử mở hồ sơ {whose} trong tình huống cấp cứu lúc {at}. Dữ liệu "
        "đang bị hạn chế theo yêu cầu, nên họ không xem được gì. Việc này sẽ được kiểm tra.",
        "not_justified": "Lần mở hồ sơ {whose} của {organisation} lúc {at} đã được kiểm tra và kết luận là "
        "không chính đáng. Người đã mở bị tạm dừng quyền mở hồ sơ cấp cứu. Bạn có quyền khiếu nại.",
    },
    "en": {
        "person": "{organisation} opened {whose} records in an emergency at {at}: allergies, conditions and "
        "medication only, until {until}. If this is not right, end it at once under Who has access. It will "
        "be reviewed.",
        "blocked": "{organisation}, which is blocked, tried to open {whose} records in an emergency at {at} "
        "and saw nothing. It will be reviewed.",
        "restricted": "{organisation} tried to open {whose} records in an emergency at {at}. The data is "
        "restricted as was asked for, so nothing was seen. It will be reviewed.",
        "not_justified": "The emergency access of {organisation} to {whose} records at {at} was reviewed and "
        "found not to be justified. Whoever opened it may open no more for now. You may complain.",
    },
}
_WHOSE: Mapping[str, tuple[str, str]] = {
    "vi": ("của bạn", "của người bạn giám hộ"),
    "en": ("your", "your dependent's"),
}


@dataclass(frozen=True)
class EmergencyTeller:
    """Tells of an access once, whoever calls and however often: the ids of what is sent follow from it."""

    emergencies: Emergencies
    alerts: Alerts
    people: People
    family: Family
    organisations: Organisations
    preferences: PreferenceStore
    hidden_for: Callable[[str, str, datetime], Collection[str]]
    name: Callable[..., str]
    now: Callable[[], datetime]

    def tell(self, emergency: Emergency) -> None:
        """Tell the person and their guardians that a book was opened, or that it was tried."""
        if emergency.told_id is not None:
            self._send(emergency, emergency.met)
            self.emergencies.mark_told(emergency.id, self.now())

    def tell_outcome(self, emergency: Emergency) -> None:
        """Tell the same people of a review that found an access not justified."""
        if emergency.told_id is not None and emergency.state == "not_justified":
            self._send(emergency, "not_justified")

    def tell_rest(self) -> int:
        """Tell of what was opened by a process that died before it could tell; how many there were."""
        told = 0
        for each in self.emergencies.untold(_SWEPT):
            try:
                self.tell(each)
            except Exception as why:  # the next look tries again; nobody else's message waits for it
                say_error("emergency_not_told", why)
            else:
                told += 1
        return told

    def _send(self, emergency: Emergency, what: str) -> None:
        recipients = self._recipients(emergency, str(emergency.told_id))
        self.alerts.send([self._message(emergency, what, each) for each in recipients])

    def _recipients(self, emergency: Emergency, person_id: str) -> Iterator[str]:
        """The person from the age of an own account, and whoever acts for them today; nobody of the dead.

        Where a safety flag covers what this organisation does, nobody who acts for the person may know.
        """
        now = self.now()
        try:
            facts = self.people.facts(person_id)
        except CitizenUnknown:
            return  # erased since: there is nobody to tell any more
        if facts.deceased:
            return
        if has_reached(facts.born, AGES.own_account, vn_day(now)):
            yield person_id
        if not self.hidden_for(person_id, emergency.organisation_id, emergency.opened_at):
            yield from sorted({each.guardian_id for each in self.family.guardians_of(person_id, now)})

    def _message(self, emergency: Emergency, what: str, recipient_id: str) -> Message:
        locale = self.preferences.of(recipient_id).locale
        of_dependent = recipient_id != emergency.told_id
        body = _BODIES[locale][what].format(
            organisation=self._organisation(emergency.organisation_id, locale),
            whose=_WHOSE[locale][of_dependent],
            at=_moment(emergency.opened_at),
            until=_moment(emergency.expires_at),
        )
        return Message(
            id=self.name("message", emergency.id, what, recipient_id),
            recipient_id=recipient_id,
            subject_id=str(emergency.told_id),
            topic="emergency",
            nid=self.name("push", emergency.id, what, recipient_id),
            title=_TITLES[locale][what],
            body=body,
            template=_TEMPLATE,
            created_at=self.now(),
            reminder_id=None,
        )

    def _organisation(self, organisation_id: str, locale: str) -> str:
        try:
            found = self.organisations.get(organisation_id)
        except IdentityError:
            return organisation_id
        return found.name_en if locale == "en" else found.name_vi


def _moment(instant: datetime) -> str:
    return instant.astimezone(VIETNAM).strftime("%H:%M %d/%m/%Y")


def build_emergencies(
    emergencies: Emergencies,
    consents: Consents,
    licence_of: LicenceOf,
    reminding: Reminding,
    identity: Identity,
    hidden_for: Callable[[str, str, datetime], Collection[str]],
    restricted: Callable[[str], bool],
    name: Callable[..., str],
    now: Callable[[], datetime],
) -> EmergencyDesk:
    """Opening, reviewing and telling of emergencies. `name` makes ids that nobody else computes; `hidden_for`
    says from whom what an organisation does for a person is hidden."""
    teller = EmergencyTeller(
        emergencies=emergencies,
        alerts=reminding.alerts,
        people=identity.people,
        family=identity.family,
        organisations=identity.organisations,
        preferences=reminding.preferences,
        hidden_for=hidden_for,
        name=name,
        now=now,
    )
    service = EmergencyService(emergencies, consents, licence_of, restricted, now)
    return EmergencyDesk(service, teller.tell, teller.tell_outcome, teller.tell_rest)
