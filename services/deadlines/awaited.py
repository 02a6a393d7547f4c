"""Whose facts may still change how a clock stands, as its policy says. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from services.deadlines.facts import FactKind
from services.deadlines.policy import Policy
from services.deadlines.policy_parts import Basis
from services.deadlines.verdicts import Evidence
from shared.contracts.base import Source, Topic

STREAMS = {Source.INTAKE: Topic.REFERRALS, Source.NOTIFY: Topic.NOTICES}
"""Who states facts, and on which topic."""

_OF_NOTIFY = ("route.", "notice.", "supersession.")


def stated_by(kind: FactKind) -> Source:
    """Who states facts of a kind."""
    return Source.NOTIFY if kind.startswith(_OF_NOTIFY) else Source.INTAKE


def awaited(policy: Policy) -> frozenset[Source]:
    """Whose facts meet the duty, or end it. A report entered in error ends every duty."""
    kinds = {FactKind(kind) for kind in policy.satisfied.by} | {FactKind.ENTERED_IN_ERROR}
    if Basis.ACCEPTED in policy.basis:
        kinds.add(FactKind.NOT_ACCEPTED)
    return frozenset(stated_by(kind) for kind in kinds)


def evidence_for(policy: Policy, known: Mapping[Source, Evidence]) -> Evidence:
    """What is known of all facts that a clock of this policy waits for."""
    found = [known[source] for source in awaited(policy)]
    return Evidence(
        _earliest(each.complete_until for each in found), any(each.unfinished for each in found)
    )


def _earliest(moments: Iterable[datetime | None]) -> datetime | None:
    """None when one of them is not known."""
    every = list(moments)
    known = [each for each in every if each is not None]
    return min(known) if len(known) == len(every) else None
