"""The kill harness: `python -m tests.chaos [--bus kafka] [--seconds 300] [--kills N]`.

Referrals and amendments flow while every process is killed at every named step, PostgreSQL and
Kafka are killed and started, and agencies misbehave. Then it waits for quiet and counts by id.
Exit code 0 only if nothing was lost, unrecorded or out of order, the log verifies, and at least
`--kills` kills happened.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import aiohttp

from deploy.machine.home import Home, Ports
from deploy.machine.stack import SERVICES, Stack, wait_ready
from services.audit.evidence import examine
from tests.chaos import reckoning
from tests.chaos.agencies import MoodyAgencies
from tests.chaos.caller import Caller
from tests.chaos.monkey import Monkey

_QUIET_WITHIN = 150.0
_SCOPES = ("referrals:create", "referrals:amend", "referrals:status", "clocks:read", "audit:read")


async def main(args: argparse.Namespace) -> int:
    folder = Path(tempfile.mkdtemp(prefix="hartline-chaos-"))
    folder.chmod(0o711)
    stack = Stack(Home(folder), Ports.free(), args.bus)
    agencies: MoodyAgencies | None = None
    stop = asyncio.Event()
    try:
        await stack.prepare()
        armed = folder / "armed"
        armed.mkdir()
        supervisor = stack.supervisor({"HARTLINE_FAILPOINT_DIR": str(armed)}, agencies=False)
        agencies = MoodyAgencies(stack.home.agencies, args.seed)
        await agencies.start(stack.ports.agencies)
        running = asyncio.create_task(supervisor.run(stop))
        try:
            await wait_ready({name: stack.url(name) for name in SERVICES})
            monkey = Monkey(supervisor, armed, stack.postgres, stack.kafka, args.seed)
            return await storm(args, stack, agencies, monkey, folder)
        finally:
            stop.set()
            await running
    finally:
        if agencies is not None:
            await agencies.close()
        stack.close()
        if args.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


async def storm(
    args: argparse.Namespace, stack: Stack, agencies: MoodyAgencies, monkey: Monkey, folder: Path
) -> int:
    """Traffic and kills together; then calm, and the reckoning."""
    caller = Caller(stack.url("intake"), lambda: stack.issuer().token("phone", _SCOPES))
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
        early = await _checkpoint(stack, session)
        quiet = await _until_quiet(caller, agencies, stack, folder)
        clocks = await _unsatisfied(stack, session, caller)
    return _report(args, caller, agencies, monkey, stack, folder, early, quiet, clocks)


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


async def _checkpoint(stack: Stack, session: aiohttp.ClientSession) -> bytes:
    """A checkpoint that a stranger keeps, to hold the later export against."""
    headers = {"Authorization": f"Bearer {stack.issuer().token('stranger', ['audit:read'])}"}
    while True:
        try:
            url = f"{stack.url('audit')}/v1/checkpoint"
            async with session.get(url, headers=headers) as answer:
                if answer.status == 200:
                    return await answer.read()
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.3)


async def _until_quiet(
    caller: Caller, agencies: MoodyAgencies, stack: Stack, folder: Path
) -> float:
    """Seconds until everybody has the latest and the log knows every outcome; or the limit."""
    began = time.time()
    while time.time() - began < _QUIET_WITHIN:
        await asyncio.sleep(2)
        if reckoning.lost(caller.accepted, agencies.arrivals):
            continue
        log = await _log(stack, folder)
        if not reckoning.unfinished(log) and not reckoning.unrecorded(agencies.arrivals, log):
            break
    return time.time() - began


async def _log(stack: Stack, folder: Path) -> list[dict[str, Any]]:
    shutil.rmtree(folder / "export", ignore_errors=True)
    await stack.run("services.audit", "export", str(folder / "export"))
    return reckoning.leaves(folder / "export")


async def _unsatisfied(stack: Stack, session: aiohttp.ClientSession, caller: Caller) -> list[str]:
    """Referrals without a satisfied twelve-hour clock, though all was delivered."""
    headers = {"Authorization": f"Bearer {stack.issuer().token('operator', ['clocks:read'])}"}
    missing = []
    for referral in caller.accepted:
        url = f"{stack.url('deadlines')}/v1/referrals/{referral.referral_id}/clocks"
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
    stack: Stack,
    folder: Path,
    early: bytes,
    quiet: float,
    clocks: list[str],
) -> int:
    log = reckoning.leaves(folder / "export")
    judged = examine(folder / "export", early)
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
        (folder / "arrivals.json").write_text(json.dumps(arrivals))
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
    sys.exit(asyncio.run(main(arguments)))
