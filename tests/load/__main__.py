"""The load generator: `python -m tests.load [--bus kafka] [--rate 20] [--seconds 20]`.

Open-loop, fan-out 5, everything on. Latencies count from the intended send time and from the
answer; deliveries count by id; CPU seconds are those of the services, PostgreSQL and Kafka. Prints
JSON and a table. The receivers and the generator share the machine.
"""

import argparse
import asyncio
import json
import sys
from typing import Any

import psutil

from deploy.machine.machine import SERVICES, Machine
from tests.load.arguments import add_bus, between
from tests.load.costs import counters, cpu_seconds, per_referral
from tests.load.phone import calling
from tests.load.receiver import Receiver, listening
from tests.load.sides import ours, paced, told
from tests.support import machines


def main(args: argparse.Namespace) -> int:
    with machines.prepared(args.bus) as machine:
        report = asyncio.run(run(args, machine))
    print(json.dumps(report, indent=2))
    print(_table(report))
    return 0 if report["lost"] == 0 and report["refused"] == 0 else 1


async def run(args: argparse.Namespace, machine: Machine) -> dict[str, Any]:
    receiver = Receiver()
    async with listening(receiver, machine.ports.agencies), machines.running(machine):
        idle = await _idle(machine)
        await measure(machine, receiver, rate=5, seconds=3, first=0)
        report = await measure(
            machine, receiver, rate=args.rate, seconds=args.seconds, first=1_000_000
        )
    return {"bus": args.bus, "idle": idle, **report}


async def _idle(machine: Machine) -> dict[str, float]:
    """Memory and CPU of the four services while nothing happens, over ten seconds."""
    await asyncio.sleep(3)
    before = cpu_seconds(machine)
    await asyncio.sleep(10)
    after = cpu_seconds(machine)
    resident = sum(
        psutil.Process(machine.supervisor.pid(name)).memory_info().rss for name in SERVICES
    )
    spent = sum(after[name] - before[name] for name in SERVICES)
    return {"memory_mb": round(resident / 2**20), "cpu_percent_of_a_core": round(spent * 10, 2)}


async def measure(
    machine: Machine,
    receiver: Receiver,
    *,
    rate: float,
    seconds: float,
    first: int,
) -> dict[str, Any]:
    async with calling(machine) as send:
        side = ours(machine, receiver, send)
        counted = await counters(machine)
        run = await paced(side, rate=rate, seconds=seconds, first=first)
        work = per_referral(counted, await counters(machine), len(run.accepted))
        arrivals = await asyncio.to_thread(side.arrivals)
    return {
        "referrals_per_second": rate,
        "seconds": seconds,
        **told(run, arrivals),
        **{f"{short}_per_referral": each for short, each in work.items()},
    }


def _table(report: dict[str, Any]) -> str:
    rows = [
        (
            "accepted / refused / lost",
            f"{report['accepted']} / {report['refused']} / {report['lost']}",
        ),
        ("deliveries", f"{report['deliveries']}, {report['deliveries_per_second']} per second"),
        ("CPU seconds per 1,000 deliveries", report["cpu_seconds_per_1000_deliveries"]),
        ("CPU seconds of the generator", report["generator_cpu_seconds"]),
        (
            "idle",
            "{memory_mb} MB, {cpu_percent_of_a_core} % of a core".format(**report["idle"]),
        ),
    ]
    for name in ("cpu_ms_per_referral", "transactions_per_referral", "round_trips_per_referral"):
        each = "  ".join(f"{key} {value}" for key, value in report[name].items())
        rows.append((name.replace("_", " "), each))
    for name in ("answer_ms", "accepted_to_first_byte_ms", "intended_to_first_byte_ms"):
        spread = "  ".join(f"{key} {value}" for key, value in report[name].items())
        rows.append((name.replace("_", " ").replace(" ms", ", ms"), spread))
    return "\n" + "\n".join(f"  {what:<36}{value}" for what, value in rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    add_bus(parser)
    parser.add_argument("--rate", type=between(0.1, 1000), default=20, help="referrals per second")
    parser.add_argument("--seconds", type=between(1, 3600), default=20)
    sys.exit(main(parser.parse_args()))
