"""Who is measured, ours or a peer: by the same generator, the same receivers and the same sums."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from deploy.machine.machine import Machine
from tests.load import costs, openloop
from tests.load.openloop import Send, Sent, spread
from tests.load.receiver import Receiver, until

FAN_OUT = 5
SETTLE_SECONDS = 2.0
"""Until what follows a delivery (outcomes, clocks, the log) is done, so that its CPU counts."""
_DRAIN_SECONDS = 120.0


@dataclass(frozen=True)
class Side:
    """It runs, and takes what is sent."""

    send: Send
    receiver: Receiver
    cpu_seconds: Callable[[], dict[str, float]]
    """So far, by program: all that it needs, its servers too."""
    arrivals: Callable[[], dict[str, list[float]]]
    """Reference → when each of its authentic notices arrived. Takes a while: ask after a run."""


def ours(machine: Machine, receiver: Receiver, send: Send) -> Side:
    return Side(
        send,
        receiver,
        partial(costs.cpu_seconds, machine),
        partial(receiver.arrivals, machine.home.agencies),
    )


@dataclass(frozen=True)
class Paced:
    """What was sent at a fixed rate until it had been delivered, and what that took."""

    began: float
    sent: list[Sent]
    cpu_seconds: dict[str, float]
    generator_cpu_seconds: float

    @property
    def accepted(self) -> list[Sent]:
        return [each for each in self.sent if each.status == 201]


async def paced(side: Side, *, rate: float, seconds: float, first: int) -> Paced:
    receiver = side.receiver
    already = receiver.notices()
    before, own = side.cpu_seconds(), costs.own_seconds()
    began = time.time()
    sent = await openloop.run(side.send, rate=rate, seconds=seconds, first=first)
    wanted = already + sum(each.status == 201 for each in sent) * FAN_OUT
    await until(lambda: receiver.notices() >= wanted, _DRAIN_SECONDS)
    await asyncio.sleep(SETTLE_SECONDS)
    own = costs.own_seconds() - own
    return Paced(began, sent, costs.spent(before, side.cpu_seconds()), own)


def told(run: Paced, arrivals: dict[str, list[float]]) -> dict[str, Any]:
    """By id: `arrivals` may hold those of other runs too."""
    accepted = run.accepted
    delivered = [at for each in accepted for at in arrivals.get(each.reference, [])]
    last = max(delivered, default=run.began + 1)
    spent = run.cpu_seconds
    return {
        "accepted": len(accepted),
        "refused": len(run.sent) - len(accepted),
        "lost": lost(accepted, arrivals),
        "deliveries": len(delivered),
        "deliveries_per_second": round(len(delivered) / (last - run.began), 1),
        "answer_ms": spread([each.answered_at - each.intended_at for each in accepted]),
        "accepted_to_first_byte_ms": spread(_latencies(accepted, arrivals, "answered_at")),
        "intended_to_first_byte_ms": spread(_latencies(accepted, arrivals, "intended_at")),
        "cpu_seconds_per_1000_deliveries": round(
            1000 * sum(spent.values()) / max(len(delivered), 1), 2
        ),
        "cpu_ms_per_referral": {
            name: round(1000 * value / max(len(accepted), 1), 1) for name, value in spent.items()
        },
        "generator_cpu_seconds": round(run.generator_cpu_seconds, 2),
    }


def lost(accepted: list[Sent], arrivals: dict[str, list[float]]) -> int:
    """How many of them did not reach all five."""
    return sum(len(arrivals.get(each.reference, [])) < FAN_OUT for each in accepted)


def _latencies(accepted: list[Sent], arrivals: dict[str, list[float]], since: str) -> list[float]:
    """One per delivery, negative ones (a notice that beat its own answer) as they are."""
    return [
        at - getattr(each, since) for each in accepted for at in arrivals.get(each.reference, [])
    ]
