"""Ours and a peer in turns: `python -m tests.load.beside --peer /path/to/webhookx [--rounds 2]`.

The peer is WebhookX, a program that its own README tells how to build, with Debian's `redis-server`
and PostgreSQL from our wheel with our settings (see `tests.load.webhookx`). Each round starts each
side anew, in an order that changes from round to round, and does to it what `python -m tests.load`
and `tests.load.saturated` do to ours: the same generator, the same kind of receivers, fan-out 5.
The peer's body has 3 kB; ours is a form that is padded to 4 kB, and sealed. Deliveries count by id,
and only authentic ones; CPU is that of all programs of a side, its servers too. Figures are the
medians of the rounds. A goal is judged as it stands, and as the ratio to the peer that it was where
it was set. Where others took much of the machine, read nothing from it. Exit code 1 when ours lost
or refused anything.
"""

import argparse
import asyncio
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.load import peer_calls, saturated, webhookx
from tests.load.arguments import between, whole
from tests.load.costs import busy_seconds, own_seconds
from tests.load.goals import CPU_SECONDS, FIRST_BYTE_P95_MS, PER_SECOND, Goal
from tests.load.phone import calling
from tests.load.receiver import Receiver, listening
from tests.load.reporting import say, show
from tests.load.sides import Side, ours, paced, told
from tests.load.webhookx import Peer, Programs
from tests.support import machines

PEER, OURS = "WebhookX", "Hartline"
Report = dict[str, Any]
"""Of one side in one round: at each rate, and saturated."""


@dataclass(frozen=True)
class Metric:
    name: str
    read: Callable[[Report], float]
    goal: Goal | None = None


def _at(rate: int, since: str) -> Callable[[Report], float]:
    return lambda report: float(report[f"at_{rate}"][f"{since}_to_first_byte_ms"]["p95"])


def _saturated(name: str) -> Callable[[Report], float]:
    return lambda report: float(report["saturated"][name])


_RUNS = (*(f"at_{rate}" for rate in FIRST_BYTE_P95_MS), "saturated")
_COUNTS = ("accepted", "refused", "lost")
_NONE = ("",) * 4
METRICS = (
    Metric("deliveries/s, the whole run", _saturated("deliveries_per_second"), PER_SECOND),
    Metric("deliveries/s, its middle", _saturated("deliveries_per_second_middle"), PER_SECOND),
    Metric(
        "CPU s per 1,000 deliveries", _saturated("cpu_seconds_per_1000_deliveries"), CPU_SECONDS
    ),
    *(
        Metric(f"p95 ms to the first byte, {rate}/s", _at(rate, "intended"), goal)
        for rate, goal in FIRST_BYTE_P95_MS.items()
    ),
    *(
        Metric(f"the same from the answer, {rate}/s", _at(rate, "accepted"))
        for rate in FIRST_BYTE_P95_MS
    ),
    Metric("cores that others took", lambda report: float(report["cores_of_others"])),
)


def main(args: argparse.Namespace, programs: Programs) -> int:
    sides: dict[str, Callable[[], Report]] = {
        PEER: lambda: _measure_peer(args, programs),
        OURS: lambda: _measure_ours(args),
    }
    peer = _version(programs)
    rounds: list[dict[str, Report]] = []
    for number in range(args.rounds):
        order = list(sides) if number % 2 == 0 else list(reversed(sides))
        found = {}
        for name in order:
            say(f"round {number + 1} of {args.rounds}: {name}")
            found[name] = sides[name]()
            say("; ".join(f"{each.name}: {each.read(found[name]):.4g}" for each in METRICS))
        rounds.append(found)
    show({"peer": peer, "rounds": rounds}, rows(rounds))
    return 1 if _total("lost", rounds, OURS) or _total("refused", rounds, OURS) else 0


def _measure_ours(args: argparse.Namespace) -> Report:
    async def measure() -> Report:
        receiver = Receiver()
        async with (
            listening(receiver, machine.ports.agencies),
            machines.running(machine),
            calling(machine) as send,
        ):
            return await _measured(ours(machine, receiver, send), args)

    with machines.prepared("postgresql") as machine:
        return asyncio.run(measure())


