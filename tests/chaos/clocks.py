"""Every clock against what the receivers and notify know of it: each breach exactly once (P6)."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.chaos.agencies import ANSWERS, Arrival
from tests.chaos.caller import Accepted
from tests.chaos.ledgers import Announcement, Ledgers, Leg
from tests.chaos.withdrawals import ENTERED_IN_ERROR

CLOCKED_ROLES = ("chief_states_attorney", "fbi", "local_law_enforcement", "mdt")
CLOCKED_DUTIES = frozenset(f"tell_{role}" for role in CLOCKED_ROLES)
"""The duties that every referral has. Acknowledgements have clocks of their own."""
_STATES = {(0, 0): "satisfied", (1, 0): "satisfied_late", (1, 1): "breached_then_corrected"}
"""By how many breaches and corrections were announced, once everybody is told."""

Shown = Mapping[str, Sequence[Mapping[str, Any]]]
"""By referral id: its clocks, as deadlines' API shows them."""


def faults(
    accepted: Sequence[Accepted], shown: Shown, ledgers: Ledgers, arrivals: Sequence[Arrival]
) -> list[str]:
    """Clocks that are missing or in a wrong state, and breaches that are missing, were announced
    or heard twice, are wrongly dated, or are of no clock."""
    said = _by_clock(ledgers.announcements)
    answered = _first_answers(arrivals)
    wrong, known = [], set()
    for referral in accepted:
        every = shown.get(referral.referral_id, ())
        known |= {clock["clock_id"] for clock in every}
        clocks = [clock for clock in every if clock["duty"] in CLOCKED_DUTIES]
        roles = sorted((clock["child_id"], clock["role"]) for clock in clocks)
        if roles != sorted((child, role) for child in referral.child_ids for role in CLOCKED_ROLES):
            wrong.append(f"{referral.number}: {len(clocks)} clocks")
        for clock in clocks:
            leg = (clock["child_id"], clock["role"])
            if referral.objected or referral.withdrawn == ENTERED_IN_ERROR:  # Legs come and go.
                continue
            own = said.get(clock["clock_id"], [])
            for fault in _faults(
                clock, referral.due_at, own, ledgers.told.get(leg), answered.get(leg)
            ):
                wrong.append(f"{referral.number} {clock['clock_id']} {clock['role']}: {fault}")
    wrong += [f"{clock_id}: no clock" for clock_id in said.keys() - known]
    heard = Counter(ledgers.heard)
    return wrong + [
        f"{each.clock_id}: heard {heard[each.event_id]} times"
        for each in ledgers.announcements
        if heard[each.event_id] != 1
    ]


def _faults(
    clock: Mapping[str, Any],
    due_at: datetime,
    said: Sequence[Announcement],
    told: datetime | None,
    answered: datetime | None,
) -> Iterator[str]:
    breaches = [each for each in said if not each.corrects]
    counts = len(breaches), len(said) - len(breaches)
    if told is None:
        yield "nobody was told"
    elif told > due_at and counts != (1, 0):
        yield f"told late, {counts[0]} breaches and {counts[1]} corrections"
    elif told <= due_at and counts not in ((0, 0), (1, 1)):
        yield f"told in time, {counts[0]} breaches and {counts[1]} corrections"
    if counts != (1, 0) and (answered is None or answered > due_at):
        yield "nobody answered in time, and it does not count as breached"
    if any(each.due_at != due_at for each in said):
        yield "a breach is not dated at its due time"
    if clock["state"] != _STATES.get(counts):
        yield f"{clock['state']} after {counts[0]} breaches and {counts[1]} corrections"
    if datetime.fromisoformat(clock["due_at"]) != due_at:
        yield "its due time is wrong"


def _by_clock(announcements: Sequence[Announcement]) -> Mapping[str, list[Announcement]]:
    found: dict[str, list[Announcement]] = defaultdict(list)
    for each in announcements:
        found[each.clock_id].append(each)
    return found


def _first_answers(arrivals: Sequence[Arrival]) -> Mapping[Leg, datetime]:
    """When the request arrived that was the first to be answered 2xx, by the receivers' log. Each
    leg of the run has one agency."""
    first: dict[Leg, float] = {}
    for each in arrivals:
        if ANSWERS[each.mood] == 200:
            leg = (each.child_id, each.role)
            first[leg] = min(each.at, first.get(leg, each.at))
    return {leg: datetime.fromtimestamp(at, UTC) for leg, at in first.items()}
