"""One schema per service and no way from one to another (DESIGN "Services")."""

import asyncpg
import pytest

from deploy.machine.bootstrap import SCHEMAS, in_database, make_database, make_roles
from tests.support.databases import FreshDatabase, TestServer

_GUARDED = """
CREATE TABLE notify.guarded (id integer);
CREATE FUNCTION notify.refuse() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'append-only'; END $$;
CREATE TRIGGER refuse BEFORE UPDATE OR DELETE ON notify.guarded
    FOR EACH ROW EXECUTE FUNCTION notify.refuse();
INSERT INTO notify.guarded VALUES (1);
"""


@pytest.fixture
async def guarded(database: FreshDatabase) -> FreshDatabase:
    """A database in which notify's owner has made a table with a trigger."""
    await _execute(database.dsns["notify"].owner, _GUARDED)
    return database


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize("schema", [s for s in SCHEMAS if s != "notify"])
@pytest.mark.parametrize("kind", ["app", "owner"])
async def test_no_other_role_reaches_a_table_of_notify(
    guarded: FreshDatabase, schema: str, kind: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await _execute(getattr(guarded.dsns[schema], kind), "SELECT * FROM notify.guarded")


async def test_the_runtime_role_reads_and_writes_its_own_rows(guarded: FreshDatabase) -> None:
    await _execute(
        guarded.dsns["notify"].app,
        "INSERT INTO notify.guarded VALUES (2); SELECT * FROM notify.guarded",
    )


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE notify.guarded DISABLE TRIGGER ALL",
        "DROP TRIGGER refuse ON notify.guarded",
        "TRUNCATE notify.guarded",
        "DROP TABLE notify.guarded",
        "CREATE TABLE notify.own (id integer)",
        "CREATE TABLE public.own (id integer)",
        "SET session_replication_role = replica",
        "SET ROLE hartline_notify_owner",
        "CREATE OR REPLACE FUNCTION notify.refuse() RETURNS trigger LANGUAGE plpgsql "
        "AS $$ BEGIN RETURN NULL; END $$",
    ],
)
async def test_the_runtime_role_cannot_get_past_a_trigger(
    guarded: FreshDatabase, statement: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await _execute(guarded.dsns["notify"].app, statement)


@pytest.mark.parametrize("password", ["wrong", ""])
async def test_a_wrong_password_is_refused_on_the_local_socket_too(
    database: FreshDatabase, password: str
) -> None:
    right = database.dsns["intake"].app
    wrong = right.replace("test-hartline_intake_app", password)
    assert wrong != right
    with pytest.raises((asyncpg.InvalidPasswordError, asyncpg.InterfaceError)):
        await _execute(wrong, "SELECT 1")


async def test_bootstrap_again_changes_nothing_and_sets_new_passwords(
    postgres: TestServer, database: FreshDatabase
) -> None:
    await make_roles(postgres.superuser_dsn, postgres.passwords)
    await make_database(postgres.superuser_dsn, database.name)
    await _execute(database.dsns["audit"].app, "SELECT 1")


async def test_a_database_of_ours_refuses_roles_of_others(
    postgres: TestServer, database: FreshDatabase
) -> None:
    await _execute(postgres.superuser_dsn, "DROP ROLE IF EXISTS hartline_test_stranger")
    await _execute(
        postgres.superuser_dsn, "CREATE ROLE hartline_test_stranger LOGIN PASSWORD 'strange'"
    )
    dsn = database.dsns["intake"].app.replace(
        "hartline_intake_app:test-hartline_intake_app", "hartline_test_stranger:strange"
    )
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await _execute(in_database(dsn, database.name), "SELECT 1")
    await _execute(postgres.superuser_dsn, "DROP ROLE hartline_test_stranger")
