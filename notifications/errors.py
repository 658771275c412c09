"""What this package refuses. Every `code` is public and never reworded; messages carry no personal data."""

from __future__ import annotations

from typing import ClassVar


class NotificationError(Exception):
    """Root of every refusal of this package."""

    code: ClassVar[str] = "notification_error"


class BadProgramme(NotificationError):
    """A programme, vaccine or template file breaks its schema; the start-up stops and names the file."""

    code = "bad_programme"

    def __init__(self, programme_id: str, why: str) -> None:
        super().__init__(f"{programme_id}: {why}")
        self.programme_id = programme_id


class BadTemplate(NotificationError):
    """A text asks for a value it did not get, or got one it does not use."""

    code = "bad_template"


class BadDevice(NotificationError):
    """A device registration is malformed: unknown address kind, or characters no address has."""

    code = "bad_device"


class LeaseLost(NotificationError):
    """Another worker holds the batch now: the version moved since it was claimed."""

    code = "lease_lost"


class MessageNotFound(NotificationError):
    """No such message in this person's inbox (foreign and absent are the same)."""

    code = "message_not_found"


class DeadLetterNotFound(NotificationError):
    """No dead letter of this id."""

    code = "dead_letter_not_found"


class BadChannel(NotificationError):
    """A channel cannot be built: endpoint not https, or credentials unusable."""

    code = "bad_channel"


class BadSessionDays(NotificationError):
    """Session days of a commune that cannot be: `field` says where."""

    code = "bad_session_days"

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field


class StaleSessionDays(NotificationError):
    """Somebody else published session days of this commune meanwhile."""

    code = "stale_session_days"


class SnoozeRefused(NotificationError):
    """A reminder cannot be put off: `why` is settled, too_far, after_its_time or too_often."""

    code = "snooze_refused"

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class RebuildNotFound(NotificationError):
    """No such rebuild."""

    code = "rebuild_not_found"


class RebuildStepRefused(NotificationError):
    """The rebuild is not in a state that allows this step."""

    code = "rebuild_step_refused"


class RebuildRunning(NotificationError):
    """Another rebuild by the same rules has not ended."""

    code = "rebuild_running"


class StaleRebuild(NotificationError):
    """Somebody else moved the rebuild first: look again."""

    code = "stale_rebuild"


class SecondPersonNeeded(NotificationError):
    """Whoever asked for so much, or made the list, does not let it go: that is for somebody else."""

    code = "second_person_needed"


class BadAudience(NotificationError):
    """The predicates of an audience do not go together, or name what there is not."""

    code = "bad_audience"


class TemplateUnknown(NotificationError):
    """There is no such text of a campaign, or it may not be sent as this kind."""

    code = "template_unknown"


class CampaignNotFound(NotificationError):
    """There is no such campaign."""

    code = "campaign_not_found"


class StaleCampaign(NotificationError):
    """The campaign was changed since it was read."""

    code = "stale_version"


class CampaignStepRefused(NotificationError):
    """The campaign is not in a state in which this can be done, or its list is not whole."""

    code = "campaign_step_refused"


class CampaignNeedsApproval(NotificationError):
    """It goes to so many people, or is of such a kind, that a second person must approve it first."""

    code = "campaign_needs_approval"


class BadHeader(NotificationError):
    """The first row of a list does not name exactly one column that we read."""

    code = "bad_header"


class ListTooLong(NotificationError):
    """A list has more rows than one campaign takes."""

    code = "list_too_long"
