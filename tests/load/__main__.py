"""The load generator: `python -m tests.load [--bus kafka] [--rate 20] [--seconds 20]`.

Open-loop, fan-out 5, everything on. Latencies count from the intended send time and from the
answer; deliveries count by id; CPU seconds are those of the services, PostgreSQL and Kafka. Prints
JSON and a table. The receivers and the generator share the machine.
"""

import argparse
import asyncio
import json
import resource
import secrets
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from deploy.machine.machine import SERVICES, Machine
from deploy.machine.samples import private_keys
from deploy.machine.webhooks import Opened, open_notice, parse_public_key
from tests.load import openloop, referrals
from tests.load.openloop import Sent, percentile
from tests.support import machines

FAN_OUT = 5
_DRAIN_SECONDS = 120.0
_SETTLE_SECONDS = 1.5
"""Until what follows a delivery (outcomes, clocks, the log) is done, so that its CPU counts."""
_COUNTED = {
    "transactions": "hartline_database_transactions_total",
    "round_trips": "hartline_database_round_trips_total",
}


@dataclass
class Receiver:
    """Answers 200 at once and keeps what came, to be verified and opened after the run."""

    first_bytes: dict[str, float] = field(default_factory=dict)
    kept: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    async def receive(self, request: web.Request) -> web.Response:
        at = time.time()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.first_bytes.setdefault(headers["webhook-id"], at)
        self.kept.append((request.match_info["agency_id"], headers, await request.read()))
        return web.Response()

    async def ready(self, _: web.Request) -> web.Response:
        return web.Response()

    def arrivals(self, folder: Path) -> dict[str, list[float]]:
        """Referral number → when each of its notices arrived. Raises on one that is not ours."""
        keys = private_keys(folder)
        senders = [parse_public_key(line) for line in (folder / "senders.txt").read_text().split()]
        found: dict[str, dict[str, float]] = {}
        for agency_id, headers, body in self.kept:
            now = float(headers["webhook-timestamp"])
            opened = open_notice(headers, body, agency_id, keys[agency_id], senders, now)
            assert isinstance(opened, Opened), opened
            notices = found.setdefault(opened.form["referral_number"], {})
            notices[opened.notice_id] = self.first_bytes[opened.notice_id]
        return {number: sorted(times.values()) for number, times in found.items()}


def cpu_seconds(machine: Machine) -> dict[str, float]:
    """CPU seconds so far, by program; PostgreSQL with the backends that live."""
    pids = {name: machine.supervisor.pid(name) for name in SERVICES} | {
        "postgresql": machine.postgres.pid
    }
    if machine.kafka is not None:
        pids["kafka"] = machine.kafka.pid
    spent = {}
    for name, pid in pids.items():
        assert pid is not None
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        spent[name] = sum(sum(each.cpu_times()[:2]) for each in family)
    return spent


def main(args: argparse.Namespace) -> int:
    with machines.prepared(args.bus) as machine:
        report = asyncio.run(run(args, machine))
    print(json.dumps(report, indent=2))
    print(_table(report))
    return 0 if report["lost"] == 0 and report["refused"] == 0 else 1


async def run(args: argparse.Namespace, machine: Machine) -> dict[str, Any]:
    receiver = Receiver()
    runner = await _listen(receiver, machine.ports.agencies)
    try:
        async with machines.running(machine):
            idle = await _idle(machine)
            await _measure(machine, receiver, rate=5, seconds=3, first=0)
            report = await _measure(
                machine, receiver, rate=args.rate, seconds=args.seconds, first=1_000_000
            )
    finally:
        await runner.cleanup()
    return {"bus": args.bus, "idle": idle, **report}


async def _listen(receiver: Receiver, port: int) -> web.AppRunner:
    app = web.Application(client_max_size=8 * 1024 * 1024)
    app.router.add_post("/agency/{agency_id}", receiver.receive)
    app.router.add_get("/readyz", receiver.ready)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


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


