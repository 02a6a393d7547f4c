"""An expand and a contract of a table in every schema, as docs/migrations.md says, in Alembic's own
histories but from folders that are thrown away: the real ones stay as they are."""

import asyncio
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from deploy.machine.bootstrap import SchemaDsns
from deploy.machine.home import ROOT
from shared.runtime.db import plain_dsn
from shared.runtime.migrate import history

TABLES = {
    "intake": ("referrals", "outbox"),
    "notify": ("deliveries", "agencies"),
    "deadlines": ("clocks", "inbox_streams"),
    "audit": ("submissions", "inbox"),
}
"""Tables that the load writes to or reads for every referral; `agencies` is read whole."""

COLUMN = "tried_by_change"
_BATCH = 500
_PAUSE_SECONDS = 0.02

_HEADER = '''"""{says}

Revises: {before}
"""

import sqlalchemy as sa
from alembic import op

from shared.runtime.migrate import concurrently

revision = "{name}"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
'''
_ADD = '    op.add_column("{table}", sa.Column("{column}", sa.Text()), schema="{schema}")\n'
_DROP = '    op.drop_column("{table}", "{column}", schema="{schema}")\n'
_INDEX = (
    "    with concurrently():\n"
    '        op.create_index("ix_{table}_{column}", "{table}", ["{column}"], schema="{schema}",\n'
    "            postgresql_concurrently=True, if_not_exists=True)\n"
)
_UNINDEX = (
    "    with concurrently():\n"
    '        op.drop_index("ix_{table}_{column}", "{table}", schema="{schema}",\n'
    "            postgresql_concurrently=True, if_exists=True)\n"
)
_STEPS = (
    ("change_1", "Expand: a column that may be null.", _ADD),
    ("change_2", "Expand: its index, while others write.", _INDEX),
    ("change_3", "Contract: nobody reads the index any more.", _UNINDEX),
    ("change_4", "Contract: nobody knows the column any more.", _DROP),
)
EXPANDED, CONTRACTED = "change_2", "change_4"


@dataclass(frozen=True)
class Histories:
    """Each schema's history with four revisions of ours behind its head."""

    configs: Mapping[str, Config]

    async def upgrade(self, schema: str, revision: str) -> None:
        await asyncio.to_thread(command.upgrade, self.configs[schema], revision)


@contextmanager
def written(dsns: Mapping[str, SchemaDsns]) -> Iterator[Histories]:
    """Write them to a folder, which is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="hartline-revisions-") as folder:
        configs = {}
        for schema in TABLES:
            own = Path(folder) / schema
            own.mkdir()
            config = history(schema, dsns[schema].owner)
            script = ScriptDirectory.from_config(config)
            _write(own, schema, script.get_current_head() or "")
            real = ROOT / "services" / schema / "migrations" / "versions"
            config.set_section_option(schema, "version_locations", f"{real}{os.pathsep}{own}")
            configs[schema] = config
        yield Histories(configs)


async def backfill(dsn: str, schema: str, table: str) -> int:
    """Fill the new column in small transactions, passing over rows that somebody works on; they are
    met again. How many were filled."""
    statement = (
        f"WITH few AS (SELECT ctid FROM {schema}.{table} WHERE {COLUMN} IS NULL LIMIT {_BATCH} "
        f"FOR UPDATE SKIP LOCKED) UPDATE {schema}.{table} t SET {COLUMN} = 'filled' "
        "FROM few WHERE t.ctid = few.ctid RETURNING 1"
    )
    connection = await asyncpg.connect(plain_dsn(dsn))
    filled = 0
    try:
        while rows := await connection.fetch(statement):
            filled += len(rows)
            await asyncio.sleep(_PAUSE_SECONDS)
            if len(rows) < _BATCH:
                break
    finally:
        await connection.close()
    return filled


async def column_is_there(dsn: str, schema: str, table: str) -> bool:
    connection = await asyncpg.connect(plain_dsn(dsn))
    try:
        found = await connection.fetchval(
            "SELECT 1 FROM pg_attribute WHERE attrelid = CAST($1 AS regclass) AND attname = $2 "
            "AND NOT attisdropped",
            f"{schema}.{table}",
            COLUMN,
        )
    finally:
        await connection.close()
    return found is not None


def _write(folder: Path, schema: str, head: str) -> None:
    before = head
    for name, says, step in _STEPS:
        body = "".join(
            step.format(schema=schema, table=table, column=COLUMN) for table in TABLES[schema]
        )
        header = _HEADER.format(says=says, name=name, before=before)
        (folder / f"{name}.py").write_text(header + body)
        before = name
