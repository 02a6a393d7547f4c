"""What a new version of a referral means for every recipient, given what earlier ones became (P8).

Pure. Per (child, agency) and series, which is what everybody hears of at once, what only an
accepted case brings, or one shared consult; the series of one recipient take nothing from one
another:

- an unattempted or waiting notice of an earlier version is superseded, unsent or not tried again;
- one in flight ends first and is then not tried again: the new one is blocked until it has ended;
- whoever may hold an earlier version gets a correction, or, no longer in the route, a
  supersession without content; whoever certainly holds none and left the route hears nothing;
- P3 outranks P8: without authority in force there is no correction and no supersession either,
  and whoever has a conflict of interest gets nothing further: what it holds stays as it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.notify.directory.register import Directory
from services.notify.planning.new_notice import Message, NewNotice, contentless
from services.notify.routing.routes import Leg, Recipient, Refused, Route, StandIn, Suppressed
from services.notify.routing.rule import Form
from shared.contracts.codes import NoticeKind, Role

RECEIVED = "received"
"""The series of what everybody hears of at once."""
WITHDRAWAL = "withdrawal"
"""The series of the notice that comes after all others of its recipient."""

NO_DUTY = frozenset({NoticeKind.SUPERSESSION, NoticeKind.WITHDRAWAL, NoticeKind.RECALL})
"""What they say ends or takes back; none of them meets a duty, and no duty asks for one."""
OF_NO_CLOCK = NO_DUTY | {NoticeKind.CONSULT_OUTCOME}
"""What is refused of these is a task and no refused notice: no clock of a duty waits for it."""
_SUPERSESSION = Message(
    NoticeKind.SUPERSESSION, rule="supersession", purpose="Correction of an earlier notice"
)


class DeliveryState(StrEnum):
    """`deliveries.state`."""

    PENDING = "pending"
    BLOCKED = "blocked"
    """Until the attempt of an earlier version has ended."""
    ATTEMPTING = "attempting"
    DELIVERED = "delivered"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    """The referral was entered in error before this was tried."""
    REFUSED = "refused"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Earlier:
    """A notice of an earlier version and what has become of it.

    `may_hold`: an attempt was made, or is open, of which it is not certain that nothing was sent;
    what was recalled counts as held no more.
    """

    notice_id: str
    referral_id: str
    child_id: str
    agency_id: str
    role: Role
    version: int
    kind: NoticeKind
    state: DeliveryState
    may_hold: bool
    series: str = RECEIVED
    revision: int = 0

    @property
    def leg(self) -> Leg:
        return self.child_id, self.agency_id


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that one version of a referral changes. The recipients are frozen (P3)."""

    notices: tuple[NewNotice, ...]
    ended: tuple[Earlier, ...]
    """To be superseded now: they will not be tried (again)."""
    last_tries: tuple[Earlier, ...]
    """In flight: to be superseded when the open attempt has ended without a delivery."""
    refused: tuple[Refused, ...]
    """Duties that cannot be met."""
    withheld: tuple[Refused, ...]
    """Supersessions that may not be sent."""
    suppressed: tuple[Suppressed, ...] = ()
    stand_ins: tuple[StandIn, ...] = ()


def plan_version(
    route: Route,
    history: Iterable[Earlier],
    directory: Directory,
    today: date,
    series: str = RECEIVED,
) -> Plan:
    """Plan one version of a series, given the notices of the versions before it."""
    earlier = _by_leg(each for each in history if each.series == series)
    made = [notice_for(each, earlier.get(each.leg, [])) for each in route.recipients]
    supersessions = [
        _supersession(earlier[leg], directory, today)
        for leg in _left_the_route(route, earlier)
        if any(each.may_hold for each in earlier[leg]) and not route.bars(*leg, directory)
    ]
    touched = [each for leg in _touched(route, earlier) for each in earlier[leg]]
    return Plan(
        notices=(*made, *(each for each in supersessions if isinstance(each, NewNotice))),
        ended=tuple(each for each in touched if is_untold(each)),
        last_tries=tuple(each for each in touched if each.state is DeliveryState.ATTEMPTING),
        refused=route.refused,
        withheld=tuple(each for each in supersessions if isinstance(each, Refused)),
        suppressed=route.suppressed,
        stand_ins=route.stand_ins,
    )


WAITING = (DeliveryState.PENDING, DeliveryState.BLOCKED)


def age(each: Earlier) -> tuple[int, int]:
    """By which one of a series is earlier than another."""
    return each.version, each.revision


def is_untold(each: Earlier) -> bool:
    """It waits; or a pointer to it arrived and nobody has opened it, so that nobody need."""
    return each.state in WAITING or is_unread(each)


def is_unread(each: Earlier) -> bool:
    """A pointer to it arrived, and nobody opened it."""
    return each.state is DeliveryState.DELIVERED and not each.may_hold


def _by_leg(history: Iterable[Earlier]) -> dict[Leg, list[Earlier]]:
    by_leg: dict[Leg, list[Earlier]] = {}
    for each in sorted(history, key=lambda each: (each.child_id, each.agency_id, age(each))):
        by_leg.setdefault((each.child_id, each.agency_id), []).append(each)
    return by_leg


def _present(route: Route) -> set[Leg]:
    """Whoever the rules chose, told or not: a suppressed agency has not left the route."""
    told = {each.leg for each in route.recipients}
    return told | {each.leg for each in route.refused} | {each.leg for each in route.suppressed}


def _left_the_route(route: Route, earlier: Mapping[Leg, Sequence[Earlier]]) -> list[Leg]:
    """Legs of earlier versions that are in this one neither told nor refused, and were not yet
    told so."""
    present = _present(route)
    return [
        leg
        for leg, before in earlier.items()
        if leg not in present and before[-1].kind is not NoticeKind.SUPERSESSION
    ]


def _touched(route: Route, earlier: Mapping[Leg, Sequence[Earlier]]) -> list[Leg]:
    """Every leg but those whose supersession stands."""
    present = _present(route)
    left = _left_the_route(route, earlier)
    return [leg for leg in earlier if leg in present or leg in left]


def notice_for(recipient: Recipient, before: Sequence[Earlier]) -> NewNotice:
    """Its notice, given those of earlier versions on the same leg."""
    held = _latest_held(before)
    return NewNotice(
        child_id=recipient.child_id,
        agency_id=recipient.agency_id,
        role=recipient.role,
        kind=_kind(recipient.form, held),
        supersedes=held,
        profile=recipient.profile,
        authority=recipient.authority,
        purpose=recipient.purpose,
        rule=recipient.rule,
        because=recipient.because,
        blocked=_in_flight(before),
        form=recipient.form,
    )


def _kind(form: Form, held: int | None) -> NoticeKind:
    if form is Form.CONSULT_OUTCOME:
        return NoticeKind.CONSULT_OUTCOME
    return NoticeKind.ORIGINAL if held is None else NoticeKind.CORRECTION


def _supersession(
    before: Sequence[Earlier], directory: Directory, today: date
) -> NewNotice | Refused:
    held = _latest_held(before)
    because = f"may hold version {held} and is no longer in the route"
    blocked = _in_flight(before)
    return contentless(
        _SUPERSESSION, before[-1], because, directory, today, supersedes=held, blocked=blocked
    )


def _latest_held(before: Sequence[Earlier]) -> int | None:
    return max((each.version for each in before if each.may_hold), default=None)


def _in_flight(before: Sequence[Earlier]) -> bool:
    return any(each.state is DeliveryState.ATTEMPTING for each in before)