async def _measure(
    machine: Machine,
    receiver: Receiver,
    *,
    rate: float,
    seconds: float,
    first: int,
) -> dict[str, Any]:
    token = machines.token(machine, "referrals:create")
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        connector=connector, headers={"Authorization": f"Bearer {token}"}
    ) as session:

        async def send(number: int) -> tuple[int, str]:
            async with session.post(
                f"{machines.url(machine, 'intake')}/v1/referrals",
                json=referrals.body(number),
                headers={"Idempotency-Key": secrets.token_hex(16)},
            ) as answer:
                body = await answer.json()
                return answer.status, body.get("number", "")

        already = len(receiver.first_bytes)
        counted = await _counters(machine)
        before = cpu_seconds(machine)
        own = resource.getrusage(resource.RUSAGE_SELF)
        began = time.time()
        sent = await openloop.run(send, rate=rate, seconds=seconds, first=first)
        accepted = [each for each in sent if each.status == 201]
        await _drained(receiver, already + len(accepted) * FAN_OUT)
        await asyncio.sleep(_SETTLE_SECONDS)
        after = cpu_seconds(machine)
        ownafter = resource.getrusage(resource.RUSAGE_SELF)
        work = _per_referral(counted, await _counters(machine), len(accepted))
        arrivals = await asyncio.to_thread(receiver.arrivals, machine.home.agencies)
    delivered = [time_ for each in accepted for time_ in arrivals.get(each.reference, [])]
    deliveries = len(delivered)
    spent = {name: after[name] - before[name] for name in after}
    return {
        "referrals_per_second": rate,
        "seconds": seconds,
        "accepted": len(accepted),
        "refused": len(sent) - len(accepted),
        "lost": sum(len(arrivals.get(each.reference, [])) < FAN_OUT for each in accepted),
        "deliveries": deliveries,
        "deliveries_per_second": round(deliveries / (max(delivered, default=began + 1) - began), 1),
        "answer_ms": _spread([each.answered_at - each.intended_at for each in accepted]),
        "accepted_to_first_byte_ms": _spread(_latencies(accepted, arrivals, "answered_at")),
        "intended_to_first_byte_ms": _spread(_latencies(accepted, arrivals, "intended_at")),
        "cpu_seconds_per_1000_deliveries": round(
            1000 * sum(spent.values()) / max(deliveries, 1), 2
        ),
        "cpu_ms_per_referral": {
            name: round(1000 * value / max(len(accepted), 1), 1) for name, value in spent.items()
        },
        **{f"{short}_per_referral": each for short, each in work.items()},
        "generator_cpu_seconds": round(ownafter.ru_utime - own.ru_utime, 2),
    }


async def _drained(receiver: Receiver, wanted: int) -> None:
    """Wait until so many notices have arrived, or for two minutes. They are verified and opened
    afterwards: that takes a while and is nobody's latency."""
    deadline = time.time() + _DRAIN_SECONDS
    while time.time() < deadline and len(receiver.first_bytes) < wanted:
        await asyncio.sleep(0.05)


async def _counters(machine: Machine) -> dict[str, dict[str, float]]:
    """What each service has counted so far of its work with the database."""
    found: dict[str, dict[str, float]] = {}
    async with aiohttp.ClientSession() as session:
        for name in SERVICES:
            port = getattr(machine.ports, f"{name}_ops")
            async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                families = text_string_to_metric_families(await answer.text())
            samples = {each.name: each.value for family in families for each in family.samples}
            found[name] = {short: samples[metric] for short, metric in _COUNTED.items()}
    return found


def _per_referral(
    before: dict[str, dict[str, float]], after: dict[str, dict[str, float]], referrals: int
) -> dict[str, dict[str, float]]:
    return {
        short: {
            name: round((after[name][short] - before[name][short]) / max(referrals, 1), 1)
            for name in SERVICES
        }
        for short in _COUNTED
    }


def _latencies(accepted: list[Sent], arrivals: dict[str, list[float]], since: str) -> list[float]:
    """One per delivery, negative ones (a notice that beat its own answer) as they are."""
    return [
        at - getattr(each, since) for each in accepted for at in arrivals.get(each.reference, [])
    ]


def _spread(seconds: list[float]) -> dict[str, float]:
    return {
        name: round(percentile(seconds, share) * 1000, 1)
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))
    }


def _table(report: dict[str, Any]) -> str:
    rows = [
        (
            "accepted / refused / lost",
            f"{report['accepted']} / {report['refused']} / {report['lost']}",
        ),
        ("deliveries", f"{report['deliveries']}, {report['deliveries_per_second']} per second"),
        ("CPU seconds per 1,000 deliveries", report["cpu_seconds_per_1000_deliveries"]),
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
    parser.add_argument("--bus", choices=("postgresql", "kafka"), default="postgresql")
    parser.add_argument("--rate", type=float, default=20, help="referrals per second")
    parser.add_argument("--seconds", type=float, default=20)
    sys.exit(main(parser.parse_args()))
