"""Exports: exact figures leave as a file only when two people want it, and on record (P2).

One person asks, another approves; for a day the first one may then fetch it, each time counted anew
and each time a disclosure that is committed before the first byte.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from services.intake.digests import Digests, same_body
from services.intake.receiving import KeyReused
from services.intake.retrying import until_known
from services.intake.statistics import count_store, release_store, reports
from services.intake.statistics.disclosing import disclose
from services.intake.statistics.records import Disclosure, Export, ExportKind, Format
from services.intake.statistics.releasing import Releasing
from services.intake.statistics.tallying import Tallying
from services.intake.strict_json import canonical
from shared.messaging.outbox import Outbox
from shared.runtime.auth import Principal
from shared.runtime.db import Database, Session
from shared.runtime.ids import new_id
from shared.runtime.seen_text import same_person

log = structlog.get_logger()

APPROVAL_HOLDS = timedelta(hours=24)
AUTHORITY = {
    ExportKind.NCANDS_YEARLY: "42 USC 5106a(d): yearly counts of sex-trafficking victims",
    ExportKind.HART_MONTHLY: "DCF policy 21-14: HART data entered every month",
}
PURPOSE = {
    ExportKind.NCANDS_YEARLY: "federal yearly report",
    ExportKind.HART_MONTHLY: "HART monthly data",
}


@dataclass(frozen=True, slots=True)
class Asking:
    """A request for an export, not approved yet."""

    owner: str
    key: str
    body: object
    kind: ExportKind
    year: int
    month: int | None
    format: Format
    now: datetime


@dataclass(frozen=True, slots=True)
class SameHands:
    """Who asked cannot approve."""


@dataclass(frozen=True, slots=True)
class NotApproved:
    """Nobody else has approved it, or that was more than a day ago."""


@dataclass(frozen=True, slots=True)
class Content:
    """What was put on record and may be returned now."""

    text: str
    format: Format


class Exporting:
    """The units of work behind exports and exact reads."""

    def __init__(
        self,
        db: Database,
        outbox: Outbox,
        digests: Digests,
        tallying: Tallying,
        releasing: Releasing,
    ) -> None:
        self._db = db
        self._outbox = outbox
        self._digests = digests
        self._tallying = tallying
        self._releasing = releasing

    async def ask(self, asking: Asking) -> Export | KeyReused:
        """Keep the request; sent again with its key, it is the same one."""
        return await until_known(partial(self._ask, asking, new_id("exp")))

    async def _ask(self, asking: Asking, export_id: str) -> Export | KeyReused:
        keys = self._digests.request(asking.key.encode())
        bodies = self._digests.request(canonical(asking.body))
        async with self._db.transaction() as session:
            found = await release_store.find_export_key(session, asking.owner, keys)
            if found is None:
                export = Export(
                    export_id,
                    asking.kind,
                    asking.year,
                    asking.month,
                    asking.format,
                    asking.owner,
                    asking.now,
                )
                await release_store.insert_export(session, export, keys[0], bodies[0])
                return export
            if not same_body(found[0], bodies):
                return KeyReused()
            kept = await release_store.read_export(session, found[1])
            assert kept is not None
            return kept

    async def find(self, export_id: str) -> Export | None:
        async with self._db.transaction() as session:
            return await release_store.read_export(session, export_id)

    async def approve(self, export_id: str, who: str, now: datetime) -> Export | SameHands | None:
        """Approve it; an approval is given once, and repeating it changes nothing."""
        async with self._db.transaction() as session:
            export = await release_store.read_export(session, export_id)
            if export is None:
                return None
            if same_person(export.asked_by, who):
                return SameHands()
            await release_store.approve(session, export_id, who, now)
            return await release_store.read_export(session, export_id)

    async def fetch(
        self, export_id: str, reader: Principal, now: datetime
    ) -> Content | NotApproved | None:
        """The content, once it is on record as a disclosure. None to everybody but who asked."""
        export = await self.find(export_id)
        if export is None or export.asked_by != reader.subject:
            return None
        if export.approved_at is None or now > export.approved_at + APPROVAL_HOLDS:
            return NotApproved()
        await self._tallying.catch_up(now)
        return await until_known(partial(self._fetch, export, reader, now, new_id("dsc")))

    async def _fetch(
        self, export: Export, reader: Principal, now: datetime, disclosure_id: str
    ) -> Content:
        async with self._db.transaction() as session:
            names, text = await self._content(session, export)
            await self._record(session, disclosure_id, export, reader, now, names, text)
        log.info("statistics_exported", disclosure_id=disclosure_id, export_id=export.export_id)
        return Content(text, export.format)

    async def _content(self, session: Session, export: Export) -> tuple[Sequence[str], str]:
        first, end = period(export)
        if export.kind is ExportKind.NCANDS_YEARLY:
            found = await count_store.count_victims(session, first, end)
            return ("sex_trafficking_victims",), reports.ncands(export, found)
        tables = await self._releasing.count_month(session, first)
        return [table.name for table in tables], reports.monthly(export, tables)

    async def _record(
        self,
        session: Session,
        disclosure_id: str,
        export: Export,
        reader: Principal,
        now: datetime,
        names: Sequence[str],
        text: str,
    ) -> None:
        await disclose(
            session,
            self._outbox,
            Disclosure(
                disclosure_id=disclosure_id,
                export_id=export.export_id,
                kind=export.kind.value,
                actor=reader.subject,
                actor_kind="person" if reader.person else "service",
                approved_by=export.approved_by,
                authority=AUTHORITY[export.kind],
                purpose=PURPOSE[export.kind],
                tables=names,
                commitment=self._digests.commit(text.encode()),
                exported_at=now,
            ),
        )


def period(export: Export) -> tuple[int, int]:
    """The months of an export: a federal fiscal year begins in October of the year before."""
    if export.kind is ExportKind.NCANDS_YEARLY:
        return export.year * 12 - 3, export.year * 12 + 9
    assert export.month is not None
    first = export.year * 12 + export.month - 1
    return first, first + 1
