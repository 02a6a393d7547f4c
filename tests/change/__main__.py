"""A change under load: `python -m tests.change [--bus kafka] [--apart] [--rate 4] [--calm 20]`.

While referrals come in, every process of every service is replaced, a second one beside it first,
and a table or two of every schema are expanded, filled and contracted (docs/migrations.md). Counted
by id: what was accepted and not told, told twice, refused, answered with 5xx. Exit code 0 only if
all of that is none and the p95 from the answer to an agency's first byte is at most twice that of
the calm before.
"""

import argparse
import asyncio
import sys
import time
from contextlib import suppress
from pathlib import Path

from deploy.machine.machine import Machine
from tests.change import revisions, rolling, verdict
from tests.change.caller import Caller
from tests.change.rolling import Diary
from tests.change.verdict import Part, Seen
from tests.load.openloop import percentile
from tests.load.receiver import Receiver, listening
from tests.load.sides import FAN_OUT
from tests.support import machines
from tests.support.fleet import Fleet

GOAL = 2.0
_WARM_SECONDS = 4.0
_DRAIN_SECONDS = 60.0


def main(args: argparse.Namespace) -> int:
    with machines.prepared(args.bus, keep=args.keep) as machine:
        return asyncio.run(run(args, machine))


async def run(args: argparse.Namespace, machine: Machine) -> int:
    receiver, fleet, diary = Receiver(), Fleet(machine), Diary()
    async with listening(receiver, machine.ports.agencies):
        await fleet.open()
        try:
            print("Starting every process.", flush=True)
            await rolling.start_all(fleet, apart=args.apart)
            token = machines.token(machine, "referrals:create")
            caller = Caller(machines.url(machine, "intake"), token, args.rate)
            stop = asyncio.Event()
            calling = asyncio.create_task(caller.run(stop))
            try:
                parts = await _change(args, machine, fleet, diary)
            finally:
                stop.set()
                await calling
            await _drained(receiver, sum(bool(each.number) for each in caller.calls))
        finally:
            await fleet.close()
    return await asyncio.to_thread(_judge, machine.home.agencies, receiver, caller, parts, diary)


async def _change(
    args: argparse.Namespace, machine: Machine, fleet: Fleet, diary: Diary
) -> tuple[Part, Part]:
    await asyncio.sleep(_WARM_SECONDS)
    began = time.time()
    print(f"Calm for {args.calm:.0f} s.", flush=True)
    await asyncio.sleep(args.calm)
    changing = time.time()
    print("Change.", flush=True)
    with revisions.written(machine.dsns) as histories:
        await rolling.expand(histories, diary)
        await rolling.roll(fleet, args.beside, diary)
        await rolling.fill(machine.dsns, diary)
        await rolling.contract(histories, machine.dsns, diary)
    return Part("calm", began, changing), Part("change", changing, time.time())


async def _drained(receiver: Receiver, referrals: int) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while len(receiver.first_bytes) < referrals * FAN_OUT:
                await asyncio.sleep(0.05)
    # What would be told twice needs a moment to come.
    await asyncio.sleep(3.0)


def _judge(
    agencies: Path, receiver: Receiver, caller: Caller, parts: tuple[Part, Part], diary: Diary
) -> int:
    arrivals = receiver.arrivals(agencies)
    received = [notice for ids in receiver.taken.values() for notice in ids.elements()]
    seen = verdict.reckon(caller.calls, arrivals, received, FAN_OUT)
    found = {}
    print(f"\n  {'':<10}{'calls':>7}{'answer p95':>12}{'first byte p50':>16}{'p95':>9}{'max':>9}")
    for part in parts:
        calls = part.of(caller.calls)
        first = verdict.first_bytes(calls, arrivals)
        found[part.name] = verdict.p95_ms(first)
        half, most = percentile(first, 0.5) * 1000, max(first, default=0.0) * 1000
        print(
            f"  {part.name:<10}{len(calls):>7}{verdict.p95_ms(verdict.answers(calls)):>9.1f} ms"
            f"{half:>13.1f} ms{found[part.name]:>6.1f} ms{most:>6.0f} ms"
        )
    _slowest(caller, arrivals, parts[1], diary)
    ratio = found["change"] / max(found["calm"], 0.001)
    print(f"\n  p95 under change / p95 calm: {ratio:.2f} (goal: at most {GOAL})")
    print(f"  the slowest process took {diary.slowest_end:.1f} s from SIGTERM to its end\n")
    _print(seen, diary)
    well = seen.well and not diary.unruly and ratio <= GOAL
    print(f"\nchange: {'passed' if well else 'FAILED'}")
    return 0 if well else 1


def _slowest(caller: Caller, arrivals: dict[str, list[float]], part: Part, diary: Diary) -> None:
    """The worst waits, each with what had just been done: there the cause is looked for."""
    waits = sorted(
        (
            (max(arrivals[each.number]) - each.answered_at, each)
            for each in part.of(caller.calls)
            if each.number in arrivals
        ),
        key=lambda pair: -pair[0],
    )
    print("\n  slowest under change")
    for wait, call in waits[:8]:
        after = next((what for at, what in diary.lines if at > call.answered_at), "the end")
        print(f"    {wait * 1000:>7.0f} ms, {call.answered_at - part.begin:>6.1f} s; then: {after}")


def _print(seen: Seen, diary: Diary) -> None:
    rows: list[tuple[str, list[object]]] = [
        ("accepted and not told to everybody", [*seen.lost]),
        ("never accepted", [*seen.refused]),
        ("5xx seen by the caller", [each.statuses for each in seen.server_errors]),
        ("planned twice", [*seen.too_many]),
        ("told twice without need", [*seen.doubled]),
        ("processes that ended badly", [*diary.unruly]),
        ("(connections that ended, sent again)", [each.statuses for each in seen.unanswered]),
    ]
    for what, cases in rows:
        print(f"  {what:<40}{len(cases):>7}")
        for case in cases[:5]:
            print(f"      {case}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.change", description=__doc__)
    parser.add_argument("--bus", choices=("postgresql", "kafka"), default="postgresql")
    parser.add_argument("--apart", action="store_true", help="a process for every role")
    parser.add_argument("--rate", type=float, default=4, help="calls per second")
    parser.add_argument("--calm", type=float, default=20, help="seconds before the change")
    parser.add_argument("--beside", type=float, default=3, help="seconds side by side")
    parser.add_argument("--keep", action="store_true", help="keep the home with the logs")
    sys.exit(main(parser.parse_args()))
