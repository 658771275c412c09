"""A consent service over memory, with a clock and a licence a test can turn."""

from __future__ import annotations

from itertools import count

from consent.access import AccessService
from consent.memory import MemoryConsents
from consent.model import Answer, Grant
from consent.notices import notice_for
from consent.service import ConsentService, Proposal
from tests.consent.builders import LICENCE, NOW, make_actor, make_scope

VERSION = notice_for("TREAT", "vi").version
ACTOR = make_actor()


class World:
    def __init__(self) -> None:
        self.time = NOW
        self.licence = LICENCE
        numbers = count(1)
        self.store = MemoryConsents()
        self.consent = ConsentService(
            self.store, lambda _: self.licence, lambda: self.time, lambda: f"id{next(numbers)}"
        )
        self.access = AccessService(self.store, lambda _: self.licence, lambda: self.time)

    def ask(self, **over: object):
        return self.consent.propose(Proposal("citizen", make_scope(**over), "dr", "khám"))

    def grant(self, answer: Answer | None = None, **over: object) -> Grant:
        request = self.ask(**over)
        return self.consent.approve("citizen", request.id, answer or Answer(VERSION, "vi"), ACTOR)
