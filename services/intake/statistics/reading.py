"""Exact tables on a screen, for the role that may see them; each read is on record first (P2)."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from services.intake.digests import Digests
from services.intake.retrying import until_known
from services.intake.statistics import answers, count_store
from services.intake.statistics.disclosing import disclose
from services.intake.statistics.records import Disclosure
from services.intake.statistics.releasing import Releasing, Restatement
from services.intake.statistics.tables import Table
from services.intake.statistics.tallying import Tallying
from services.intake.strict_json import canonical
from shared.messaging.outbox import Outbox
from shared.runtime.auth import Principal
from shared.runtime.db import Database
from shared.runtime.ids import new_id

KIND = "exact_tables"
AUTHORITY = "DCF policy 21-14: data oversight of the HART Director"
PURPOSE = "oversight"


class Reading:
    """The units of work behind the routes of exact figures."""

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

    async def year(self, year: int, reader: Principal, now: datetime) -> Sequence[Table]:
        """A year's exact tables, once the read is on record."""
        await self._tallying.catch_up(now)
        return await until_known(
            partial(self._year, year, reader, now, new_id("dsc"), new_id("exp"))
        )

    async def _year(
        self, year: int, reader: Principal, now: datetime, disclosure_id: str, export_id: str
    ) -> Sequence[Table]:
        async with self._db.transaction() as session:
            tables = await self._releasing.count_year(session, year)
            shown = [[cell, count] for table in tables for cell, count in table.cells()]
            names = [table.name for table in tables]
            disclosure = self._exact(reader, now, disclosure_id, export_id, names, shown)
            await disclose(session, self._outbox, disclosure)
        return tables

    async def years(self, reader: Principal, now: datetime) -> dict[int, int]:
        """Exact referrals by year, once the read is on record."""
        await self._tallying.catch_up(now)
        return await until_known(partial(self._years, reader, now, new_id("dsc"), new_id("exp")))

    async def _years(
        self, reader: Principal, now: datetime, disclosure_id: str, export_id: str
    ) -> dict[int, int]:
        async with self._db.transaction() as session:
            years = await count_store.count_by_year(session)
            shown = [[year, count] for year, count in years.items()]
            disclosure = self._exact(reader, now, disclosure_id, export_id, ["years"], shown)
            await disclose(session, self._outbox, disclosure)
        return years

    async def restatement(
        self, number: int, reader: Principal, now: datetime
    ) -> Restatement | None:
        """What a release restates, cell by cell, once the read is on record."""
        return await until_known(
            partial(self._restatement, number, reader, now, new_id("dsc"), new_id("exp"))
        )

    async def _restatement(
        self, number: int, reader: Principal, now: datetime, disclosure_id: str, export_id: str
    ) -> Restatement | None:
        async with self._db.transaction() as session:
            found = await self._releasing.compare(session, number, published=False)
            if found is not None:
                shown = answers.exact_restatement(found)
                names = ["restatement"]
                disclosure = self._exact(reader, now, disclosure_id, export_id, names, shown)
                await disclose(session, self._outbox, disclosure)
        return found

    def _exact(
        self,
        reader: Principal,
        now: datetime,
        disclosure_id: str,
        export_id: str,
        names: Sequence[str],
        shown: object,
    ) -> Disclosure:
        return Disclosure(
            disclosure_id=disclosure_id,
            export_id=export_id,
            kind=KIND,
            actor=reader.subject,
            actor_kind="person" if reader.person else "service",
            approved_by=None,
            authority=AUTHORITY,
            purpose=PURPOSE,
            tables=names,
            commitment=self._digests.commit(canonical(shown)),
            exported_at=now,
        )
