"""All SQL that areas' ages have in common. Nothing here commits."""

from sqlalchemy import text

from shared.runtime.db import Session


async def oldest(session: Session, *queries: str) -> dict[str, float]:
    """Seconds since the oldest of everything, 0 where nothing waits: one statement, whatever number
    of queries. Each returns rows of what waits and since when, which is null when nothing does."""
    rows = await session.execute(
        text(
            "SELECT what, coalesce(extract(epoch FROM clock_timestamp() - since), 0) AS age "
            f"FROM ({' UNION ALL '.join(queries)}) AS oldest(what, since)"
        )
    )
    return {row.what: max(0.0, float(row.age)) for row in rows}
