"""After the storm: count by id what was lost, out of order, or told to the wrong one."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set

from tests.chaos.agencies import STATEWIDE, Arrival
from tests.chaos.caller import Accepted

POLICE = "local_law_enforcement"
REQUIRED_ROLES = frozenset({POLICE, "hart_lead_statewide", "fbi", "chief_states_attorney", "mdt"})


def lost(accepted: Iterable[Accepted], arrivals: Iterable[Arrival]) -> list[str]:
    """Children of accepted referrals of whom some required role has not the latest version."""
    told: dict[tuple[str, int], set[str]] = defaultdict(set)
    for arrival in arrivals:
        if arrival.answered:
            told[arrival.child_id, arrival.version].add(arrival.role)
    return [
        f"{each.number} v{each.version} {child_id}: {', '.join(sorted(untold))}"
        for each in accepted
        for child_id in each.child_ids
        if (untold := REQUIRED_ROLES - told[child_id, each.version])
    ]


def misdirected(
    accepted: Iterable[Accepted], arrivals: Iterable[Arrival], police: Mapping[str, Set[str]]
) -> list[str]:
    """Notices about a child that police of none of its towns got, nor the State Police in their
    place (P3)."""
    towns: dict[str, list[str]] = {}
    for each in accepted:
        for child_id, town in zip(each.child_ids, each.towns, strict=True):
            towns[child_id] = [town, STATEWIDE] if each.objected else [town]
    return [
        f"{arrival.notice_id} about a child of {towns[arrival.child_id][0]}"
        for arrival in arrivals
        if arrival.role == POLICE
        and arrival.child_id in towns
        and not any(arrival.agency_id in police[town] for town in towns[arrival.child_id])
    ]


def mixed(accepted: Iterable[Accepted], arrivals: Iterable[Arrival]) -> list[str]:
    """Notices that say something of another child than theirs, or nothing of theirs (P4)."""
    marks = {
        child_id: mark
        for each in accepted
        for child_id, mark in zip(each.child_ids, each.marks, strict=True)
    }
    return [
        f"{arrival.notice_id}: {', '.join(arrival.marks) or 'no mark'}"
        for arrival in arrivals
        if arrival.child_id in marks and arrival.marks != (marks[arrival.child_id],)
    ]


def out_of_order(arrivals: Sequence[Arrival]) -> list[str]:
    """Arrivals of a version after a later one at the same recipient (P8)."""
    highest: dict[tuple[str, str, str], int] = {}
    wrong = []
    for arrival in sorted(arrivals, key=lambda each: each.at):
        about = (arrival.agency_id, arrival.referral_number, arrival.child_id)
        if arrival.version < highest.get(about, 0):
            wrong.append(f"{arrival.notice_id} v{arrival.version}")
        highest[about] = max(arrival.version, highest.get(about, 0))
    return wrong
