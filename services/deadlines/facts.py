"""Facts: what the events of other services say, one by one, each with the time it is true of.

Which event becomes which facts is in `reading.py`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from shared.contracts.codes import HtType, Role, Stage, Trigger


class FactKind(StrEnum):
    """The kinds of fact. Policies name those that start, satisfy or release them."""

    STATED = "referral.stated"
    """One version's word on one child: when the report was received, and what is alleged."""
    ACCEPTED = "referral.accepted"
    NOT_ACCEPTED = "referral.not_accepted"
    """Dated when it was recorded: a reversal cannot be dated back behind a breach."""
    WITHDRAWN = "referral.withdrawn"
    ENTERED_IN_ERROR = "referral.entered_in_error"
    """Withdrawn because nobody had reported it."""
    LINKED = "referral.linked"
    FLAGGED = "case.flagged"
    """An open case is flagged and has no DCF-737. No event says which referral ends that, so it is
    kept and starts no clock."""

    ROUTED = "route.planned"
    """A version's recipients are fixed. It exists even when they are none."""
    PLANNED = "notice.planned"
    REFUSED = "notice.refused"
    SUPERSEDED = "notice.superseded"
    LEFT = "notice.left"
    """A recipient is no longer of its leg: others were planned in its place."""
    SUPERSESSION_PLANNED = "supersession.planned"
    """A notice that is no part of a leg and meets no clock's duty when it is delivered: to one who
    left the route, of a withdrawal, of a recall, or of a consult's outcome."""
    CANCELLED = "notice.withdrawn"
    HELD = "notice.held"
    CLOSED = "notice.closed"
    """Ended by a person. It meets no duty."""

    POINTED = "notice.pointed"
    """A webhook or an e-mail without content was taken: it tells nothing, and satisfies nothing."""
    DELIVERED = "notice.delivered"
    PICKED_UP = "notice.picked_up"
    ACKNOWLEDGED = "notice.acknowledged"
    TOLD_ORALLY = "notice.told_orally"

    CONSULT_REQUESTED = "consult.requested"
    """Dated at the first request of its consult that is known."""
    CONSULT_COMPLETED = "consult.completed"
    CONSULT_ENTERED = "consult.entered"
    IDENTIFIED = "victim.identified"


@dataclass(frozen=True, slots=True)
class Statement:
    """What a referral version says that clocks depend on."""

    received_at: datetime
    trigger: Trigger
    ht_type: HtType
    synthetic: bool = False


class Fact(NamedTuple):
    """One fact. `event_id` and `place` (in the event, from 0) identify it for good.

    `occurred_at` is when it happened, never when we heard of it. A refused duty with no agency
    that fits its role has no `agency_id`; a fact about a whole route has no `child_id`. `version`
    is the referral's, or of a decision its number. `matter` is the consult, or the referral that
    is linked.
    """

    event_id: str
    place: int
    kind: FactKind
    referral_id: str
    occurred_at: datetime
    version: int
    child_id: str | None = None
    role: Role | None = None
    agency_id: str | None = None
    notice_id: str | None = None
    statement: Statement | None = None
    stage: Stage | None = None
    matter: str | None = None
