"""Deciding by FHIR Consents of others: compiled to our grants, decided by `decide`, with what is left over.

Denials override permits, in whatever order they are listed. Within one consent an exception nested in a rule
overrides that rule. Whatever cannot be read shuts, unless it is nothing but a permit: then it opens nothing.
What our grants cannot say (single resources, encounters, authors, marks) is left over as residual rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from consent.codes import CATEGORIES, LABELS
from consent.decision import Ask, decide
from consent.fhir.implicit import DEFAULT, implicit_policy
from consent.fhir.model import DataFacts, PrivacyConsent, Provision, Restriction
from consent.fhir.reading import ConsentUnreadable, read_consent
from consent.model import Licence, LiveGrant, Period, Scope, Standing

Knows = Callable[[str], bool]
"""Whether a reference names somebody known."""
_ALL = Restriction()


@dataclass(frozen=True, slots=True)
class PolicyAsk:
    """Who asks for what. `purpose` as `Coding.key`; None is no purpose and opens nothing.

    `groups`: groups the asker belongs to. `privileged`: the caller vouches that they may break the glass.
    """

    patient: str
    organisation: str
    practitioner: str | None
    purpose: str | None
    at: datetime
    groups: frozenset[str] = frozenset()
    privileged: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A residual rule: what the enforcer must do to each piece of data. The last that matches counts."""

    type: Literal["permit", "forbid"]
    restriction: Restriction = _ALL


@dataclass(frozen=True, slots=True)
class PolicyDecision:
    """The verdict, under which consents and policies, and what is left over. The zero value refuses."""

    permit: bool = False
    reason: str = "no_consent"
    consent_ids: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    residual: tuple[Rule, ...] = ()

    def admits(self, facts: DataFacts) -> bool:
        """Whether one piece of data may be seen under this decision."""
        seen = self.permit
        for rule in self.residual:
            permits = rule.type == "permit"
            matches = rule.restriction.surely_matches if permits else rule.restriction.may_match
            if matches(facts):
                seen = permits and self.permit
        return seen


@dataclass
class _Effects:
    """What the consents on file amount to for one ask."""

    grants: list[LiveGrant] = field(default_factory=list)
    opened: dict[str, Restriction] = field(default_factory=dict)
    shut: list[Restriction] = field(default_factory=list)
    shut_but_for: list[tuple[str, list[Restriction]]] = field(default_factory=list)

    @property
    def blocked(self) -> bool:
        """Whether something denies everything. Two denials with exceptions leave nothing that is sure."""
        return any(each.everything for each in self.shut) or len(self.shut_but_for) > 1


def decide_policies(
    consents: Iterable[object],
    ask: PolicyAsk,
    knows: Knows,
    *,
    default: str = DEFAULT,
    licence: Licence | None = None,
) -> PolicyDecision:
    """Decide by all FHIR Consents on file for a patient, as JSON.

    `default`: what holds when none of them is in force. `licence`: what the asker's organisation may at all;
    None is no licence dimension, as PCF has none.
    """
    if ask.at.tzinfo is None or not ask.purpose:
        return PolicyDecision(reason="no_purpose" if ask.at.tzinfo else "no_instant")
    read, unreadable = _read(consents)
    if unreadable:
        return PolicyDecision(reason="unreadable")
    on_file = sorted((one for one in read if one.patient == ask.patient), key=lambda one: (one.id, repr(one)))
    in_force = [one for one in on_file if one.status == "active" and one.provision.span.contains(ask.at)]
    if not in_force:
        return _by_default(default, ask)
    effects = _Effects()
    for number, one in enumerate(in_force):
        _apply(one, f"{one.id}#{number}", ask, knows, effects)
    return _decided(in_force, ask, effects, licence)


def might_deny(raw: object) -> bool:
    """Whether an unreadable consent may have been an opt-out: whatever is not permits and nothing else."""
    if not isinstance(raw, dict) or not isinstance(raw.get("provision"), dict):
        return True
    inner = raw["provision"].get("provision", [])
    rules = [raw["provision"], *(inner if isinstance(inner, list) else [None])]
    return any(
        not isinstance(each, dict)
        or each.get("type") != "permit"
        or (each is not rules[0] and "provision" in each)
        for each in rules
    )


def _read(consents: Iterable[object]) -> tuple[list[PrivacyConsent], bool]:
    read: list[PrivacyConsent] = []
    unreadable = False
    for raw in consents:
        try:
            read.append(read_consent(raw))
        except ConsentUnreadable:
            unreadable = unreadable or might_deny(raw)
    return read, unreadable


def _by_default(name: str, ask: PolicyAsk) -> PolicyDecision:
    policy = implicit_policy(name)
    if not policy.permits(str(ask.purpose), privileged=ask.privileged):
        return PolicyDecision(policies=(policy.uri,))
    left = () if policy.restriction.everything else (Rule("forbid"), Rule("permit", policy.restriction))
    return PolicyDecision(True, "implicit_policy", (), (policy.uri,), left)


def _apply(one: PrivacyConsent, name: str, ask: PolicyAsk, knows: Knows, effects: _Effects) -> None:
    root = one.provision
    exceptions = [each for each in root.nested if each.type != root.type]
    if root.type == "deny":
        if _may_meet(root, ask, knows):
            _deny(root, exceptions, name, ask, knows, effects)
        return
    for place, rule in enumerate(root.rules()):
        if rule.type == "permit":
            _permit(rule, root, f"{name}.{place}", ask, knows, effects)
    effects.shut += [each.restriction for each in exceptions if _may_meet(each, ask, knows)]


