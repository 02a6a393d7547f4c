"""What a restored database does not know of, by name. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.agencies import Arrival
from tests.drill.phone import Acknowledged


@dataclass(frozen=True)
class Received:
    """Notices that arrived before the disk was lost, against the restored database."""

    recorded: Sequence[Arrival]
    """With an attempt on record."""
    due_again: Sequence[Arrival]
    """Planned, and not attempted or not so often: due again, under its own id."""
    unknown: Sequence[Arrival]
    """Not even planned: each recipient is told anew, under another id."""

    @property
    def unrecorded(self) -> list[Arrival]:
        return [*self.due_again, *self.unknown]


def lost(acknowledged: Iterable[Acknowledged], kept: Collection[str]) -> list[Acknowledged]:
    """Referrals that were answered with 201 and whose ids are not among those `kept`."""
    return [each for each in acknowledged if each.referral.referral_id not in kept]


def compare(
    arrivals: Iterable[Arrival], attempted: Mapping[str, int], planned: Collection[str]
) -> Received:
    """By the ids of notices in the restored database: `attempted`, how often; `planned`. A notice
    keeps its id through its attempts, so its n-th arrival needs an n-th attempt."""
    recorded, due_again, unknown = [], [], []
    seen: Counter[str] = Counter()
    for each in arrivals:
        seen[each.notice_id] += 1
        if seen[each.notice_id] <= attempted.get(each.notice_id, 0):
            recorded.append(each)
        elif each.notice_id in planned:
            due_again.append(each)
        else:
            unknown.append(each)
    return Received(recorded, due_again, unknown)


def uncovered(unrecorded: Iterable[Arrival], later: Iterable[Arrival]) -> list[str]:
    """Recipients that hold a notice nobody has on record and were not told of that child again,
    on the record: `later` are the arrivals that are."""
    told = {_leg(each) for each in later}
    again = [each for each in unrecorded if _leg(each) not in told]
    return [f"{each.notice_id} at {each.agency_id}" for each in again]


def renumbered(
    lost: Iterable[Acknowledged], acknowledged: Iterable[Acknowledged]
) -> Mapping[str, str | None]:
    """By the number that the callers were told: the one that it has now; None: it has none."""
    latest = {each.key: each.referral.number for each in acknowledged}
    found = {each.referral.number: latest[each.key] for each in lost}
    return {old: new if new != old else None for old, new in found.items()}


def _leg(arrival: Arrival) -> tuple[object, ...]:
    return arrival.agency_id, arrival.role, arrival.marks
