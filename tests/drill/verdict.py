"""After the page: everything counted by id, until nothing is wrong or the time is over."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime

from services.audit.cosignature import parse_witness_vkey
from services.audit.evidence import examine
from services.audit.note import parse_vkey
from tests.chaos import ledgers, reckoning, record
from tests.chaos.report import Findings
from tests.drill import losses, restored
from tests.drill.night import Night
from tests.support import machines
from tests.support.reconciled import reconciled

_QUIET_WITHIN = 90.0
_SHOWN = 5


async def reckon(night: Night) -> Findings:
    """Raises nothing for what is wrong: it is in the findings, case by case."""
    deadline = time.time() + _QUIET_WITHIN
    while not (findings := await _once(night)).nothing and time.time() < deadline:
        await asyncio.sleep(1)
    night.at.zero = time.time()
    return findings


async def _once(night: Night) -> Findings:
    assert night.restored is not None
    assert night.received is not None
    assert night.admitted is not None
    machine, phone = night.site.elsewhere, night.phone
    export = machine.home.path / "export"
    await machines.export(machine, export)
    written = await ledgers.read(machine.postgres.superuser_dsn("hartline"))
    log = ledgers.leaves(export)
    keys = [parse_vkey(key) for key in night.keys]
    judged = examine(
        export,
        night.admitted.read_bytes(),
        keys,
        [parse_witness_vkey(night.site.witness.vkey)],
    )
    missing, compared = await reconciled(machine)
    later, calls = night.arrived(night.at.released), phone.latest()
    since = [each for each in written.attempts if each.at > night.at.lost]
    unrecorded = record.unrecorded(later, replace(written, attempts=since))
    numbers = losses.renumbered(night.lost, phone.acknowledged)
    wrong = {
        "referrals lost for good": [old for old, new in numbers.items() if new is None],
        "calls never acknowledged": phone.unanswered() + phone.refused,
        "children not told": reckoning.lost(calls, night.agencies.arrivals),
        "told, and not told again on the record": losses.uncovered(
            night.received.unrecorded, later
        ),
        "sent while held": [
            each.notice_id for each in night.arrived(night.at.restarted, night.at.released)
        ],
        "arrived before any record": unrecorded,
        "attempts without an outcome": record.unfinished(written),
        "recorded, not in the log": record.without_entry(written, log),
        "in the log, not recorded": record.without_record(written, log),
        "subjects parked": await restored.parked(machine.postgres.superuser_dsn("hartline")),
        "log not as signed": judged.sentences,
        "missing by reconciliation": missing,
    }
    facts: dict[str, object] = {
        "calls": phone.calls,
        "acknowledged, then lost, healed": len(night.lost),
        "notices sent after the release": len(later),
        "entries in the log": judged.entries,
        "compared by reconciliation": compared,
    }
    return Findings(wrong, facts)


def table(night: Night, findings: Findings) -> str:
    assert night.restored is not None
    at, point = night.at, night.restored.point.timestamp()
    seconds = {
        "recovery point: lost": at.lost - point,
        "recovery time: calls answered": at.open - at.lost,
        "the record goes on": at.sealing - at.lost,
        "notices leave": at.released - at.lost,
        "all told, reconciled to zero": at.zero - at.lost,
    }
    lines = [f"Restored as of {datetime.fromtimestamp(point, UTC):%Y-%m-%d %H:%M:%S} UTC"]
    lines += [f"  {what:<40}{value:>7.1f} s" for what, value in seconds.items()]
    lines += ["", *(f"  {what:<40}{value!s:>7}" for what, value in findings.facts.items())]
    lines += ["", "  must be none"]
    for what, cases in findings.wrong.items():
        lines.append(f"  {what:<40}{len(cases):>7}")
        lines += [f"      {case}" for case in cases[:_SHOWN]]
    return "\n".join(lines)
