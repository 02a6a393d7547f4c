"""What the withdrawal of a referral means for every recipient (C14, P8). Pure.

- Entered in error: what was not attempted is not sent; whoever may hold something hears of it.
- Otherwise the original goes first, then the withdrawal: a duty to tell was there, and stays met.
- A withdrawal leaves only when no notice of its recipient waits or is under way. It says its cause
  by code, and nothing else: naming the reporter of a false report has an authority of its own.
- P3 outranks P8: without authority in force there is none, and for a conflict of interest neither.
"""

from collections.abc import Iterable, Iterator
from datetime import date

from services.notify.directory.register import Directory
from services.notify.planning.new_notice import Message, NewNotice, contentless
from services.notify.planning.plan import (
    NO_DUTY,
    WAITING,
    DeliveryState,
    Earlier,
    Plan,
    age,
    is_untold,
)
from services.notify.routing.routes import Leg, Refused, Route
from shared.contracts.codes import NoticeKind, WithdrawalCause

_WITHDRAWAL = Message(
    NoticeKind.WITHDRAWAL, rule="withdrawal", purpose="Withdrawal of an earlier notice"
)


def plan_withdrawal(
    cause: WithdrawalCause,
    history: Iterable[Earlier],
    route: Route,
    directory: Directory,
    today: date,
) -> Plan:
    """Plan it for everybody whom any notice of the referral was for.

    `route`: of the latest version, for who has a conflict of interest in whose matter.
    """
    legs = dict(_by_leg(history))
    cancelled = [each for mine in legs.values() for each in mine if _cancels(cause, each)]
    told = [
        _withdrawal(cause, mine, directory, today)
        for leg, mine in legs.items()
        if _concerns(cause, mine) and not route.bars(*leg, directory)
    ]
    return Plan(
        notices=tuple(each for each in told if isinstance(each, NewNotice)),
        ended=tuple(each for each in cancelled if is_untold(each)),
        last_tries=tuple(each for each in cancelled if each.state is DeliveryState.ATTEMPTING),
        refused=(),
        withheld=tuple(each for each in told if isinstance(each, Refused)),
    )


def _by_leg(history: Iterable[Earlier]) -> Iterator[tuple[Leg, list[Earlier]]]:
    by_leg: dict[Leg, list[Earlier]] = {}
    for each in sorted(history, key=lambda each: (each.child_id, each.agency_id, age(each))):
        by_leg.setdefault(each.leg, []).append(each)
    yield from by_leg.items()


def _cancels(cause: WithdrawalCause, each: Earlier) -> bool:
    """A recall is still to be sent: it takes back what should never have left."""
    return cause is WithdrawalCause.ENTERED_IN_ERROR and each.kind is not NoticeKind.RECALL


def _concerns(cause: WithdrawalCause, mine: Iterable[Earlier]) -> bool:
    """Whether it may hold something of the referral, or is still to get it."""
    told = [each for each in mine if each.kind not in NO_DUTY]
    if any(each.may_hold for each in told):
        return True
    return cause is not WithdrawalCause.ENTERED_IN_ERROR and any(
        _is_open(each) or is_untold(each) for each in told
    )


def _is_open(each: Earlier) -> bool:
    return each.state in WAITING or each.state is DeliveryState.ATTEMPTING


def _waits(cause: WithdrawalCause, mine: Iterable[Earlier]) -> bool:
    """Until everything of this recipient that is not cancelled by it is over."""
    return any(
        each.state is DeliveryState.ATTEMPTING or (_is_open(each) and not _cancels(cause, each))
        for each in mine
    )


def _withdrawal(
    cause: WithdrawalCause, mine: list[Earlier], directory: Directory, today: date
) -> NewNotice | Refused:
    last = [each for each in mine if each.kind not in NO_DUTY][-1]
    return contentless(
        _WITHDRAWAL,
        last,
        "holds or is still to get a notice of a referral that was withdrawn",
        directory,
        today,
        supersedes=max((each.version for each in mine if each.may_hold), default=None),
        blocked=_waits(cause, mine),
        cause=cause.value,
    )
