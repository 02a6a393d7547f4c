"""The change itself: expand, roll every process with a second one beside it, fill, contract."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from deploy.machine.bootstrap import SchemaDsns
from services.audit.__main__ import ROLES as AUDIT
from services.deadlines.__main__ import ROLES as DEADLINES
from services.intake.__main__ import ROLES as INTAKE
from services.notify.__main__ import ROLES as NOTIFY
from tests.change import revisions
from tests.change.revisions import COLUMN, CONTRACTED, EXPANDED, TABLES, Histories
from tests.support.fleet import Ended, Fleet, Instance

ROLES = {"intake": INTAKE, "notify": NOTIFY, "deadlines": DEADLINES, "audit": AUDIT}


@dataclass
class Diary:
    """What was done, and when (time.time())."""

    lines: list[tuple[float, str]] = field(default_factory=list)
    unruly: list[str] = field(default_factory=list)
    """Processes that did not end by themselves with 0."""
    slowest_end: float = 0.0

    def note(self, line: str) -> None:
        self.lines.append((time.time(), line))
        print(f"    {line}", flush=True)

    def ended(self, instance: Instance, ended: Ended) -> None:
        self.slowest_end = max(self.slowest_end, ended.seconds)
        if ended.code != 0:
            self.unruly.append(f"{instance.name}: {ended.code}")


async def start_all(fleet: Fleet, *, apart: bool) -> None:
    for service, roles in ROLES.items():
        for chosen in [(role,) for role in roles] if apart else [()]:
            await fleet.start(service, chosen)


async def expand(histories: Histories, diary: Diary) -> None:
    for schema in TABLES:
        await histories.upgrade(schema, EXPANDED)
        diary.note(f"{schema}: {COLUMN} and its index in {' and '.join(TABLES[schema])}")


async def roll(fleet: Fleet, beside: float, diary: Diary) -> None:
    """Each process in turn: another of the same kind first, both for a while, then the old one's
    SIGTERM."""
    for old in list(fleet.instances):
        began = time.monotonic()
        await fleet.start(old.service, old.roles)
        ready = time.monotonic() - began
        await asyncio.sleep(beside)
        ended = await fleet.end(old)
        diary.ended(old, ended)
        diary.note(
            f"{old.name}: second ready after {ready:.1f} s, both for {beside:.0f} s, "
            f"the first ended in {ended.seconds:.1f} s"
        )


async def fill(dsns: Mapping[str, SchemaDsns], diary: Diary) -> None:
    for schema, tables in TABLES.items():
        counts = [await revisions.backfill(dsns[schema].owner, schema, each) for each in tables]
        filled = ", ".join(f"{count} of {name}" for count, name in zip(counts, tables, strict=True))
        diary.note(f"{schema}: filled {filled}")


async def contract(histories: Histories, dsns: Mapping[str, SchemaDsns], diary: Diary) -> None:
    for schema, tables in TABLES.items():
        await histories.upgrade(schema, CONTRACTED)
        for table in tables:
            if await revisions.column_is_there(dsns[schema].owner, schema, table):
                diary.unruly.append(f"{schema}.{table} still has {COLUMN}")
        diary.note(f"{schema}: contracted")
