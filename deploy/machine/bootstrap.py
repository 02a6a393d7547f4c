"""The database, its roles and schemas: one schema per service, an owner who migrates it and a
runtime role that may read and write rows and nothing else. Idempotent."""

from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg
from sqlalchemy import make_url

SCHEMAS = ("intake", "notify", "deadlines", "audit", "bus")
DATABASE = "hartline"


@dataclass(frozen=True)
class SchemaDsns:
    """How to reach one schema: as the role that migrates, and as the role that runs."""

    owner: str
    app: str


def role_names() -> list[str]:
    return [f"hartline_{schema}_{kind}" for schema in SCHEMAS for kind in ("owner", "app")]


async def make_roles(superuser_dsn: str, passwords: Mapping[str, str]) -> None:
    """Make every role of `passwords` (role → password), or set its password."""
    connection = await asyncpg.connect(superuser_dsn)
    try:
        existing = {
            row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")
        }
        for role, password in passwords.items():
            verb = "ALTER" if role in existing else "CREATE"
            secret = await connection.fetchval("SELECT quote_literal($1::text)", password)
            await connection.execute(
                f"{verb} ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION "
                f"NOBYPASSRLS PASSWORD {secret}"
            )
            # With its own schema in the path, Alembic would take every table for another one.
            await connection.execute(f"ALTER ROLE {role} SET search_path = public")
    finally:
        await connection.close()


async def make_database(superuser_dsn: str, database: str = DATABASE) -> None:
    """Make the database if there is none, and in it the schemas with their privileges."""
    connection = await asyncpg.connect(superuser_dsn)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
            await connection.execute(f'CREATE DATABASE "{database}"')
    finally:
        await connection.close()
    connection = await asyncpg.connect(in_database(superuser_dsn, database))
    try:
        async with connection.transaction():
            await close_to_strangers(connection, database)
            for schema in SCHEMAS:
                await _make_schema(connection, schema)
    finally:
        await connection.close()


async def close_to_strangers(connection: asyncpg.Connection, database: str) -> None:
    """Only our roles may connect. A database copied from a template needs this again."""
    await connection.execute(f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC')
    await connection.execute(f'GRANT CONNECT ON DATABASE "{database}" TO {", ".join(role_names())}')


async def _make_schema(connection: asyncpg.Connection, schema: str) -> None:
    owner, app = f"hartline_{schema}_owner", f"hartline_{schema}_app"
    for statement in (
        f"CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {owner}",
        f"GRANT USAGE ON SCHEMA {schema} TO {app}",
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} "
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app}",
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} "
        f"GRANT USAGE ON SEQUENCES TO {app}",
    ):
        await connection.execute(statement)


def in_database(dsn: str, database: str) -> str:
    """The same server and role, another database."""
    return make_url(dsn).set(database=database).render_as_string(hide_password=False)


def as_role(dsn: str, role: str, password: str, database: str) -> str:
    """The same server, another role and database."""
    url = make_url(dsn).set(username=role, password=password, database=database)
    return url.render_as_string(hide_password=False)


def schema_dsns(
    superuser_dsn: str, passwords: Mapping[str, str], database: str = DATABASE
) -> dict[str, SchemaDsns]:
    """The DSNs of every schema, by its name."""

    def dsn(role: str) -> str:
        return as_role(superuser_dsn, role, passwords[role], database)

    return {
        schema: SchemaDsns(dsn(f"hartline_{schema}_owner"), dsn(f"hartline_{schema}_app"))
        for schema in SCHEMAS
    }