def _permit(
    rule: Provision, root: Provision, name: str, ask: PolicyAsk, knows: Knows, effects: _Effects
) -> None:
    """Compile a permit into grants of ours, one for each purpose and recipient; an exception inherits."""
    if not (rule.span.contains(ask.at) and root.span.contains(ask.at)):
        return
    if rule is not root and root.actors and not any(_is(each, ask, knows) for each in root.actors):
        return
    purposes = rule.purposes or root.purposes
    actors = rule.actors or root.actors
    restriction = rule.restriction if rule is root else rule.restriction.or_of(root.restriction)
    ends = [span.end for span in (rule.span, root.span) if span.end is not None]
    for purpose in purposes:
        for actor in actors or ("",):
            whom = _recipient(actor, ask, knows)
            if whom is not None:
                number = f"{name}.{len(effects.grants)}"
                scope = _scope(whom, purpose.key, restriction, min(ends) if ends else None, ask)
                effects.grants.append(LiveGrant(number, scope, None))
                effects.opened[number] = restriction


def _deny(
    root: Provision,
    exceptions: Sequence[Provision],
    name: str,
    ask: PolicyAsk,
    knows: Knows,
    effects: _Effects,
) -> None:
    """A denial, and what it excepts for this ask: that is opened, and nothing else."""
    before_ = len(effects.grants)
    for place, rule in enumerate(exceptions):
        # A denial says whom it shuts out; its exception stands for itself.
        _permit(
            rule,
            Provision("deny", purposes=root.purposes, span=root.span),
            f"{name}.{place}",
            ask,
            knows,
            effects,
        )
    meant = [
        effects.opened[each.id]
        for each in effects.grants[before_:]
        if each.scope.purpose == ask.purpose
        and each.scope.organisation_id == ask.organisation
        and each.scope.practitioner_id in (None, ask.practitioner)
    ]
    if not meant:
        effects.shut.append(root.restriction)
    elif root.restriction.everything:
        if not any(each.everything for each in meant):
            effects.shut_but_for.append((name, meant))
    elif not any(each.everything for each in meant):
        effects.shut.append(_ALL)  # part of a part is more than a residual rule can say


def _scope(
    whom: tuple[str, str | None], purpose: str, restriction: Restriction, end: datetime | None, ask: PolicyAsk
) -> Scope:
    labels = {each.code for each in restriction.labels}
    return Scope(
        organisation_id=whom[0],
        practitioner_id=whom[1],
        purpose=purpose,
        categories=frozenset(CATEGORIES.codes),
        record_period=restriction.data_period or Period(),
        expires_at=end if end is not None else datetime.max.replace(tzinfo=ask.at.tzinfo),
        labels=frozenset(LABELS.codes)
        if not labels or "R" in labels
        else frozenset(labels & LABELS.codes.keys()),
    )


def _recipient(actor: str, ask: PolicyAsk, knows: Knows) -> tuple[str, str | None] | None:
    """The organisation and practitioner of a grant; None for whom nobody can look up."""
    if not actor:
        return ask.organisation, None
    if not knows(actor):
        return None
    if actor.startswith("Organization/"):
        return actor, None
    if actor.startswith(("Practitioner/", "PractitionerRole/")):
        return ask.organisation, actor
    return (ask.organisation, None) if actor in ask.groups else None


def _is(actor: str, ask: PolicyAsk, knows: Knows) -> bool:
    return knows(actor) and (actor in (ask.organisation, ask.practitioner) or actor in ask.groups)


def _may_meet(rule: Provision, ask: PolicyAsk, knows: Knows) -> bool:
    """Whether a denial is about this ask. Who cannot be looked up, and a foreign purpose, may be it."""
    actors = not rule.actors or any(not knows(each) or _is(each, ask, knows) for each in rule.actors)
    purposes = not rule.purposes or any(each.key == ask.purpose or "|" in each.key for each in rule.purposes)
    return actors and purposes and rule.span.contains(ask.at)


def _decided(
    in_force: Sequence[PrivacyConsent], ask: PolicyAsk, effects: _Effects, licence: Licence | None
) -> PolicyDecision:
    """Our own decision over the compiled grants; then what it cannot say, as rules."""
    standing = Standing(1, tuple(effects.grants), blocked=effects.blocked, known=True)
    own = Ask(ask.organisation, ask.practitioner, str(ask.purpose), ask.at)
    allowed = licence or Licence(frozenset({str(ask.purpose)}), frozenset(CATEGORIES.codes))
    said = decide(own, standing, allowed)
    policies = tuple(sorted({one.policy_uri for one in in_force}))
    if not said.permit:
        return PolicyDecision(
            reason="no_consent" if said.reason == "no_grant" else said.reason, policies=policies
        )
    ids = tuple(sorted({each.partition("#")[0] for each in said.grant_ids}))
    return PolicyDecision(True, "granted", ids, policies, _residual(said.grant_ids, effects))


def _residual(grant_ids: Sequence[str], effects: _Effects) -> tuple[Rule, ...]:
    opened = list(dict.fromkeys(effects.opened[each] for each in grant_ids))
    excepted = [each for _, meant in effects.shut_but_for for each in meant]
    if excepted:
        opened = list(dict.fromkeys(excepted))
    rules: list[Rule] = []
    if not any(each.everything for each in opened):
        rules = [Rule("forbid"), *(Rule("permit", each) for each in opened)]
    return (*rules, *(Rule("forbid", each) for each in dict.fromkeys(effects.shut)))
