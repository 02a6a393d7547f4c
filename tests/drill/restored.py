"""What the restored database says of itself, asked as its superuser."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import asyncpg


@dataclass(frozen=True)
class Restored:
    """`point`: when the last transaction was committed that the archive held."""

    point: datetime
    referrals: Collection[str]
    planned: Collection[str]
    attempted: Mapping[str, int]
    entries: int


async def read(superuser_dsn: str) -> Restored:
    database = await asyncpg.connect(superuser_dsn)
    try:
        return Restored(
            await database.fetchval("SELECT pg_last_xact_replay_timestamp()"),
            await _column(database, "SELECT referral_id FROM intake.referrals"),
            await _column(database, "SELECT notice_id FROM notify.notices"),
            await _counted(
                database, "SELECT notice_id, count(*) FROM notify.disclosures GROUP BY 1"
            ),
            await database.fetchval("SELECT count(*) FROM audit.entries"),
        )
    finally:
        await database.close()


async def parked(superuser_dsn: str) -> list[str]:
    """What `parked list` of every service prints, in short."""
    database = await asyncpg.connect(superuser_dsn)
    try:
        return [
            f"{service}: {row['subject']} {row['parked_reason']}"
            for service in ("notify", "deadlines", "audit")
            for row in await database.fetch(
                f"SELECT subject, parked_reason FROM {service}.inbox_streams "
                "WHERE parked_at IS NOT NULL ORDER BY 1"
            )
        ]
    finally:
        await database.close()


async def archived(superuser_dsn: str) -> tuple[int, datetime | None]:
    """How many segments are in the archive, and when the last one came."""
    database = await asyncpg.connect(superuser_dsn)
    try:
        row = await database.fetchrow(
            "SELECT archived_count, last_archived_time, failed_count FROM pg_stat_archiver"
        )
        if row["failed_count"]:
            raise RuntimeError("The archive did not take a segment: see PostgreSQL's log.")
        return row["archived_count"], row["last_archived_time"]
    finally:
        await database.close()


async def _column(database: asyncpg.Connection, query: str) -> set[str]:
    return {row[0] for row in await database.fetch(query)}


async def _counted(database: asyncpg.Connection, query: str) -> dict[str, int]:
    return {row[0]: row[1] for row in await database.fetch(query)}
