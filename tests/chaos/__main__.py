"""The kill harness: `python -m tests.chaos [--bus kafka] [--seconds 270] [--kills N]`.

Referrals and amendments flow while every process is killed at every named step or frozen and
woken, PostgreSQL and Kafka are killed and started, and agencies misbehave or fall silent. Then it
waits for quiet and counts by id. Exit code 0 only if nothing was lost, unrecorded, mixed up or out
of order, every breach was announced once, the log verifies, every named step was hit, every
service was woken from frost, and at least `--kills` kills happened.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp

from deploy.machine.machine import SERVICES, Machine
from services.audit.evidence import examine
from tests.chaos import (
    clocks,
    conflicts,
    ledgers,
    other_clocks,
    reckoning,
    record,
    report,
    stranger,
    withdrawals,
)
from tests.chaos.agencies import MoodyAgencies
from tests.chaos.caller import Caller
from tests.chaos.conflicts import Objector
from tests.chaos.diary import Diary
from tests.chaos.frost import Frost
from tests.chaos.monkey import Monkey
from tests.chaos.report import Findings
from tests.chaos.twins import add_twins
from tests.support import machines
from tests.support.databases import in_memory
from tests.support.reconciled import reconciled

_QUIET_WITHIN = 150.0
_SCOPES = (
    "referrals:create",
    "referrals:amend",
    "referrals:withdraw",
    "referrals:status",
    "conflicts:assert",
    "clocks:read",
    "audit:read",
)


@dataclass
class Run:
    """One run and those who take part in it."""

    args: argparse.Namespace
    machine: Machine
    agencies: MoodyAgencies
    caller: Caller
    objector: Objector
    diary: Diary
    monkey: Monkey
    frost: Frost
    session: aiohttp.ClientSession

    @property
    def export(self) -> Path:
        return self.machine.home.path / "export"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {machines.token(self.machine, *_SCOPES)}"}


def main(args: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="hartline-armed-") as armed:
        environment = {"HARTLINE_FAILPOINT_DIR": armed}
        # In memory: on a slow disk PostgreSQL's recovery would take up the whole run.
        with machines.prepared(
            args.bus, environment, keep=args.keep, within=in_memory()
        ) as machine:
            add_twins(machine)
            return asyncio.run(start(args, machine, Path(armed)))


async def start(args: argparse.Namespace, machine: Machine, armed: Path) -> int:
    agencies = MoodyAgencies(machine.home.agencies, args.seed)
    await agencies.start(machine.ports.agencies)
    diary = Diary()
    frost = Frost(machine, diary, args.seed)
    monkey = Monkey(machine, armed, diary, frost, args.seed)

    def token() -> str:
        return machines.token(machine, *_SCOPES)

    objector = Objector(machines.url(machine, "notify"), token, agencies.towns)
    intake = machines.url(machine, "intake")
    caller = Caller(intake, token, objector.object_to, withdrawals.cause_of)
    try:
        async with machines.running(machine), aiohttp.ClientSession() as session:
            run = Run(args, machine, agencies, caller, objector, diary, monkey, frost, session)
            findings = await storm(run)
    finally:
        await agencies.close()
    print(f"\nChaos over {args.bus}, seed {args.seed}:\n{report.table(diary, findings)}")
    return 0 if findings.nothing else 1


async def storm(run: Run) -> Findings:
    """Traffic, kills and frost together; then calm, and the reckoning."""
    began = time.time()
    until = began + run.args.seconds

    def say(words: str) -> None:
        if sys.stdout.isatty():
            print(f"\r{time.time() - began:4.0f} s  {words}", end="", flush=True)

    raging = asyncio.create_task(run.monkey.rage(until, say))
    creeping = asyncio.create_task(run.frost.creep(until))
    calls = await _traffic(run, until)
    await asyncio.gather(raging, creeping)
    run.agencies.calm = True
    print(f"\n{run.diary.kills.total()} kills; {len(calls)} calls; waiting for quiet …", flush=True)
    calm = time.time()
    refused = await _answered(calls)
    early = await _checkpoint(run)
    while time.time() - calm < _QUIET_WITHIN and reckoning.lost(
        withdrawals.due(run.caller.accepted), withdrawals.telling(run.agencies.arrivals)
    ):
        await asyncio.sleep(1)
    while not (findings := await _reckon(run, early)).nothing:
        if time.time() - calm > _QUIET_WITHIN:
            break
        await asyncio.sleep(3)
    findings.facts["quiet after, s"] = round(time.time() - calm)
    findings.wrong["calls never accepted"] = refused
    findings.wrong["not as signed, to a stranger"] = await stranger.disagrees(
        run.export, early, run.args.seed
    )
    _judge_the_harness(run, findings)
    return findings


async def _answered(calls: Sequence[asyncio.Task[None]]) -> list[str]:
    """Wait for the callers, who insist; why those that got no 2xx did not."""
    _, waiting = await asyncio.wait(calls, timeout=_QUIET_WITHIN)
    for call in waiting:
        call.cancel()
    ends = await asyncio.gather(*calls, return_exceptions=True)
    return [repr(end) for end in ends if end is not None]


async def _traffic(run: Run, until: float) -> list[asyncio.Task[None]]:
    calls: list[asyncio.Task[None]] = []
    while time.time() < until:
        calls.append(asyncio.create_task(run.caller.call(run.session, len(calls))))
        await asyncio.sleep(1 / run.args.rate)
    return calls


async def _checkpoint(run: Run) -> bytes:
    """A checkpoint that a stranger keeps, to hold the later export against."""
    while True:
        try:
            url = f"{machines.url(run.machine, 'audit')}/v1/checkpoint"
            async with run.session.get(url, headers=run.headers) as answer:
                if answer.status == 200:
                    return await answer.read()
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.3)


async def _reckon(run: Run, early: bytes) -> Findings:
    """Everything counted anew. What waits for something else yet counts as wrong."""
    await machines.export(run.machine, run.export)
    written = await ledgers.read(run.machine.postgres.superuser_dsn("hartline"))
    log, judged = ledgers.leaves(run.export), examine(run.export, early)
    shown = await _clocks(run)
    missing, compared = await reconciled(run.machine)
    accepted, arrivals = run.caller.accepted, run.agencies.arrivals
    if run.args.keep:
        kept = [asdict(arrival) for arrival in arrivals]
        (run.machine.home.path / "arrivals.json").write_text(json.dumps(kept))
    wrong = {
        "children not told": reckoning.lost(
            withdrawals.due(accepted), withdrawals.telling(arrivals)
        ),
        "withdrawals not heard of": withdrawals.unheard(accepted, arrivals),
        "withdrawals of nothing": withdrawals.needless(accepted, arrivals, written),
        "sent after its withdrawal": withdrawals.overtaken(arrivals),
        "told to police of another town": reckoning.misdirected(
            accepted, arrivals, run.agencies.towns
        ),
        "sent in spite of a conflict": conflicts.sent_all_the_same(run.objector.held, written),
        "another child in the copy": reckoning.mixed(accepted, withdrawals.telling(arrivals)),
        "out of order": reckoning.out_of_order(arrivals),
        "unverifiable notices": run.agencies.refused,
        "arrived before any record": record.unrecorded(arrivals, written),
        "recorded, not in the log": record.without_entry(written, log),
        "in the log, not recorded": record.without_record(written, log),
        "attempts without an outcome": record.unfinished(written),
        "outcomes that are not true": record.untrue(arrivals, written),
        "unknown without a cause": record.baseless(arrivals, written, run.diary),
        "clocks and breaches": clocks.faults(accepted, shown, written, arrivals)
        + other_clocks.faults(accepted, shown, written.announcements, arrivals),
        "log not as signed": judged.sentences,
        "missing by reconciliation": missing,
    }
    breaches = [each for each in written.announcements if not each.corrects]
    facts: dict[str, object] = {
        "referrals accepted": len(accepted),
        "children": sum(len(each.child_ids) for each in accepted),
        "retries by the caller": run.caller.retries,
        "conflicts asserted": len(run.objector.held),
        "referrals withdrawn": sum(each.withdrawn is not None for each in accepted),
        "notices arrived": len(arrivals),
        "attempts on record": len(written.attempts),
        "of them unknown": sum(each.kind == "unknown" for each in written.outcomes),
        "entries in the log": judged.entries,
        "compared by reconciliation": compared,
        "clocks": sum(map(len, shown.values())),
        "breached, once each": len({each.clock_id for each in breaches}),
        "of them corrected, once each": len(written.announcements) - len(breaches),
    }
    return Findings(wrong, facts)


async def _clocks(run: Run) -> clocks.Shown:
    shown: dict[str, list[dict[str, Any]]] = {}
    places, base = asyncio.Semaphore(8), machines.url(run.machine, "deadlines")

    async def ask(referral_id: str) -> None:
        url = f"{base}/v1/referrals/{referral_id}/clocks"
        # A process that is coming back yet shows nothing, which counts as wrong until it is there.
        with suppress(aiohttp.ClientError):
            async with places, run.session.get(url, headers=run.headers) as answer:
                if answer.status == 200:
                    shown[referral_id] = (await answer.json())["clocks"]

    await asyncio.gather(*(ask(each.referral_id) for each in run.caller.accepted))
    return shown


def _judge_the_harness(run: Run, findings: Findings) -> None:
    """A run that did not do what it is for has shown nothing."""
    lacking = run.args.kills - run.diary.kills.total()
    findings.wrong |= {
        "fail points never hit": sorted(run.monkey.missing),
        "services never woken from frost": [s for s in SERVICES if not run.diary.woken[s]],
        "kills too few": [f"{lacking} more were asked for"] if lacking > 0 else [],
        "conflicts too few": [] if run.objector.held else ["none at all"],
        "withdrawals too few": [
            cause
            for cause in (withdrawals.FALSE_REPORT, withdrawals.ENTERED_IN_ERROR)
            if not any(each.withdrawn == cause for each in run.caller.accepted)
        ],
        "breaches too few": [] if findings.facts["breached, once each"] else ["none at all"],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--bus", choices=("postgresql", "kafka"), default="postgresql")
    parser.add_argument("--seconds", type=float, default=270, help="of storm; then quiet")
    parser.add_argument("--rate", type=float, default=1.5, help="referrals per second")
    parser.add_argument("--kills", type=int, help="at least this many (default: 100; Kafka 20)")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and export")
    arguments = parser.parse_args()
    if arguments.kills is None:
        arguments.kills = 20 if arguments.bus == "kafka" else 100
    sys.exit(main(arguments))
