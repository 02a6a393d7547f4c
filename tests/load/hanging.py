"""One of five partners hangs: `python -m tests.load.hanging [--pairs 3] [--rate 20]`.

It accepts the connection and never answers. What the other four wait, from intake's answer to their
first byte, with it and without it: pairs of runs in one invocation, the order changing from pair to
pair. Between runs the partner answers again until it has every notice that it had missed. Latencies
count by id, and only of authentic notices. Exit code 1 when a notice was lost, or the ratio is over
the goal.
"""

import argparse
import asyncio
import statistics
import sys
from dataclasses import dataclass, field
from typing import Any

from deploy.machine.machine import Machine
from tests.load import openloop
from tests.load.arguments import add_bus, between, whole
from tests.load.openloop import Send, Sent, percentile, spread
from tests.load.phone import agency_of_kind, calling
from tests.load.receiver import Arrival, Receiver, listening, path_of, until
from tests.load.reporting import say, show, verdict
from tests.load.wire import Request, Respond
from tests.support import machines

FAN_OUT = 5
GOAL_RATIO = 1.2
KINDS = ("fbi", "chief_states_attorney", "hart_lead_statewide")
"""Partners that get every referral, whatever its town."""
_COUNTS = ("accepted", "refused", "lost")
_OTHERS_SECONDS = 120.0
_SETTLE_SECONDS = 2.0
_NOT_NOW = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Hanging(Receiver):
    """One of its partners can be made to hang."""

    _hung: bytes | None = None
    _unanswered: list[Respond] = field(default_factory=list)

    def take(self, request: Request, respond: Respond) -> None:
        if request.path == self._hung:
            self._unanswered.append(respond)
        else:
            super().take(request, respond)

    def hang(self, agency_id: str) -> None:
        """From now on this agency accepts the connection and never answers."""
        self._hung = path_of(agency_id)

    def answer_again(self) -> None:
        self._hung = None
        while self._unanswered:
            self._unanswered.pop()(_NOT_NOW)


@dataclass(frozen=True, slots=True)
class Run:
    """One run: what the other four waited, in seconds."""

    hung: bool
    waits: tuple[float, ...]
    accepted: int
    refused: int
    lost: int

    @property
    def p95(self) -> float:
        return percentile(list(self.waits), 0.95)


def main(args: argparse.Namespace) -> int:
    with machines.prepared(args.bus) as machine:
        runs = asyncio.run(run(args, machine))
    report = {"bus": args.bus, "partner": args.partner, "rate": args.rate, **summary(runs)}
    show(report, _rows(report))
    good = not report["lost"] and not report["refused"] and report["ratio_p95"] <= GOAL_RATIO
    return 0 if good else 1


async def run(args: argparse.Namespace, machine: Machine) -> list[Run]:
    receiver, partner = Hanging(), agency_of_kind(machine, args.partner)
    runs: list[Run] = []
    async with (
        listening(receiver, machine.ports.agencies),
        machines.running(machine),
        calling(machine) as send,
    ):
        one = _Runs(machine, receiver, partner, send, args)
        say("the services are ready; warming up")
        await one.run(hung=False, first=0, seconds=5)
        for pair in range(args.pairs):
            for place, hung in enumerate((False, True) if pair % 2 == 0 else (True, False)):
                first = 1_000_000 * (1 + 2 * pair + place)
                runs.append(await one.run(hung=hung, first=first, seconds=args.seconds))
    return runs