def _measure_peer(args: argparse.Namespace, programs: Programs) -> Report:
    async def measure(peer: Peer) -> Report:
        receiver = peer_calls.Endpoints()
        async with (
            listening(receiver, peer.ports.receivers),
            peer_calls.calling(peer.ports.proxy) as send,
        ):
            await peer_calls.taken(send)
            side = Side(send, receiver, peer.cpu_seconds, lambda: receiver.signed(peer.secret))
            return await _measured(side, args)

    with webhookx.running(programs) as peer:
        return asyncio.run(measure(peer))


async def _measured(side: Side, args: argparse.Namespace) -> Report:
    """The rates first: what saturation leaves behind (vacuum, write-back) is nobody's latency."""
    began, others = time.monotonic(), _others(side)
    await paced(side, rate=5, seconds=3, first=0)
    report: Report = {}
    for place, rate in enumerate(FIRST_BYTE_P95_MS, start=2):
        say(f"{rate}/s for {args.seconds:g} s")
        run = await paced(side, rate=rate, seconds=args.seconds, first=place * 1_000_000)
        report[f"at_{rate}"] = told(run, await asyncio.to_thread(side.arrivals))
    report["saturated"] = await saturated.saturate(side, args)
    others = (_others(side) - others) / (time.monotonic() - began)
    return report | {"cores_of_others": round(others, 2)}


def _others(side: Side) -> float:
    """CPU seconds so far of what is neither the side's nor the generator's; of the host's, too."""
    return busy_seconds() - own_seconds() - sum(side.cpu_seconds().values())


def _version(programs: Programs) -> str:
    return subprocess.check_output([str(programs.webhookx), "version"], text=True).strip()


def rows(rounds: list[dict[str, Report]]) -> list[tuple[object, ...]]:
    return [
        ("", PEER, OURS, "ratio", "its goal", "goal", "ratio of each round"),
        *(_row(metric, rounds) for metric in METRICS),
        *(
            (what, *(_total(what, rounds, name) for name in (PEER, OURS)), *_NONE)
            for what in _COUNTS
        ),
    ]


def _row(metric: Metric, rounds: list[dict[str, Report]]) -> tuple[object, ...]:
    each = [(metric.read(found[PEER]), metric.read(found[OURS])) for found in rounds]
    peer, own = (statistics.median(figures) for figures in zip(*each, strict=True))
    shown = (metric.name, f"{peer:.4g}", f"{own:.4g}")
    if metric.goal is None:
        return (*shown, *_NONE)
    return (
        *shown,
        _ratio(peer, own),
        metric.goal.beside(own, peer),
        metric.goal.judged(own),
        ", ".join(_ratio(*pair) for pair in each),
    )


def _ratio(peer: float, own: float) -> str:
    return f"{own / peer:.3g}" if peer > 0 else ""


def _total(what: str, rounds: list[dict[str, Report]], name: str) -> int:
    return sum(found[name][run][what] for found in rounds for run in _RUNS)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.load.beside", description=__doc__)
    parser.add_argument("--peer", type=_program, required=True, help="the program of WebhookX")
    parser.add_argument("--rounds", type=whole(1, 100), default=2)
    parser.add_argument("--seconds", type=between(1, 3600), default=15, help="at each rate")
    saturated.add_burst(parser)
    return parser


def _program(text: str) -> Path:
    found = shutil.which(Path(text).absolute())
    if found is None:
        raise argparse.ArgumentTypeError(
            f"{text} is no program: build WebhookX as its README tells, and give the path"
        )
    return Path(found)


def redis(parser: argparse.ArgumentParser) -> Path:
    found = shutil.which("redis-server")
    if found is None:
        parser.error("redis-server is missing: apt-get install redis-server, and stop its service")
    return Path(found)


if __name__ == "__main__":
    asked = arguments()
    given = asked.parse_args()
    sys.exit(main(given, Programs(given.peer, redis(asked))))
