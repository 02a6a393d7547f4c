"""What the callers and the agencies saw of a change, by id. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.change.caller import Call
from tests.load.openloop import percentile


@dataclass(frozen=True)
class Part:
    """A stretch of the run, by when its calls were due."""

    name: str
    begin: float
    end: float

    def of(self, calls: Iterable[Call]) -> list[Call]:
        return [each for each in calls if self.begin <= each.intended_at < self.end]


@dataclass(frozen=True)
class Seen:
    """Every list must be empty, but `unanswered`: a connection that ended, whose call was sent
    again under its key and accepted once."""

    lost: list[str]
    """Accepted, and not told to every recipient."""
    refused: list[Call]
    """Never accepted."""
    too_many: list[str]
    """More notices than recipients: the referral was planned twice."""
    doubled: list[str]
    """Notices that arrived more than once although their first attempt had its answer."""
    server_errors: list[Call]
    """5xx at least once."""
    unanswered: list[Call] = field(default_factory=list)

    @property
    def well(self) -> bool:
        return not (
            self.lost or self.refused or self.too_many or self.doubled or self.server_errors
        )


def reckon(
    calls: Sequence[Call],
    arrivals: Mapping[str, Sequence[float]],
    received: Iterable[str],
    fan_out: int,
) -> Seen:
    """`arrivals`: referral number → when each of its notices first arrived; `received`: the
    webhook-id of everything that came."""
    accepted = [each for each in calls if each.number]
    told = {each.number: len(arrivals.get(each.number, ())) for each in accepted}
    return Seen(
        lost=[number for number, count in told.items() if count < fan_out],
        refused=[each for each in calls if not each.number],
        too_many=[number for number, count in told.items() if count > fan_out],
        doubled=[notice for notice, count in Counter(received).items() if count > 1],
        server_errors=[each for each in calls if any(s >= 500 for s in each.statuses)],
        unanswered=[each for each in calls if 0 in each.statuses],
    )


def first_bytes(calls: Iterable[Call], arrivals: Mapping[str, Sequence[float]]) -> list[float]:
    """Seconds from the answer to the first byte, one per notice."""
    return [at - each.answered_at for each in calls for at in arrivals.get(each.number, ())]


def answers(calls: Iterable[Call]) -> list[float]:
    """Seconds from when a call was due to its 201."""
    return [each.answered_at - each.intended_at for each in calls if each.number]


def p95_ms(seconds: Sequence[float]) -> float:
    return percentile(list(seconds), 0.95) * 1000