@dataclass(frozen=True)
class _Runs:
    machine: Machine
    receiver: Hanging
    partner: str
    send: Send
    args: argparse.Namespace

    async def run(self, *, hung: bool, first: int, seconds: float) -> Run:
        what = f"{self.args.partner} hangs" if hung else "all five answer"
        say(f"{what}: {self.args.rate:g} referrals/s for {seconds:g} s")
        everybody = self.receiver.notices()
        others = self.receiver.notices(but=self.partner)
        if hung:
            self.receiver.hang(self.partner)
        sent = await openloop.run(self.send, rate=self.args.rate, seconds=seconds, first=first)
        accepted = [each for each in sent if each.status == 201]
        others += len(accepted) * (FAN_OUT - 1)
        await until(lambda: self.receiver.notices(but=self.partner) >= others, _OTHERS_SECONDS)
        self.receiver.answer_again()
        await self._all_here(everybody + len(accepted) * FAN_OUT)
        arrivals = await asyncio.to_thread(self.receiver.opened, self.machine.home.agencies)
        return Run(
            hung,
            tuple(waits(accepted, arrivals, but=self.partner)),
            len(accepted),
            len(sent) - len(accepted),
            sum(len(arrivals.get(each.reference, {})) < FAN_OUT for each in accepted),
        )

    async def _all_here(self, wanted: int) -> None:
        """Until the partner has what it had missed, and what follows that is done."""
        await until(
            lambda: self.receiver.notices() >= wanted,
            self.args.within,
            lambda: f"{wanted - self.receiver.notices()} notices are still missing",
        )
        await asyncio.sleep(_SETTLE_SECONDS)


def waits(
    accepted: list[Sent], arrivals: dict[str, dict[str, Arrival]], *, but: str
) -> list[float]:
    """Seconds from the answer to the first byte at every agency but one, one per notice."""
    return [
        arrival.at - each.answered_at
        for each in accepted
        for arrival in arrivals.get(each.reference, {}).values()
        if arrival.agency_id != but
    ]


def ratio(with_it: float, without: float) -> float:
    """Of two latencies. A notice that beats its own answer counts as a tenth of a millisecond."""
    return round(max(with_it, 0.0001) / max(without, 0.0001), 3)


def summary(runs: list[Run]) -> dict[str, Any]:
    """`runs` in pairs, each with one run of either kind. The ratio is of all runs together."""
    hung = [wait for each in runs if each.hung for wait in each.waits]
    fine = [wait for each in runs if not each.hung for wait in each.waits]
    ratios = []
    for pair in range(0, len(runs), 2):
        by_kind = {each.hung: each.p95 for each in runs[pair : pair + 2]}
        ratios.append(ratio(by_kind[True], by_kind[False]))
    return {
        "accepted": sum(each.accepted for each in runs),
        "refused": sum(each.refused for each in runs),
        "lost": sum(each.lost for each in runs),
        "others_without_ms": spread(fine),
        "others_with_ms": spread(hung),
        "ratio_p95": ratio(percentile(hung, 0.95), percentile(fine, 0.95)),
        "goal_ratio": GOAL_RATIO,
        "ratio_p95_of_each_pair": ratios,
        "ratio_p95_median_of_pairs": round(statistics.median(ratios), 3),
    }


def _rows(report: dict[str, Any]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = [("the other four, ms", "p50", "p95", "p99", "max")]
    for what, name in (("all answer", "others_without_ms"), ("one hangs", "others_with_ms")):
        rows.append((what, *report[name].values()))
    met = verdict(report["ratio_p95"] <= GOAL_RATIO)
    pairs = ", ".join(map(str, report["ratio_p95_of_each_pair"]))
    rows.append(("ratio of p95", report["ratio_p95"], f"goal ≤ {GOAL_RATIO}", met, f"of {pairs}"))
    rows.append(("accepted, refused, lost", *(report[name] for name in _COUNTS), ""))
    return rows


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.load.hanging", description=__doc__)
    add_bus(parser)
    parser.add_argument("--rate", type=between(0.1, 1000), default=20, help="referrals per second")
    parser.add_argument("--seconds", type=between(1, 3600), default=20, help="of each run")
    parser.add_argument("--pairs", type=whole(1, 100), default=3)
    parser.add_argument("--partner", choices=KINDS, default=KINDS[0], help="who hangs")
    parser.add_argument(
        "--within", type=between(1, 3600), default=300, help="seconds to wait for its backlog"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(arguments().parse_args()))
