"""Referrals withdrawn in the middle of it: who must hear of it, and what leaves afterwards (P8)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from tests.chaos.agencies import Arrival
from tests.chaos.caller import Accepted
from tests.chaos.ledgers import Ledgers

WITHDRAWAL = "withdrawal"
FALSE_REPORT, ENTERED_IN_ERROR = "false_report", "entered_in_error"

Leg = tuple[str, str]
"""(child id, agency id)."""


def cause_of(number: int) -> str | None:
    """Of one call in eight each; none of them has a conflict asserted."""
    return {1: ENTERED_IN_ERROR, 5: FALSE_REPORT}.get(number % 8)


def unheard(accepted: Iterable[Accepted], arrivals: Sequence[Arrival]) -> list[str]:
    """Who got something of a withdrawn referral, and not its withdrawal. Whoever was to get the
    original of a false report is looked for by `reckoning.lost`."""
    withdrawn = _withdrawn(accepted)
    mine = [each for each in arrivals if each.child_id in withdrawn]
    heard = {_leg(each) for each in mine if each.kind == WITHDRAWAL and each.answered}
    return sorted(
        f"{withdrawn[leg[0]]}: {leg[1]} about {leg[0]}"
        for leg in {_leg(each) for each in mine if each.kind != WITHDRAWAL} - heard
    )


def needless(
    accepted: Iterable[Accepted], arrivals: Sequence[Arrival], written: Ledgers
) -> list[str]:
    """Withdrawals of what was not withdrawn, or to who can have got nothing of it before (P3)."""
    withdrawn = _withdrawn(accepted)
    first = _first(chain(_held(arrivals), _perhaps_held(written)))
    return [
        f"{each.notice_id} to {each.agency_id}"
        for each in arrivals
        if each.kind == WITHDRAWAL
        and (each.child_id not in withdrawn or first.get(_leg(each), each.at) >= each.at)
    ]


def overtaken(arrivals: Sequence[Arrival]) -> list[str]:
    """What arrived after the withdrawal of it had."""
    last_word = _first((_leg(each), each.at) for each in arrivals if each.kind == WITHDRAWAL)
    return [
        f"{each.notice_id} v{each.version} to {each.agency_id}"
        for each in arrivals
        if each.kind != WITHDRAWAL and each.at > last_word.get(_leg(each), float("inf"))
    ]


def telling(arrivals: Iterable[Arrival]) -> list[Arrival]:
    """Without withdrawals, which tell nothing of any child."""
    return [each for each in arrivals if each.kind != WITHDRAWAL]


def due(accepted: Iterable[Accepted]) -> list[Accepted]:
    """Of whom everybody must have been told: whatever was not entered in error."""
    return [each for each in accepted if each.withdrawn != ENTERED_IN_ERROR]


def _withdrawn(accepted: Iterable[Accepted]) -> Mapping[str, str]:
    """By child: the referral's number."""
    return {
        child_id: each.number
        for each in accepted
        if each.withdrawn is not None
        for child_id in each.child_ids
    }


def _held(arrivals: Iterable[Arrival]) -> Iterator[tuple[Leg, float]]:
    return ((_leg(each), each.at) for each in arrivals if each.kind != WITHDRAWAL)


def _perhaps_held(written: Ledgers) -> Iterator[tuple[Leg, float]]:
    """Attempts that nothing arrived of, and of which notify cannot know that: its process was
    killed between the record and the first byte. Whoever may hold it is told (P8)."""
    surely_not = {each.disclosure_id for each in written.outcomes if each.kind == "failed"}
    return (
        ((each.child_id, each.agency_id), each.at)
        for each in written.attempts
        if each.kind != WITHDRAWAL and each.disclosure_id not in surely_not
    )


def _first(happened: Iterable[tuple[Leg, float]]) -> dict[Leg, float]:
    found: dict[Leg, float] = {}
    for leg, at in happened:
        found[leg] = min(found.get(leg, at), at)
    return found


def _leg(arrival: Arrival) -> Leg:
    return arrival.child_id, arrival.agency_id
