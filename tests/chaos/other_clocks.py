"""The clocks that only some referrals have: of acknowledgements, and of consults (P6)."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tests.chaos.agencies import Arrival
from tests.chaos.caller import Accepted
from tests.chaos.clocks import Shown
from tests.chaos.ledgers import Announcement

ACKNOWLEDGEMENT = "hear_of_acknowledgement"
CONSULTS = frozenset({"hart_consult", "enter_consult", "enter_monthly_data"})
_TELL_NOTHING = frozenset({"withdrawal", "supersession", "recall", "consult_outcome"})
"""Kinds of notice after which nobody owes an acknowledgement of a referral."""
_LEFT = frozenset({"supersession", "recall"})
"""Who got one is in the route no longer, and what it owes is the law's word."""
DAY = timedelta(hours=24)
"""How long whoever was told has to say so; in elapsed time."""
_STATES = {0: "open", 1: "breached"}
"""By how many breaches were announced: in the run nobody acknowledges."""


def faults(
    accepted: Sequence[Accepted],
    shown: Shown,
    announcements: Sequence[Announcement],
    arrivals: Sequence[Arrival],
) -> list[str]:
    """Recipients that were told and have no clock, or two, or have one and were never told of the
    child; clocks that began before that, run for another time, or count otherwise than was said;
    and clocks of consults, for nobody asks for one."""
    left = {(each.child_id, each.agency_id) for each in arrivals if each.kind in _LEFT}
    first = {leg: at for leg, at in _first_answers(arrivals).items() if leg not in left}
    said: dict[str, list[Announcement]] = defaultdict(list)
    for each in announcements:
        said[each.clock_id].append(each)
    return [
        f"{referral.number}: {fault}"
        for referral in accepted
        for fault in _of_one(
            referral, _staying(shown.get(referral.referral_id, ()), left), said, first
        )
    ]


def _staying(
    clocks: Sequence[Mapping[str, Any]], left: Collection[tuple[str, str]]
) -> list[Mapping[str, Any]]:
    return [each for each in clocks if (each["child_id"], each["matter"]) not in left]


def _of_one(
    referral: Accepted,
    clocks: Sequence[Mapping[str, Any]],
    said: Mapping[str, Sequence[Announcement]],
    first: Mapping[tuple[str, str], float],
) -> Iterator[str]:
    for clock in clocks:
        if clock["duty"] in CONSULTS:
            yield f"{clock['clock_id']}: nobody asked for a consult"
    if referral.objected or referral.withdrawn:  # Who owes an answer then is the law's word.
        return
    own = [clock for clock in clocks if clock["duty"] == ACKNOWLEDGEMENT]
    found = Counter((clock["child_id"], clock["matter"]) for clock in own)
    for recipient in sorted(leg for leg in first if leg[0] in referral.child_ids):
        if found[recipient] != 1:
            yield f"{recipient[1]} was told of {recipient[0]} and has {found[recipient]} clocks"
    for clock in own:
        recipient = clock["child_id"], clock["matter"]
        for fault in _faults(clock, said.get(clock["clock_id"], ()), first.get(recipient)):
            yield f"{clock['clock_id']} {recipient[1]}: {fault}"


def _faults(
    clock: Mapping[str, Any], said: Sequence[Announcement], told: float | None
) -> Iterator[str]:
    basis, due = (datetime.fromisoformat(clock[name]) for name in ("basis_at", "due_at"))
    if told is None:
        yield "it was never told"
    elif basis.timestamp() < told:
        yield "it began before the recipient was told"
    if due - basis != DAY:
        yield "its due time is wrong"
    if any(each.due_at != due for each in said):
        yield "a breach is not dated at its due time"
    breaches = sum(not each.corrects for each in said)
    if len(said) != breaches or clock["state"] != _STATES.get(breaches):
        yield f"{clock['state']} after {breaches} breaches and {len(said) - breaches} corrections"


def _first_answers(arrivals: Sequence[Arrival]) -> Mapping[tuple[str, str], float]:
    """By child and agency: when the request arrived that was the first to be answered 2xx."""
    first: dict[tuple[str, str], float] = {}
    for each in arrivals:
        if each.answered and each.kind not in _TELL_NOTHING:
            leg = each.child_id, each.agency_id
            first[leg] = min(each.at, first.get(leg, each.at))
    return first
