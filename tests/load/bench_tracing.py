"""What tracing costs: `python -m tests.load.bench_tracing [--what metrics] [--pairs 5]`.

The whole way under load, off and on in turn (ABBA), every run with processes of its own over one
database. On: a collector on loopback, one call in a hundred traced; of metrics: every service is
scraped each five seconds, against processes that count nothing and are not scraped. Prints CPU
seconds per 1,000 deliveries (services, PostgreSQL, Kafka) and, over the pairs, what "on" adds, with
its 95 % interval.
"""

import argparse
import asyncio
import json
import math
import statistics
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp

from deploy.machine.machine import SERVICES, Machine
from tests.load.__main__ import measure
from tests.load.receiver import Receiver, listening
from tests.support import machines
from tests.support.collector import Collector, collecting

GOALS = {"tracing": 5.0, "metrics": 3.0}
_SCRAPE_SECONDS = 5.0
_WITHOUT = Path(__file__).parent / "without_metrics"
_T = (0, 12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Student's t for 95 %, by degrees of freedom; beyond them the normal's is near enough."""


async def run(args: argparse.Namespace, machine: Machine) -> dict[str, Any]:
    receiver = Receiver()
    found: dict[bool, list[float]] = {False: [], True: []}
    first = 0
    async with listening(receiver, machine.ports.agencies), collecting(Collector()) as collector:
        for pair in range(args.pairs):
            for on in (False, True) if pair % 2 == 0 else (True, False):
                _set(machine, _settings(args, collector, on=on))
                first += 1_000_000
                cost = await _once(args, machine, receiver, first, on=on)
                found[on].append(cost)
                print(f"pair {pair + 1}, {'on ' if on else 'off'}: {cost}", flush=True)
    return {
        "what": args.what,
        "bus": args.bus,
        "cpu_seconds_per_1000_deliveries": {"off": found[False], "on": found[True]},
        **added(found[False], found[True]),
        "goal_percent": GOALS[args.what],
    }


def added(off: Sequence[float], on: Sequence[float]) -> dict[str, Any]:
    """What "on" adds in percent of "off", pair by pair, with the interval of its mean."""
    shares = [100 * (b / a - 1) for a, b in zip(off, on, strict=True)]
    mean = statistics.mean(shares)
    if len(shares) < 2:
        return {"added_percent": round(mean, 2), "interval_percent": None}
    t = _T[len(shares) - 1] if len(shares) <= len(_T) else 1.96
    half = t * statistics.stdev(shares) / math.sqrt(len(shares))
    return {
        "added_percent": round(mean, 2),
        "interval_percent": [round(mean - half, 2), round(mean + half, 2)],
    }


def _settings(args: argparse.Namespace, collector: str, *, on: bool) -> Mapping[str, str]:
    if args.what == "metrics":
        return {} if on else {"PYTHONPATH": str(_WITHOUT)}
    if not on:
        return {}
    return {"HARTLINE_TRACING": collector, "HARTLINE_TRACING_RATIO": str(args.ratio)}


def _set(machine: Machine, more: Mapping[str, str]) -> None:
    programs = machine.supervisor.programs
    for name in SERVICES:
        programs[name] = replace(programs[name], environment={**machine.environment(name), **more})


async def _once(
    args: argparse.Namespace, machine: Machine, receiver: Receiver, first: int, *, on: bool
) -> float:
    async with machines.running(machine), _scraped(machine, wanted=on or args.what == "tracing"):
        await measure(machine, receiver, rate=args.rate, seconds=3, first=first)
        report = await measure(
            machine, receiver, rate=args.rate, seconds=args.seconds, first=first + 100_000
        )
    assert report["lost"] == report["refused"] == 0, report
    return float(report["cpu_seconds_per_1000_deliveries"])


@asynccontextmanager
async def _scraped(machine: Machine, *, wanted: bool) -> AsyncIterator[None]:
    task = asyncio.create_task(_scrape(machine)) if wanted else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _scrape(machine: Machine) -> None:
    async with aiohttp.ClientSession() as session:
        while True:
            for name in SERVICES:
                async with session.get(f"{machines.url(machine, f'{name}_ops')}/metrics") as answer:
                    await answer.read()
            await asyncio.sleep(_SCRAPE_SECONDS)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.load.bench_tracing")
    parser.add_argument("--what", choices=sorted(GOALS), default="tracing")
    parser.add_argument("--bus", choices=("postgresql", "kafka"), default="postgresql")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--ratio", type=float, default=0.01)
    parser.add_argument("--rate", type=float, default=20, help="referrals per second")
    parser.add_argument("--seconds", type=float, default=20)
    args = parser.parse_args()
    with machines.prepared(args.bus) as machine:
        print(json.dumps(asyncio.run(run(args, machine)), indent=1))


if __name__ == "__main__":
    main()
