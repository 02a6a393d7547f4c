"""Does more of it do more? `python -m tests.load.bench_scale [--workers 1 2 4] [--rate 20]`.

Each round runs so many processes of every service side by side over Kafka, each with every role,
sends the same referrals, and prints throughput, latencies, CPU per referral, and what sharing
costs: leases lost, events received twice. On a machine whose cores are full already the throughput
cannot grow; CPU per referral must not either.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import asyncpg
import psutil
from prometheus_client.parser import text_string_to_metric_families

from deploy.machine.machine import Machine
from tests.change.caller import Call, Caller
from tests.change.rolling import start_all
from tests.load.openloop import percentile
from tests.load.receiver import Receiver, listening
from tests.load.sides import FAN_OUT
from tests.support import machines
from tests.support.fleet import Fleet

_WARM_SECONDS = 4.0
_IDLE_SECONDS = 8.0
_DRAIN_SECONDS = 90.0
_SETTLE_SECONDS = 2.0
_COUNTED = {
    "leases lost": "hartline_leases_lost_total",
    "received twice": "hartline_events_duplicate_total",
    "leadership lost": "hartline_relay_leadership_lost_total",
    "transactions": "hartline_database_transactions_total",
    "round trips": "hartline_database_round_trips_total",
}


@dataclass(frozen=True)
class Round:
    workers: int
    accepted: int
    lost: int
    per_second: float
    """Deliveries, from the first call to the last arrival."""
    answer_ms: Mapping[str, float]
    first_byte_ms: Mapping[str, float]
    cpu_ms: Mapping[str, float]
    """Per referral, of all processes of the same kind, PostgreSQL and Kafka."""
    idle_percent: Mapping[str, float]
    """Of a core, while nothing happens."""
    beyond_idle_ms: float
    """CPU per referral, without what would have been spent in that time on nothing."""
    counted: Mapping[str, float]
    """Per referral."""
    kilobytes: float
    """On disk, per referral, with everything that is pruned later."""
    memory_mb: float
    started_s: float
    """How long the last process of every kind took to start, one after the other; 0 with one."""


def main(args: argparse.Namespace) -> int:
    rounds = []
    for workers in args.workers:
        with machines.prepared(args.bus) as machine:
            rounds.append(asyncio.run(one(args, machine, workers)))
        print(json.dumps(rounds[-1].__dict__), flush=True)
    print(
        f"\n{os.cpu_count()} cores, {args.bus}, {args.rate:g} referrals/s for {args.seconds:g} s\n"
    )
    print(table(rounds))
    return 1 if any(each.lost for each in rounds) else 0


async def one(args: argparse.Namespace, machine: Machine, workers: int) -> Round:
    receiver, fleet = Receiver(), Fleet(machine)
    async with listening(receiver, machine.ports.agencies):
        await fleet.open()
        joined = 0.0
        try:
            for number in range(workers):
                began = time.monotonic()
                await start_all(fleet, apart=args.apart)
                joined = time.monotonic() - began if number else 0.0
            await _call(machine, receiver, rate=5, seconds=_WARM_SECONDS)
            await asyncio.sleep(_SETTLE_SECONDS)
            idle = await _idle(machine, fleet)
            counted, spent = await _counters(fleet), _cpu(machine, fleet)
            stored = await _stored(machine)
            began = time.time()
            calls = await _call(machine, receiver, rate=args.rate, seconds=args.seconds)
            await asyncio.sleep(_SETTLE_SECONDS)
            took = time.time() - began
            after, now = await _counters(fleet), _cpu(machine, fleet)
            stored = await _stored(machine) - stored
            memory = sum(
                psutil.Process(each.process.pid).memory_info().rss for each in fleet.instances
            )
        finally:
            await fleet.close()
    arrivals = await asyncio.to_thread(receiver.arrivals, machine.home.agencies)
    accepted = [each for each in calls if each.number]
    delivered = [at for each in accepted for at in arrivals.get(each.number, [])]
    per = 1 / max(len(accepted), 1)
    return Round(
        workers=workers,
        accepted=len(accepted),
        lost=len(calls) * FAN_OUT - len(delivered),
        per_second=round(len(delivered) / (max(delivered, default=began + 1) - began), 1),
        answer_ms=_spread([each.answered_at - each.intended_at for each in accepted]),
        first_byte_ms=_spread(
            [at - each.answered_at for each in accepted for at in arrivals.get(each.number, [])]
        ),
        cpu_ms={name: round(1000 * per * (now[name] - spent[name]), 1) for name in spent},
        idle_percent={name: round(100 * each, 1) for name, each in idle.items()},
        beyond_idle_ms=round(
            1000 * per * sum(now[name] - spent[name] - took * idle[name] for name in spent), 1
        ),
        counted={name: round(per * (after[name] - counted[name]), 2) for name in counted},
        kilobytes=round(per * stored / 1000, 1),
        memory_mb=round(memory / 2**20),
        started_s=round(joined, 1),
    )


async def _call(machine: Machine, receiver: Receiver, *, rate: float, seconds: float) -> list[Call]:
    """Open-loop, over connections of which half are new; returns once all has arrived."""
    token = machines.token(machine, "referrals:create")
    caller, stop = Caller(machines.url(machine, "intake"), token, rate), asyncio.Event()
    already, calling = len(receiver.first_bytes), asyncio.create_task(caller.run(stop))
    await asyncio.sleep(seconds)
    stop.set()
    await calling
    wanted = already + sum(bool(each.number) for each in caller.calls) * FAN_OUT
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while len(receiver.first_bytes) < wanted:
                await asyncio.sleep(0.05)
    return caller.calls


async def _idle(machine: Machine, fleet: Fleet) -> dict[str, float]:
    """CPU seconds per second, by program."""
    before = _cpu(machine, fleet)
    await asyncio.sleep(_IDLE_SECONDS)
    after = _cpu(machine, fleet)
    return {name: (after[name] - before[name]) / _IDLE_SECONDS for name in after}


async def _stored(machine: Machine) -> int:
    connection = await asyncpg.connect(machine.postgres.superuser_dsn("hartline"))
    try:
        size: int = await connection.fetchval("SELECT pg_database_size(current_database())")
    finally:
        await connection.close()
    return size


def _cpu(machine: Machine, fleet: Fleet) -> dict[str, float]:
    spent: dict[str, float] = {}
    for each in fleet.instances:
        spent[each.name] = spent.get(each.name, 0.0) + each.cpu_seconds()
    servers = {"postgresql": machine.postgres.pid}
    if machine.kafka is not None:
        servers["kafka"] = machine.kafka.pid
    for name, pid in servers.items():
        assert pid is not None
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        spent[name] = sum(sum(each.cpu_times()[:2]) for each in family)
    return spent


async def _counters(fleet: Fleet) -> dict[str, float]:
    found = dict.fromkeys(_COUNTED, 0.0)
    async with aiohttp.ClientSession() as session:
        for each in fleet.instances:
            async with session.get(f"http://127.0.0.1:{each.ops}/metrics") as answer:
                families = text_string_to_metric_families(await answer.text())
            samples = {s.name: s.value for family in families for s in family.samples}
            for name, metric in _COUNTED.items():
                found[name] += samples[metric]
    return found


def _spread(seconds: list[float]) -> dict[str, float]:
    shares = (("p50", 0.5), ("p95", 0.95), ("max", 1.0))
    return {name: round(percentile(seconds, share) * 1000, 1) for name, share in shares}


def table(rounds: list[Round]) -> str:
    rows: list[tuple[str, list[Any]]] = [
        ("processes of each service", [each.workers for each in rounds]),
        ("accepted / notices missing", [f"{each.accepted} / {each.lost}" for each in rounds]),
        ("deliveries per second", [each.per_second for each in rounds]),
        ("  against one", [f"{each.per_second / rounds[0].per_second:.2f}" for each in rounds]),
        ("answer p95, ms", [each.answer_ms["p95"] for each in rounds]),
        ("answer to first byte p50, ms", [each.first_byte_ms["p50"] for each in rounds]),
        ("answer to first byte p95, ms", [each.first_byte_ms["p95"] for each in rounds]),
        ("CPU ms per referral", [round(sum(each.cpu_ms.values()), 1) for each in rounds]),
    ]
    rows += [(f"  {name}", [each.cpu_ms[name] for each in rounds]) for name in rounds[0].cpu_ms]
    rows += [
        ("  beyond idling", [each.beyond_idle_ms for each in rounds]),
        ("idle, % of a core", [round(sum(each.idle_percent.values()), 1) for each in rounds]),
    ]
    rows += [(f"{name} per referral", [each.counted[name] for each in rounds]) for name in _COUNTED]
    rows += [
        ("database kB per referral", [each.kilobytes for each in rounds]),
        ("memory of the services, MB", [f"{each.memory_mb:.0f}" for each in rounds]),
        ("the last of each started in, s", [each.started_s for each in rounds]),
    ]
    return "\n".join(
        f"  {what:<34}" + "".join(f"{value!s:>14}" for value in values) for what, values in rows
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.load.bench_scale", description=__doc__)
    parser.add_argument("--bus", choices=("postgresql", "kafka"), default="kafka")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--apart", action="store_true", help="a process for every role")
    parser.add_argument("--rate", type=float, default=20, help="referrals per second")
    parser.add_argument("--seconds", type=float, default=15)
    sys.exit(main(parser.parse_args()))
