"""Rotating the KEK: every data key is wrapped anew by the current one, and no document touched.

`python -m services.SERVICE rewrap [--dry-run]`, while everything runs; docs/keys.md says when.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Table, text

from shared.runtime.acts import account, record
from shared.runtime.db import Database, Session
from shared.runtime.errors import Misconfigured
from shared.runtime.sealing import Sealer, Unsealable, WrappedKey

REWRAP = "rewrap"
AGAIN = "Restart every process, then run this again."
_AT_ONCE = 500


class Holding(Protocol):
    """One place where data keys lie, wrapped."""

    @property
    def name(self) -> str: ...

    @property
    def then(self) -> str:
        """What a person does about those that are left."""
        ...

    async def behind(self, session: Session, current: int) -> int:
        """How many are wrapped by another KEK than the current one."""
        ...

    async def renew(self, session: Session, sealer: Sealer) -> int:
        """Wrap some of them anew and lock them meanwhile; 0: none is left. Raises Unsealable."""
        ...


@dataclass(frozen=True, slots=True)
class KeyTable:
    """A table with the columns `kek_version` and `wrapped`; destroyed keys are empty or null."""

    name: str
    id: str
    then: str = AGAIN

    @property
    def _behind(self) -> str:
        return f"FROM {self.name} WHERE kek_version <> :current AND wrapped <> ''"

    async def behind(self, session: Session, current: int) -> int:
        found: int = await session.scalar(
            text(f"SELECT count(*) {self._behind}"), {"current": current}
        )
        return found

    async def renew(self, session: Session, sealer: Sealer) -> int:
        chosen = (
            f"SELECT CAST({self.id} AS text) AS id, kek_version, wrapped {self._behind} "
            f"ORDER BY {self.id} LIMIT {_AT_ONCE} FOR UPDATE SKIP LOCKED"
        )
        rows = (await session.execute(text(chosen), {"current": sealer.current})).all()
        renewed = [sealer.rewrap(WrappedKey(row.kek_version, row.wrapped)) for row in rows]
        renew = (
            f"UPDATE {self.name} AS held SET kek_version = :current, wrapped = new.wrapped "
            "FROM unnest(CAST(:ids AS text[]), CAST(:wrapped AS bytea[])) AS new(id, wrapped) "
            f"WHERE CAST(held.{self.id} AS text) = new.id"
        )
        values = {"ids": [row.id for row in rows], "wrapped": [each.wrapped for each in renewed]}
        await session.execute(text(renew), values | {"current": sealer.current})
        return len(rows)


async def run_rewrap(
    service: str,
    argv: list[str],
    db: Database,
    sealer: Sealer,
    holdings: Sequence[Holding],
    acts: Table,
) -> int:
    """The command; exit code 0 when every key is wrapped by the current KEK, or would be."""
    parser = argparse.ArgumentParser(
        prog=f"python -m services.{service} {REWRAP}",
        description="Wrap every data key by the newest KEK, so that the older ones can go.",
    )
    parser.add_argument("--dry-run", action="store_true", help="count, and change nothing")
    parser.add_argument("--by", default=account(), help="who; kept on record")
    args = parser.parse_args(argv)
    dry = args.dry_run
    for holding in holdings:
        async with db.transaction() as session:
            count = await holding.behind(session, sealer.current)
        _say(f"{holding.name}: {count} by an older KEK")
        if not dry:
            try:
                done = await _renew(db, sealer, holding, count)
            except Unsealable as error:
                raise Misconfigured(f"{holding.name}: {error}. Nothing of it was lost.") from None
            if done:
                async with db.transaction() as session:
                    command = f"{REWRAP}: {holding.name} by kek-{sealer.current}.key"
                    await record(session, acts, command, args.by, done)
    left = 0 if dry else await _left(db, sealer, holdings)
    if not dry and not left:
        _say(f"All is wrapped by kek-{sealer.current}.key. Backups still need the older ones.")
    return 1 if left else 0


async def _renew(db: Database, sealer: Sealer, holding: Holding, count: int) -> int:
    done = 0
    while True:
        async with db.transaction() as session:
            some = await holding.renew(session, sealer)
        if not some:
            return done
        done += some
        _say(f"  {done} of {count} wrapped anew")


async def _left(db: Database, sealer: Sealer, holdings: Sequence[Holding]) -> int:
    """What somebody held meanwhile, or a process that does not know the new KEK has added."""
    left = 0
    for holding in holdings:
        async with db.transaction() as session:
            count = await holding.behind(session, sealer.current)
        if count:
            _say(f"{holding.name}: {count} are left. {holding.then}")
        left += count
    return left


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
