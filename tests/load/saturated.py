"""How many deliveries a second: `python -m tests.load.saturated [--referrals 2000]`.

Fan-out 5, everything on. Referrals are sent as fast as intake takes them, until what they cause is
delivered; deliveries count by id, and only authentic ones. The whole run, from the first request to
the last first byte, and its middle eight tenths. Says which program was the narrowest: a process is
one core. The receivers and the generator share the machine. Exit code 1 when anything was lost.
"""

import argparse
import asyncio
import sys
import time
from typing import Any

from deploy.machine.machine import Machine
from tests.load.arguments import add_bus, between, whole
from tests.load.costs import own_seconds, spent
from tests.load.goals import CPU_SECONDS, PER_SECOND
from tests.load.openloop import Sent, throughput
from tests.load.phone import burst, calling
from tests.load.receiver import Receiver, listening, until
from tests.load.reporting import say, show
from tests.load.sides import FAN_OUT, SETTLE_SECONDS, Side, lost, ours
from tests.support import machines

_WARM_REFERRALS = 50


def main(args: argparse.Namespace) -> int:
    with machines.prepared(args.bus) as machine:
        report = {"bus": args.bus, **asyncio.run(run(args, machine))}
    show(report, _rows(report))
    return 1 if report["lost"] or report["refused"] else 0


async def run(args: argparse.Namespace, machine: Machine) -> dict[str, Any]:
    receiver = Receiver()
    async with (
        listening(receiver, machine.ports.agencies),
        machines.running(machine),
        calling(machine) as send,
    ):
        say("the services are ready; warming up")
        return await saturate(ours(machine, receiver, send), args)


async def saturate(side: Side, args: argparse.Namespace) -> dict[str, Any]:
    """Warm up, then send `args.referrals`, `args.together` at a time."""
    receiver = side.receiver
    already = receiver.notices()
    await burst(side.send, _WARM_REFERRALS, together=8)
    await until(lambda: receiver.notices() >= already + _WARM_REFERRALS * FAN_OUT, args.within)
    await asyncio.sleep(SETTLE_SECONDS)
    say(f"sending {args.referrals} referrals, {args.together} at a time")
    already, before, own = receiver.notices(), side.cpu_seconds(), own_seconds()
    began = time.time()
    sent = await burst(side.send, args.referrals, together=args.together, first=1_000_000)
    accepted = [each for each in sent if each.status == 201]
    wanted = already + len(accepted) * FAN_OUT
    say(f"{len(accepted)} accepted; {receiver.notices() - already} notices have come")
    await until(
        lambda: receiver.notices() >= wanted,
        args.within,
        lambda: f"{receiver.notices() - already} notices of {wanted - already}",
    )
    ended = time.time()
    await asyncio.sleep(SETTLE_SECONDS)
    generator = {"generator": round(own_seconds() - own, 2)}
    programs = spent(before, side.cpu_seconds()) | generator
    say("verifying and opening what came")
    arrivals = await asyncio.to_thread(side.arrivals)
    return {
        "accepted": len(accepted),
        "refused": len(sent) - len(accepted),
        "lost": lost(accepted, arrivals),
        **_speed(accepted, arrivals, programs, began),
        "seconds": round(ended - began, 1),
        "cpu_seconds": programs,
    }


def _speed(
    accepted: list[Sent],
    arrivals: dict[str, list[float]],
    programs: dict[str, float],
    began: float,
) -> dict[str, Any]:
    delivered = [at for each in accepted for at in arrivals.get(each.reference, [])]
    answered = max((each.answered_at for each in accepted), default=began)
    cpu = sum(seconds for name, seconds in programs.items() if name != "generator")
    return {
        "deliveries": len(delivered),
        "deliveries_per_second": round(
            len(delivered) / (max(delivered, default=began + 1) - began), 1
        ),
        "deliveries_per_second_middle": throughput(delivered),
        "goal_deliveries_per_second": PER_SECOND.figure,
        "accepted_per_second": round(len(accepted) / max(answered - began, 0.001), 1),
        "cpu_seconds_per_1000_deliveries": round(1000 * cpu / max(len(delivered), 1), 2),
        "goal_cpu_seconds_per_1000_deliveries": CPU_SECONDS.figure,
    }


def _rows(report: dict[str, Any]) -> list[tuple[str, object]]:
    counts = "{accepted} / {refused} / {lost}".format(**report)
    fast = report["deliveries_per_second"]
    cpu = report["cpu_seconds_per_1000_deliveries"]
    middle = report["deliveries_per_second_middle"]
    shares = "  ".join(
        f"{name} {100 * seconds / report['seconds']:.0f} %"
        for name, seconds in report["cpu_seconds"].items()
    )
    return [
        ("accepted / refused / lost", counts),
        ("accepted per second", report["accepted_per_second"]),
        (
            "deliveries per second",
            f"{fast} ({middle} in the middle); goal {PER_SECOND.judged(fast)}",
        ),
        ("CPU seconds per 1,000 deliveries", f"{cpu}; goal {CPU_SECONDS.judged(cpu)}"),
        ("busy, of a core", shares),
    ]


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.load.saturated", description=__doc__)
    add_bus(parser)
    add_burst(parser)
    return parser


def add_burst(parser: argparse.ArgumentParser) -> None:
    """What `saturate` is told."""
    parser.add_argument("--referrals", type=whole(10, 100_000), default=2000)
    parser.add_argument("--together", type=whole(1, 1000), default=64, help="requests at a time")
    parser.add_argument(
        "--within", type=between(1, 3600), default=300, help="seconds to wait for deliveries"
    )


if __name__ == "__main__":
    sys.exit(main(arguments().parse_args()))
