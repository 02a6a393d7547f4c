"""An open-loop client: requests leave when they are due, whether or not earlier ones came back."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sent:
    """One request. Times are seconds of time.time(), comparable between processes."""

    number: int
    intended_at: float
    answered_at: float
    status: int
    reference: str
    """The referral's number, by which the receivers' copies are told apart; empty unless 201."""


@dataclass(frozen=True, slots=True)
class Answer:
    at: float
    """When it came, whenever its turn was to be read."""
    status: int
    reference: str


Send = Callable[[int], Awaitable[Answer]]


async def run(
    send: Send,
    *,
    rate: float,
    seconds: float,
    first: int = 0,
) -> list[Sent]:
    """Send at `rate` per second for `seconds`; latencies count from the intended time."""
    start = time.time() + 0.05
    total = int(rate * seconds)
    tasks = []
    for index in range(total):
        intended = start + index / rate
        while (delay := intended - time.time()) > 0:
            # In a thread: the event loop's own timers go by whole milliseconds.
            await asyncio.to_thread(time.sleep, delay)
        tasks.append(asyncio.create_task(one(send, first + index, intended)))
    return list(await asyncio.gather(*tasks))


async def one(send: Send, number: int, intended: float) -> Sent:
    """Status 0: no answer came."""
    try:
        answer = await send(number)
    except Exception:
        answer = Answer(time.time(), 0, "")
    return Sent(number, intended, answer.at, answer.status, answer.reference)


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of them lie; 0 for none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(seconds: list[float]) -> dict[str, float]:
    """In milliseconds."""
    return {
        name: round(percentile(seconds, share) * 1000, 1)
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))
    }


def throughput(times: list[float]) -> float:
    """Per second, over the middle eight tenths of what came: neither the start nor the last."""
    ordered = sorted(times)
    first, last = len(ordered) // 10, len(ordered) - 1 - len(ordered) // 10
    seconds = ordered[last] - ordered[first] if ordered else 0.0
    return round((last - first) / seconds, 1) if seconds > 0 else 0.0
