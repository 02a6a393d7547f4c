"""Migrations: each service's Alembic history in its own schema, run by the schema's owner.

`alembic -n intake upgrade head` reads HARTLINE_INTAKE_OWNER_DSN; `services/X/migrations/env.py`
is `run(metadata)`. The schema and its roles must exist (deploy/machine/bootstrap.py makes them).
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from alembic import command, context
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from shared.runtime.db import Database, async_url
from shared.runtime.errors import Misconfigured
from shared.runtime.settings import one_setting

log = structlog.get_logger()

SERVICES = ("intake", "notify", "deadlines", "audit", "bus")
"""The sections of alembic.ini, each the name of a schema."""

LOCK_TIMEOUT = "5s"
"""How long a migration's statement waits for a lock, and others behind it."""

_INI = Path(__file__).parents[2] / "alembic.ini"
_DSN = "hartline.owner_dsn"
_ONE_AT_A_TIME = threading.Lock()  # Alembic keeps what it works on in module globals.


def upgrade(service: str, owner_dsn: str) -> None:
    """Bring one schema to head. Blocking; from async code call it in a thread."""
    with _ONE_AT_A_TIME:
        command.upgrade(history(service, owner_dsn), "head")


def check_drift(service: str, owner_dsn: str) -> None:
    """Raises CommandError when the tables in the code and in the schema differ. Blocking."""
    with _ONE_AT_A_TIME:
        command.check(history(service, owner_dsn))


@contextmanager
def concurrently() -> Iterator[None]:
    """In a revision: what builds or drops an index while others write, which no transaction may
    hold. What stands before it in this run is committed first, so let it be all of its revision,
    with `if_not_exists`: whoever is interrupted here runs the same revision again."""
    with context.get_context().autocommit_block():
        # It waits for every transaction that is under way, and nobody waits for it.
        context.execute("SET lock_timeout = 0")
        yield
        context.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")


def run(metadata: MetaData) -> None:
    """The whole of an env.py. Migrations go forward, all in one transaction, one at a time."""
    service = context.config.config_ini_section
    if context.is_offline_mode():
        raise CommandError("Offline SQL is not supported: run against the server.")
    asyncio.run(_run(service, metadata, _owner_dsn(service)))


async def check_head(db: Database, service: str) -> None:
    """Raises Misconfigured when the schema is behind this code.

    A revision this code has never heard of is newer code's and passes: migrations expand first
    and contract later, so that the old code still runs during a rolling restart.
    """
    mend = f"run alembic -n {service} upgrade head."
    async with db.transaction() as session:
        table = f"{service}.alembic_version"
        if await session.scalar(text("SELECT to_regclass(:table)"), {"table": table}) is None:
            raise Misconfigured(f"The schema {service} has no tables yet: {mend}")
        found = set(await session.scalars(text(f"SELECT version_num FROM {table}")))
    script = ScriptDirectory.from_config(history(service))
    known = {revision.revision for revision in script.walk_revisions()}
    if not found or (found <= known and found != set(script.get_heads())):
        raise Misconfigured(f"The schema {service} is behind this code: {mend}")
    if not found <= known:
        log.warning("schema_newer", revision=",".join(sorted(found)))


def history(service: str, owner_dsn: str | None = None) -> Config:
    """One schema's history, for Alembic's commands."""
    return Config(str(_INI), ini_section=service, attributes={_DSN: owner_dsn})


def _owner_dsn(service: str) -> str:
    given: str | None = context.config.attributes.get(_DSN)
    name = f"HARTLINE_{service.upper()}_OWNER_DSN"
    dsn = given or one_setting(name)
    if not dsn:
        raise CommandError(f"{name} is not set: set it to the DSN of hartline_{service}_owner.")
    return dsn


async def _run(schema: str, metadata: MetaData, dsn: str) -> None:
    engine = create_async_engine(
        async_url(dsn),
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={
            "timeout": 5,
            "server_settings": {
                "application_name": f"{schema} migrations",
                "search_path": "public",
                "timezone": "UTC",
            },
        },
    )
    async with engine.connect() as connection:
        await connection.run_sync(_migrate, schema, metadata)
    await engine.dispose()


def _migrate(connection: Connection, schema: str, metadata: MetaData) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_schemas=True,
        include_name=lambda name, kind, _: kind != "schema" or name == schema,
        version_table_schema=schema,
        compare_server_default=True,
    )
    with context.begin_transaction():
        connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
            {"name": f"hartline migrations {schema}"},
        )
        # For the session, which ends with this run: `concurrently` ends the transaction.
        connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        if not connection.scalar(
            text("SELECT 1 FROM pg_namespace WHERE nspname = :schema"), {"schema": schema}
        ):
            raise CommandError(f"The schema {schema} does not exist: run the bootstrap first.")
        context.run_migrations()
        _keep_version_from_runtime(connection, schema)


def _keep_version_from_runtime(connection: Connection, schema: str) -> None:
    """The runtime role, which the schema's default privileges let write, may only read it."""
    table, role = f"{schema}.alembic_version", f"hartline_{schema}_app"
    there = text("SELECT to_regclass(:table) IS NOT NULL AND to_regrole(:role) IS NOT NULL")
    if connection.scalar(there, {"table": table, "role": role}):
        connection.execute(text(f"REVOKE INSERT, UPDATE, DELETE ON {table} FROM {role}"))
