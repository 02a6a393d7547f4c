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
import resource
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import psutil
from aiohttp import web

from deploy.machine.machine import Machine
from tests.load import openloop, referrals
from tests.load.__main__ import Receiver, cpu_seconds
from tests.load.openloop import Sent, percentile
from tests.support import machines

GOAL_MS = 50.0
_WARM_RATE, _WARM_SECONDS = 20.0, 5.0


def main(args: argparse.Namespace) -> int:
    with machines.prepared(args.bus) as machine:
        report = asyncio.run(run(args, machine))
    print(json.dumps(report, indent=2))
    return 1 if report["refused"] else 0


async def run(args: argparse.Namespace, machine: Machine) -> dict[str, Any]:
    async with _agencies(machine.ports.agencies), machines.running(machine):
        token = machines.token(machine, "referrals:create")
        headers = {"Authorization": f"Bearer {token}"}
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
            await _send(session, machine, _WARM_RATE, _WARM_SECONDS, first=0)
            before, spent, own = psutil.cpu_times(), cpu_seconds(machine), _own_seconds()
            load = os.getloadavg()[0]
            sent = await _send(session, machine, args.rate, args.seconds, first=1_000_000)
            after = psutil.cpu_times()
            ours = cpu_seconds(machine)
    services = {name: round(ours[name] - spent[name], 2) for name in ours}
    busy = _busy(after) - _busy(before)
    own_seconds = _own_seconds() - own
    others = max(0.0, busy - sum(services.values()) - own_seconds)
    seconds = [each.answered_at - each.intended_at for each in sent if each.status == 201]
    return {
        "bus": args.bus,
        "referrals_per_second": args.rate,
        "seconds": args.seconds,
        "accepted": len(seconds),
        "refused": len(sent) - len(seconds),
        "answer_ms": {
            name: round(percentile(seconds, share) * 1000, 1)
            for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))
        },
        "goal_p99_ms": GOAL_MS,
        "cores": os.cpu_count(),
        "load_average_before": round(load, 1),
        "load_average_after": round(os.getloadavg()[0], 1),
        "cpu_seconds": services | {"generator": round(own_seconds, 2), "others": round(others, 2)},
    }


async def _send(
    session: aiohttp.ClientSession, machine: Machine, rate: float, seconds: float, *, first: int
) -> list[Sent]:
    url = f"{machines.url(machine, 'intake')}/v1/referrals"

    async def send(number: int) -> tuple[int, str]:
        key = {"Idempotency-Key": secrets.token_hex(16)}
        async with session.post(url, json=referrals.body(number), headers=key) as answer:
            return answer.status, (await answer.json()).get("number", "")

    return await openloop.run(send, rate=rate, seconds=seconds, first=first)


@asynccontextmanager
async def _agencies(port: int) -> AsyncIterator[None]:
    """They take every notice, so that the other services have their whole work."""
    receiver = Receiver()
    app = web.Application(client_max_size=8 * 1024 * 1024)
    app.router.add_post("/agency/{agency_id}", receiver.receive)
    app.router.add_get("/readyz", receiver.ready)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield
    finally:
        await runner.cleanup()


def _busy(times: Any) -> float:
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def _own_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.load.intake", description=__doc__)
    parser.add_argument("--bus", choices=("postgresql", "kafka"), default="postgresql")
    parser.add_argument("--rate", type=float, default=100, help="referrals per second")
    parser.add_argument("--seconds", type=float, default=20)
    sys.exit(main(parser.parse_args()))
