"""What a service says of its real server: safe, at head, and as the right role."""

import secrets
from collections.abc import Mapping
from pathlib import Path

import asyncpg
import httpx
from starlette.applications import Starlette

from services.intake import models
from services.intake.check import looks, watch_routes
from services.intake.holdings import HOLDINGS
from services.intake.settings import IntakeSettings
from shared.runtime import keys
from shared.runtime.checking import all_of
from shared.runtime.db import Database
from shared.runtime.findings import Finding, Level, worst
from shared.runtime.server_checks import STARTED, head, server, wrapped
from shared.runtime.wakes import Wakes
from tests.support.databases import FreshDatabase

_NAMES = ("kek", "commitment", "idempotency", "matching", "statistics")


def settings(database: FreshDatabase, folder: Path, **more: str) -> IntakeSettings:
    for name in _NAMES:
        if not (folder / f"{name}-1.key").exists():
            keys.make("kek" if name == "kek" else "hmac", folder / f"{name}-1.key")
    named: Mapping[str, object] = {
        "HARTLINE_INTAKE_DSN": database.dsns["intake"].app,
        "HARTLINE_INTAKE_KEYS": folder,
        "profile": "development",
        "issuer": "test",
        "jwks": folder / "jwks.json",
        **more,
    }
    return IntakeSettings.model_validate(named)


async def as_superuser(database: FreshDatabase, statement: str) -> None:
    connection = await asyncpg.connect(database.superuser_dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def by_name(found: list[Finding]) -> dict[str, Finding]:
    return {finding.about.partition(", ")[2]: finding for finding in found}


def older(found: list[Finding]) -> list[Finding]:
    """As of a server that was not started for this test."""
    return [finding for finding in found if finding.says != STARTED]


async def test_a_sound_service_finds_nothing(database: FreshDatabase, tmp_path: Path) -> None:
    found = await all_of("intake", looks(settings(database, tmp_path), database.open("intake")))
    assert worst(older(found)) is Level.WELL, found
    assert {"server", "migrations", "PostgreSQL's clock", "data keys"} <= set(by_name(found))


async def test_a_server_that_forgets_commits_is_wrong_now(
    database: FreshDatabase, tmp_path: Path
) -> None:
    """P1."""
    role = "ALTER ROLE hartline_intake_app IN DATABASE"
    await as_superuser(database, f'{role} "{database.name}" SET synchronous_commit = off')
    (found,) = await server("intake", settings(database, tmp_path), database.open("intake"))
    assert (found.level, "synchronous_commit" in found.says) == (Level.ACT, True)


async def test_the_owner_role_may_not_serve(database: FreshDatabase, tmp_path: Path) -> None:
    db = Database.open(database.dsns["intake"].owner, Wakes(), name="t", pool_size=1)
    try:
        found = await server("intake", settings(database, tmp_path), db)
    finally:
        await db.close()
    assert worst(found) is Level.ACT
    assert "hartline_intake_app" in found[0].do


async def test_a_schema_that_is_behind_is_told_with_the_command(database: FreshDatabase) -> None:
    await as_superuser(database, "UPDATE intake.alembic_version SET version_num = '0001'")
    (found,) = await head("intake", database.open("intake"))
    assert (found.level, "alembic -n intake upgrade head" in found.says) == (Level.ACT, True)


async def test_documents_under_a_kek_that_is_gone_are_told_at_once(
    database: FreshDatabase, tmp_path: Path
) -> None:
    db = database.open("intake")
    for version in (2, 3):
        keys.make("kek", tmp_path / f"kek-{version}.key")
    await as_superuser(
        database,
        "SET session_replication_role = replica; INSERT INTO "
        f"{models.child_keys.fullname} (child_id, referral_id, kek_version, wrapped, key_version) "
        f"VALUES ('chd_1', 'ref_1', 1, '\\x{secrets.token_hex(8)}', 1)",
    )
    (found,) = await wrapped("intake", db, tmp_path, HOLDINGS)
    assert (found.level, "kek-1.key is not there" in found.says) == (Level.ACT, True)
    keys.make("kek", tmp_path / "kek-1.key")
    (found,) = await wrapped("intake", db, tmp_path, HOLDINGS)
    assert (found.level, "1 are wrapped by an older KEK" in found.says) == (Level.LOOK, True)


async def test_the_operations_port_tells_of_checks_and_of_the_way(
    database: FreshDatabase, tmp_path: Path
) -> None:
    app = Starlette(routes=watch_routes(settings(database, tmp_path), database.open("intake")))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://ops") as client:
        checks = [Finding.of_json(each) for each in (await client.get("/check")).json()]
        way = (await client.get("/way")).json()
    assert worst(older(checks)) is Level.WELL
    assert [stage["name"] for stage in way["stages"]] == ["accepted", "relayed"]


async def test_a_database_that_is_away_is_a_finding_and_no_crash(tmp_path: Path) -> None:
    db = Database.open("postgresql://nobody@127.0.0.1:1/none", Wakes(), name="t", pool_size=1)
    found = await all_of("intake", {"migrations": lambda: head("intake", db)})
    assert [(each.level, each.says) for each in found] == [
        (Level.ACT, "PostgreSQL does not answer.")
    ]
