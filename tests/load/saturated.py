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
from tests.load.costs import cpu_seconds, own_seconds, spent
from tests.load.openloop import throughput
from tests.load.peers import Goal, add_peer
from tests.load.phone import burst, calling
from tests.load.receiver import Receiver, listening, until
from tests.load.reporting import say, show
from tests.support import machines

FAN_OUT = 5
PER_SECOND = Goal(1000.0, peer=2089.0, at_least=True)
CPU_SECONDS = Goal(2.0, peer=1.09)
SETTLE_SECONDS = 2.0
_WARM_REFERRALS = 50


def main(args: argparse.Namespace) -> int:
    with machines.prepared(args.bus) as machine:
        report = {"bus": args.bus, **asyncio.run(run(args, machine))}
    show(report, _rows(report, args))
    return 1 if report["lost"] or report["refused"] else 0


async def run(args: argparse.Namespace, machine: Machine) -> dict[str, Any]:
    receiver = Receiver()
    async with (
        listening(receiver, machine.ports.agencies),
        machines.running(machine),
        calling(machine) as send,
    ):
        say("the services are ready; warming up")
        await burst(send, _WARM_REFERRALS, together=8)
        await until(lambda: receiver.notices() >= _WARM_REFERRALS * FAN_OUT, args.within)
        await asyncio.sleep(SETTLE_SECONDS)
        say(f"sending {args.referrals} referrals, {args.together} at a time")
        already, before, own, began = (
            receiver.notices(),
            cpu_seconds(machine),
            own_seconds(),
            time.time(),
        )
        sent = await burst(send, args.referrals, together=args.together, first=1_000_000)
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
        programs = spent(before, cpu_seconds(machine)) | generator
    say("verifying and opening what came")
    arrivals = receiver.arrivals(machine.home.agencies)
    delivered = [at for each in accepted for at in arrivals.get(each.reference, [])]
    answered = max((each.answered_at for each in accepted), default=began)
    ours = sum(seconds for name, seconds in programs.items() if name != "generator")
    return {
        "accepted": len(accepted),
        "refused": len(sent) - len(accepted),
        "lost": sum(len(arrivals.get(each.reference, [])) < FAN_OUT for each in accepted),
        "deliveries": len(delivered),
        "deliveries_per_second": round(
            len(delivered) / (max(delivered, default=began + 1) - began), 1
        ),
        "deliveries_per_second_middle": throughput(delivered),
        "goal_deliveries_per_second": PER_SECOND.figure,
        "accepted_per_second": round(len(accepted) / max(answered - began, 0.001), 1),
        "cpu_seconds_per_1000_deliveries": round(1000 * ours / max(len(delivered), 1), 2),
        "goal_cpu_seconds_per_1000_deliveries": CPU_SECONDS.figure,
        "seconds": round(ended - began, 1),
        "cpu_seconds": programs,
    }


def _rows(report: dict[str, Any], args: argparse.Namespace) -> list[tuple[str, object]]:
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
            f"{fast} ({middle} in the middle); {PER_SECOND.judged(fast, args.peer_rate)}",
        ),
        (
            "CPU seconds per 1,000 deliveries",
            f"{cpu}; {CPU_SECONDS.judged(cpu, args.peer_cpu)}",
        ),
        ("busy, of a core", shares),
    ]


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.load.saturated", description=__doc__)
    add_bus(parser)
    parser.add_argument("--referrals", type=whole(10, 100_000), default=2000)
    parser.add_argument("--together", type=whole(1, 1000), default=64, help="requests at a time")
    parser.add_argument(
        "--within", type=between(1, 3600), default=300, help="seconds to wait for deliveries"
    )
    add_peer(parser, "--peer-rate", "deliveries per second")
    add_peer(parser, "--peer-cpu", "CPU seconds per 1,000 deliveries")
    return parser


if __name__ == "__main__":
    sys.exit(main(arguments().parse_args()))
