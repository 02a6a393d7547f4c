"""The kill harness: `python -m tests.chaos [--bus kafka] [--seconds 300] [--kills N]`.

Referrals and amendments flow while every process is killed at every named step, PostgreSQL and
Kafka are killed and started, and agencies misbehave. Then it waits for quiet and counts by id.
Exit code 0 only if nothing was lost, unrecorded or out of order, the log verifies, and at least
`--kills` kills happened.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import aiohttp

from deploy.machine.machine import Machine
from services.audit.evidence import examine
from tests.chaos import reckoning
from tests.chaos.agencies import MoodyAgencies
from tests.chaos.caller import Caller
from tests.chaos.monkey import Monkey
from tests.support import machines

_QUIET_WITHIN = 150.0
_SCOPES = ("referrals:create", "referrals:amend", "referrals:status", "clocks:read", "audit:read")


def main(args: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="hartline-armed-") as armed:
        environment = {"HARTLINE_FAILPOINT_DIR": armed}
        with machines.prepared(args.bus, environment, keep=args.keep) as machine:
            return asyncio.run(run(args, machine, Path(armed)))


async def run(args: argparse.Namespace, machine: Machine, armed: Path) -> int:
    agencies = MoodyAgencies(machine.home.agencies, args.seed)
    await agencies.start(machine.ports.agencies)
    try:
        async with machines.running(machine):
            monkey = Monkey(machine, armed, args.seed)
            return await storm(args, machine, agencies, monkey)
    finally:
        await agencies.close()


async def storm(
    args: argparse.Namespace, machine: Machine, agencies: MoodyAgencies, monkey: Monkey
) -> int:
    """Traffic and kills together; then calm, and the reckoning."""
    caller = Caller(machines.url(machine, "intake"), lambda: machines.token(machine, *_SCOPES))
    until = time.time() + args.seconds
    started = time.time()

    def say(words: str) -> None:
        if sys.stdout.isatty():
            print(f"\r{time.time() - started:4.0f} s  {words}", end="", flush=True)

    async with aiohttp.ClientSession() as session:
        raging = asyncio.create_task(monkey.rage(until, say))
        calls = await _traffic(caller, session, args.rate, until)
        await raging
        agencies.calm = True
        print(f"\n{monkey.kills.total()} kills; {len(calls)} calls; waiting for quiet …")
        await asyncio.wait_for(asyncio.gather(*calls), _QUIET_WITHIN)
        early = await _checkpoint(machine, session)
        quiet = await _until_quiet(caller, agencies, machine)
        clocks = await _unsatisfied(machine, session, caller)
    return _report(args, caller, agencies, monkey, machine, early, quiet, clocks)


async def _traffic(
    caller: Caller, session: aiohttp.ClientSession, rate: float, until: float
) -> list[asyncio.Task[None]]:
    calls = []
    number = 0
    while time.time() < until:
        amend = number % 3 == 0
        calls.append(asyncio.create_task(caller.call(session, number, amend=amend)))
        number += 1
        await asyncio.sleep(1 / rate)
    return calls


async def _checkpoint(machine: Machine, session: aiohttp.ClientSession) -> bytes:
    """A checkpoint that a stranger keeps, to hold the later export against."""
    headers = {"Authorization": f"Bearer {machines.token(machine, 'audit:read')}"}
    while True:
        try:
            url = f"{machines.url(machine, 'audit')}/v1/checkpoint"
            async with session.get(url, headers=headers) as answer:
                if answer.status == 200:
                    return await answer.read()
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.3)


async def _until_quiet(caller: Caller, agencies: MoodyAgencies, machine: Machine) -> float:
    """Seconds until everybody has the latest and the log knows every outcome; or the limit."""
    began = time.time()
    while time.time() - began < _QUIET_WITHIN:
        await asyncio.sleep(2)
        if reckoning.lost(caller.accepted, agencies.arrivals):
            continue
        await machines.export(machine, _export(machine))
        log = reckoning.leaves(_export(machine))
        if not reckoning.unfinished(log) and not reckoning.unrecorded(agencies.arrivals, log):
            break
    return time.time() - began


def _export(machine: Machine) -> Path:
    return machine.home.path / "export"


async def _unsatisfied(
    machine: Machine, session: aiohttp.ClientSession, caller: Caller
) -> list[str]:
    """Referrals without a satisfied twelve-hour clock, though all was delivered."""
    headers = {"Authorization": f"Bearer {machines.token(machine, 'clocks:read')}"}
    missing = []
    for referral in caller.accepted:
        url = f"{machines.url(machine, 'deadlines')}/v1/referrals/{referral.referral_id}/clocks"
        async with session.get(url, headers=headers) as answer:
            clocks = (await answer.json()).get("clocks", []) if answer.status == 200 else []
        if not clocks or any(clock["state"] != "satisfied" for clock in clocks):
            missing.append(referral.number)
    return missing


def _report(
    args: argparse.Namespace,
    caller: Caller,
    agencies: MoodyAgencies,
    monkey: Monkey,
    machine: Machine,
    early: bytes,
    quiet: float,
    clocks: list[str],
) -> int:
    log = reckoning.leaves(_export(machine))
    judged = examine(_export(machine), early)
    wrong = {
        "lost": reckoning.lost(caller.accepted, agencies.arrivals),
        "unrecorded": reckoning.unrecorded(agencies.arrivals, log),
        "falsely recorded as not sent": reckoning.false_not_sent(agencies.arrivals, log),
        "without an outcome": reckoning.unfinished(log),
        "out of order": reckoning.out_of_order(agencies.arrivals),
        "unverifiable notices": agencies.refused,
        "log not as signed": judged.sentences,
        "clocks not satisfied": clocks,
    }
    print(f"\nKilled over {args.bus}, seed {args.seed}:")
    for what, times in sorted(monkey.kills.items()):
        print(f"  {times:4d}  {what}")
    kinds = Counter(leaf["kind"] for leaf in log)
    print(f"\n{len(caller.accepted)} referrals accepted ({caller.retries} retries by the caller)")
    print(f"{len(agencies.arrivals)} notices arrived; quiet after {quiet:.0f} s")
    print(f"log: {judged.entries} entries, {json.dumps(kinds)}")
    for what, cases in wrong.items():
        print(f"  {len(cases):4d}  {what}" + "".join(f"\n          {case}" for case in cases[:5]))
    enough = monkey.kills.total() >= args.kills
    if not enough:
        print(f"only {monkey.kills.total()} kills; {args.kills} were asked for")
    if args.keep:
        arrivals = [asdict(arrival) for arrival in agencies.arrivals]
        (machine.home.path / "arrivals.json").write_text(json.dumps(arrivals))
    return 0 if enough and not any(wrong.values()) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--bus", choices=("postgresql", "kafka"), default="postgresql")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--rate", type=float, default=2, help="referrals per second")
    parser.add_argument("--kills", type=int, help="at least this many (default: 100; Kafka 20)")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and export")
    arguments = parser.parse_args()
    if arguments.kills is None:
        arguments.kills = 20 if arguments.bus == "kafka" else 100
    sys.exit(main(arguments))
