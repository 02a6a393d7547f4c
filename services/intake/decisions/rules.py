"""The rules of deciding, withdrawing and linking. Pure: `now` comes in."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.intake.contradictions import GRACE
from services.intake.decisions.codes import ACCEPTING, NOT_ACCEPTING, DecisionReason, Standing
from services.intake.decisions.schemas import ChildIncident, Incident, NewDecision
from services.intake.strict_json import Flaw, Rejected
from shared.contracts.codes import Acceptance


@dataclass(frozen=True, slots=True)
class Outdated:
    """Another decision came between: the caller decided without having seen it."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The referral is withdrawn: there is nothing left to decide, or to amend."""


@dataclass(frozen=True, slots=True)
class Known:
    """An incident as it is: of which child, in which version, how it stands."""

    incident_id: str
    child_id: str
    version: int
    standing: Standing


@dataclass(frozen=True, slots=True)
class Create:
    """A child of an accepted referral has no incident yet."""

    child_id: str
    content: Incident


@dataclass(frozen=True, slots=True)
class Restate:
    """The incident gets a version that says how it stands now; None: its content stays."""

    known: Known
    standing: Standing
    content: Incident | None


Step = Create | Restate


def check(wanted: NewDecision, child_ids: Collection[str], now: datetime) -> None:
    """What a schema cannot say. Raises Rejected."""
    flaws = [*_reason_flaws(wanted), *_incident_flaws(wanted, child_ids)]
    if wanted.decided_at is not None and wanted.decided_at > now + GRACE:
        flaws.append(Flaw(("decided_at",), "must not be in the future"))
    if flaws:
        raise Rejected(*flaws)


def permitted(wanted: NewDecision, last: int, withdrawn: bool) -> Outdated | Withdrawn | None:
    """None if the decision may be made."""
    if withdrawn:
        return Withdrawn()
    return None if wanted.follows == last else Outdated()


def steps(wanted: NewDecision, child_ids: Sequence[str], known: Sequence[Known]) -> list[Step]:
    """What a decision makes of the incidents.

    Acceptance creates what is missing and opens what was reversed; not accepting says of what is
    open that its acceptance is reversed (C12). Nothing is ever deleted.
    """
    if wanted.outcome is Acceptance.NOT_ACCEPTED:
        return [
            Restate(each, Standing.ACCEPTANCE_REVERSED, None)
            for each in known
            if each.standing is Standing.OPEN
        ]
    given = {each.child_id: _content(each) for each in wanted.critical_incidents}
    there = {each.child_id: each for each in known}
    return [*_accepted(child_ids, given, there)]


def _content(given: ChildIncident) -> Incident:
    fields = {name: getattr(given, name) for name in Incident.model_fields}
    return Incident.model_construct(**fields)


def _accepted(
    child_ids: Sequence[str], given: dict[str, Incident], there: dict[str, Known]
) -> Iterator[Step]:
    for child_id in child_ids:
        known, content = there.get(child_id), given.get(child_id)
        if known is None:
            yield Create(child_id, content or Incident())
        elif content is not None or known.standing is not Standing.OPEN:
            yield Restate(known, Standing.OPEN, content)


def _reason_flaws(wanted: NewDecision) -> Iterator[Flaw]:
    accepting = wanted.outcome is Acceptance.ACCEPTED
    fitting = ACCEPTING if accepting else NOT_ACCEPTING
    seen: set[DecisionReason] = set()
    for index, reason in enumerate(wanted.reasons):
        if reason in seen:
            yield Flaw(("reasons", index), "must be named once")
        elif reason is DecisionReason.NO_ENTRUSTED_PERPETRATOR and not accepting:
            yield Flaw(
                ("reasons", index),
                "is no reason where trafficking is alleged: it is accepted with no entrusted "
                "perpetrator named",
            )
        elif reason not in fitting:
            yield Flaw(("reasons", index), f"must be a reason of the outcome {wanted.outcome}")
        seen.add(reason)
    if DecisionReason.OTHER in seen and wanted.explanation is None:
        yield Flaw(("explanation",), "must say what the other reason is")


def _incident_flaws(wanted: NewDecision, child_ids: Collection[str]) -> Iterator[Flaw]:
    if wanted.critical_incidents and wanted.outcome is Acceptance.NOT_ACCEPTED:
        yield Flaw(("critical_incidents",), "must be left out: only what is accepted has one")
        return
    seen: set[str] = set()
    for index, incident in enumerate(wanted.critical_incidents):
        if incident.child_id not in child_ids or incident.child_id in seen:
            detail = "must be the id of a child of this referral, each named once"
            yield Flaw(("critical_incidents", index, "child_id"), detail)
        seen.add(incident.child_id)
