"""What is in flight, lane by lane, and when a place that falls free is worth a claim. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.notify.delivery.attempts import Attempt


@dataclass(frozen=True, slots=True)
class Slots:
    """Attempts of one agency that may run, or are running, at a time."""

    first: int
    retry: int


_NONE = Slots(0, 0)


class Lanes:
    """The attempts in flight. Each agency has two lanes, first tries and retries.

    A lane that a claim filled may have left something behind that only a free place brings: those
    lanes are remembered until the next claim, and nothing else wakes it. `most`: of all together.
    """

    def __init__(self, slots: Slots, most: int) -> None:
        self._slots = slots
        self._most = most
        self._in_flight: dict[str, Attempt] = {}
        self._busy: dict[str, Slots] = {}
        self._full: frozenset[tuple[str, bool]] = frozenset()
        self._crowded = False

    def __len__(self) -> int:
        return len(self._in_flight)

    @property
    def room(self) -> int:
        return self._most - len(self._in_flight)

    @property
    def busy(self) -> Mapping[str, Slots]:
        """By agency, as it is now; what changes later does not change it."""
        return dict(self._busy)

    def take(self, attempt: Attempt) -> None:
        self._in_flight[attempt.disclosure_id] = attempt
        self._count(attempt, 1)

    def free(self, disclosure_ids: Iterable[str]) -> bool:
        """Their outcomes are on record. Whether a claim may find more than the last one did."""
        more = False
        for id_ in disclosure_ids:
            attempt = self._in_flight.pop(id_, None)
            if attempt is not None:
                self._count(attempt, -1)
                more |= self._made_wait(attempt)
        return more

    def claimed(self, attempts: Sequence[Attempt], seen: Mapping[str, Slots]) -> bool:
        """After a claim that knew of `seen`, once what it brought is taken. Whether it knew too
        little: a place that it thought taken has fallen free since."""
        asked = _counted(seen, attempts)
        self._full = frozenset(
            (agency_id, retry)
            for agency_id, count in asked.items()
            for retry in (False, True)
            if _of(count, retry) >= _of(self._slots, retry)
        )
        self._crowded = sum(each.first + each.retry for each in asked.values()) >= self._most
        return any(
            _of(self._busy.get(agency_id, _NONE), retry) < _of(self._slots, retry)
            for agency_id, retry in self._full
        ) or (self._crowded and self.room > 0)

    def _made_wait(self, attempt: Attempt) -> bool:
        """A limit of the agency's own and a breaker's probe hold back what no lane shows."""
        return (
            self._crowded
            or attempt.limited
            or attempt.probe
            or (attempt.agency_id, attempt.retry) in self._full
        )

    def _count(self, attempt: Attempt, change: int) -> None:
        busy = _plus(self._busy.pop(attempt.agency_id, _NONE), attempt.retry, change)
        if busy != _NONE:
            self._busy[attempt.agency_id] = busy


def _counted(seen: Mapping[str, Slots], attempts: Iterable[Attempt]) -> dict[str, Slots]:
    counts = dict(seen)
    for each in attempts:
        counts[each.agency_id] = _plus(counts.get(each.agency_id, _NONE), each.retry, 1)
    return counts


def _plus(slots: Slots, retry: bool, change: int) -> Slots:
    if retry:
        return Slots(slots.first, slots.retry + change)
    return Slots(slots.first + change, slots.retry)


def _of(slots: Slots, retry: bool) -> int:
    return slots.retry if retry else slots.first
