"""Does it stay as it is? `python -m tests.load.soak [--minutes 10] [--rate 5]`.

Open-loop referrals at a modest rate, everything on. Every ten seconds: resident memory of each
process (of PostgreSQL what its processes do not share), file descriptors, and how much waits in
outboxes, inboxes and on the way to agencies. At the end the slope of each after the first third,
flat or not by the rule that is printed, and every notice counted by id. Exit code 1 when something
grew, or was lost or refused, or still waits when all has come.
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

import asyncpg

from deploy.machine import bootstrap
from deploy.machine.machine import Machine
from shared.runtime.db import plain_dsn
from tests.load import openloop
from tests.load.arguments import add_bus, between
from tests.load.flatness import RULE, Judged, judge
from tests.load.openloop import Sent, spread
from tests.load.phone import calling
from tests.load.receiver import Receiver, listening, until
from tests.load.reporting import say, show
from tests.load.watching import FLOORS, Series
from tests.support import machines

FAN_OUT = 5
WARM_UP_SHARE = 1 / 3
_LATE_SECONDS = 120.0
_QUIET_SECONDS = 30.0


def main(parser: argparse.ArgumentParser) -> int:
    args = parser.parse_args()
    if args.minutes * 60 * (1 - WARM_UP_SHARE) < 3 * args.every:
        parser.error("too short: three samples must fall into the last two thirds")
    with machines.prepared(args.bus) as machine:
        report = {"bus": args.bus, **asyncio.run(run(args, machine))}
    show(report, _rows(report))
    print(f"\n  {RULE}; floors {FLOORS}.\n  {report['verdict']}")
    return 0 if report["verdict"] == "flat" else 1


async def run(args: argparse.Namespace, machine: Machine) -> dict[str, Any]:
    receiver = Receiver()
    async with (
        listening(receiver, machine.ports.agencies),
        machines.running(machine),
        calling(machine) as send,
        _superuser(machine) as connection,
    ):
        say(f"{args.rate:g} referrals/s for {args.minutes:g} minutes")
        series = Series()
        load = asyncio.create_task(
            openloop.run(send, rate=args.rate, seconds=args.minutes * 60, first=0)
        )
        while not load.done():
            await series.sample(machine, connection)
            _tell(series, receiver)
            await asyncio.wait({load}, timeout=args.every)
        sent = await load
        accepted = [each for each in sent if each.status == 201]
        wanted = len(accepted) * FAN_OUT
        await until(lambda: receiver.notices() >= wanted, _LATE_SECONDS)
        left = await _left(machine, connection)
    say("verifying and opening what came")
    arrivals = receiver.arrivals(machine.home.agencies)
    report = {
        **summary(series, args.minutes * 60 * WARM_UP_SHARE),
        **counted(sent, accepted, arrivals, left),
    }
    return report | {"verdict": judgement(report)}


def summary(series: Series, warm_up: float) -> dict[str, Any]:
    judged = {
        key: judge(points, warm_up=warm_up, floor=FLOORS[key[0]])
        for key, points in series.points.items()
    }
    return {
        "warm_up_seconds": round(warm_up),
        "rule": RULE,
        "floors": FLOORS,
        "series": {f"{name}, {unit}": asdict(each) for (unit, name), each in judged.items()},
        "growing": [f"{name}, {unit}" for (unit, name), each in judged.items() if not each.flat],
    }


def counted(
    sent: list[Sent],
    accepted: list[Sent],
    arrivals: dict[str, list[float]],
    left: dict[str, float],
) -> dict[str, Any]:
    return {
        "accepted": len(accepted),
        "refused": len(sent) - len(accepted),
        "lost": sum(len(arrivals.get(each.reference, [])) < FAN_OUT for each in accepted),
        "accepted_to_first_byte_ms": spread(
            [at - each.answered_at for each in accepted for at in arrivals.get(each.reference, [])]
        ),
        "left_waiting": left,
    }


async def _left(machine: Machine, connection: Any) -> dict[str, float]:
    """What still waits when all has come and half a minute has passed; most often nothing."""
    after = Series()
    while True:
        await after.sample(machine, connection)
        left = {name: count for name, count in after.latest("waiting").items() if count}
        if not left or after.elapsed() > _QUIET_SECONDS:
            return left
        await asyncio.sleep(0.5)


@asynccontextmanager
async def _superuser(machine: Machine) -> AsyncIterator[Any]:
    dsn = bootstrap.in_database(machine.postgres.superuser_dsn(), bootstrap.DATABASE)
    connection = await asyncpg.connect(plain_dsn(dsn))
    try:
        yield connection
    finally:
        await connection.close()


def _tell(series: Series, receiver: Receiver) -> None:
    memory = "  ".join(f"{name} {value:.1f}" for name, value in series.latest("MB").items())
    files = "/".join(f"{value:.0f}" for value in series.latest("files").values())
    waiting = sum(series.latest("waiting").values())
    say(f"MB: {memory}; files {files}; waiting {waiting:.0f}; notices {receiver.notices()}")


def _rows(report: dict[str, Any]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = [("after warm-up", "first", "last", "most", "per hour", "")]
    for name, each in report["series"].items():
        judged = Judged(**each)
        word = "flat" if judged.flat else "GROWS"
        rows.append((name, judged.first, judged.last, judged.most, judged.per_hour, word))
    return rows


def judgement(report: dict[str, Any]) -> str:
    """`flat`, or all that is wrong, in words."""
    wrong = [f"{name} grows" for name in report["growing"]]
    wrong += [f"{report[what]} {what}" for what in ("refused", "lost") if report[what]]
    wrong += [f"{count:g} left in {name}" for name, count in report["left_waiting"].items()]
    return "; ".join(wrong) or "flat"


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.load.soak", description=__doc__)
    add_bus(parser)
    parser.add_argument("--minutes", type=between(1, 24 * 60), default=10)
    parser.add_argument("--rate", type=between(0.1, 200), default=5, help="referrals per second")
    parser.add_argument("--every", type=between(1, 60), default=10, help="seconds between samples")
    return parser


if __name__ == "__main__":
    sys.exit(main(arguments()))
