"""Intake's answers under load: `python -m tests.load.intake [--rate 100] [--seconds 20]`.

Open-loop referrals at a fixed rate, the other services running and doing their work on them. The
answer counts from the intended send time. Beside it stand the load average and how much of the
machine's CPU processes other than ours took: where others work too, read those first. The generator
and the receivers share the machine. Exit code 1 when a referral was refused.
"""

import argparse
import asyncio
import json
import os
import sys
from typing import Any

from deploy.machine.machine import Machine
from tests.load import openloop
from tests.load.arguments import add_bus, between
from tests.load.costs import busy_seconds, cpu_seconds, own_seconds
from tests.load.openloop import spread
from tests.load.phone import calling
from tests.load.receiver import Receiver, listening
from tests.support import machines

GOAL_MS = 50.0
_WARM_RATE, _WARM_SECONDS = 20.0, 5.0


def main(args: argparse.Namespace) -> int:
    with machines.prepared(args.bus) as machine:
        report = asyncio.run(run(args, machine))
    print(json.dumps(report, indent=2))
    return 1 if report["refused"] else 0


async def run(args: argparse.Namespace, machine: Machine) -> dict[str, Any]:
    async with (
        listening(Receiver(), machine.ports.agencies),
        machines.running(machine),
        calling(machine) as send,
    ):
        await openloop.run(send, rate=_WARM_RATE, seconds=_WARM_SECONDS, first=0)
        before, spent, own = busy_seconds(), cpu_seconds(machine), own_seconds()
        load = os.getloadavg()[0]
        sent = await openloop.run(send, rate=args.rate, seconds=args.seconds, first=1_000_000)
        after, generator = busy_seconds(), own_seconds() - own
        ours = cpu_seconds(machine)
    services = {name: round(ours[name] - spent[name], 2) for name in ours}
    others = max(0.0, after - before - sum(services.values()) - generator)
    answered = [each.answered_at - each.intended_at for each in sent if each.status == 201]
    return {
        "bus": args.bus,
        "referrals_per_second": args.rate,
        "seconds": args.seconds,
        "accepted": len(answered),
        "refused": len(sent) - len(answered),
        "answer_ms": spread(answered),
        "goal_p99_ms": GOAL_MS,
        "cores": os.cpu_count(),
        "load_average_before": round(load, 1),
        "load_average_after": round(os.getloadavg()[0], 1),
        "cpu_seconds": services | {"generator": round(generator, 2), "others": round(others, 2)},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.load.intake", description=__doc__)
    add_bus(parser)
    parser.add_argument("--rate", type=between(0.1, 1000), default=100, help="referrals per second")
    parser.add_argument("--seconds", type=between(1, 3600), default=20)
    sys.exit(main(parser.parse_args()))
