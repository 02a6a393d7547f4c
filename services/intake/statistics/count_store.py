"""SQL that counts the coded facts. Months count from year 0: year * 12 + month - 1."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


async def one_moment(session: AsyncSession) -> None:
    """Let every count of this transaction see the same moment, so that tables total the same.

    Must come before anything else in the transaction.
    """
    await session.execute(_ONE_MOMENT)


async def count(session: AsyncSession, first: int, end: int) -> dict[str, dict[str, int]]:
    """By table and row, the months from `first` up to but not `end`. A row of zero is not there."""
    counted: dict[str, dict[str, int]] = {}
    for statement in (COUNT_SINGLE, COUNT_SEVERAL, COUNT_CHILDREN, COUNT_SETTINGS):
        for row in await session.execute(statement, {"first": first, "end": end}):
            counted.setdefault(row.name, {})[row.code] = int(row.n)
    return counted


async def count_by_year(session: AsyncSession) -> dict[int, int]:
    """Children in referrals by year received."""
    rows = await session.execute(COUNT_YEARS)
    return {row.year: int(row.n) for row in rows}


async def count_identified(
    session: AsyncSession, first: int, end: int
) -> list[tuple[str, str, str, int, int]]:
    """Sex-trafficking referrals by age band, race and gender: how many, and how many confirmed."""
    rows = await session.execute(_COUNT_IDENTIFIED, {"first": first, "end": end})
    return [(r.age_band, r.race, r.gender, int(r.n), int(r.confirmed)) for r in rows]


_ONE_MOMENT = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

COUNT_SINGLE = text(
    """
WITH cube AS MATERIALIZED (
    SELECT race, age_band, residence, gender, ht_type, count(*) AS n
    FROM intake.statistics_facts WHERE month >= :first AND month < :end
    GROUP BY race, age_band, residence, gender, ht_type
)
SELECT 'race_ethnicity' AS name, race AS code, sum(n) AS n FROM cube GROUP BY race
UNION ALL SELECT 'age_at_victimization', age_band, sum(n) FROM cube GROUP BY age_band
UNION ALL SELECT 'residence_at_exploitation', residence, sum(n) FROM cube GROUP BY residence
UNION ALL SELECT 'gender', gender, sum(n) FROM cube GROUP BY gender
UNION ALL SELECT 'ht_type', ht_type, sum(n) FROM cube GROUP BY ht_type
UNION ALL SELECT 'total', 'referrals', coalesce(sum(n), 0) FROM cube
"""
)

COUNT_SEVERAL = text(
    """
WITH answers AS MATERIALIZED (
    SELECT venues, towns, count(*) AS n FROM intake.statistics_facts
    WHERE month >= :first AND month < :end GROUP BY venues, towns
)
SELECT 'venue' AS name, code, sum(n) AS n FROM answers, unnest(venues) AS venue(code) GROUP BY code
UNION ALL
SELECT 'town', code, sum(n) FROM answers, unnest(towns) AS town(code) GROUP BY code
"""
)

COUNT_CHILDREN = text(
    """
WITH persons AS MATERIALIZED (
    SELECT person, count(*) AS n FROM intake.statistics_facts
    WHERE month >= :first AND month < :end GROUP BY person
), counted AS (
    SELECT count(*) AS persons, coalesce(sum(n), 0) AS rows,
        count(*) FILTER (WHERE n > 1 OR EXISTS (
            SELECT FROM intake.statistics_facts AS earlier
            WHERE earlier.person = persons.person AND earlier.month < :first)) AS again
    FROM persons
), reports AS (
    SELECT count(*) AS reports FROM (
        SELECT DISTINCT referral FROM intake.statistics_facts
        WHERE month >= :first AND month < :end) AS each
)
SELECT line.name, line.code, line.n FROM counted, reports, LATERAL (VALUES
    ('children', 'first', persons - again),
    ('children', 'repeat', again),
    ('children', 'further', rows - persons),
    ('reports', 'reports', reports),
    ('reports', 'further', rows - reports)) AS line(name, code, n)
"""
)

COUNT_SETTINGS = text(
    """
WITH settings AS (
    SELECT facility, count(*) AS n, count(DISTINCT person) AS victims
    FROM intake.statistics_facts
    WHERE month >= :first AND month < :end AND residence = 'congregate_care'
    GROUP BY facility
), counted AS (
    SELECT coalesce(sum(n), 0) AS rows,
        coalesce(sum(n) FILTER (WHERE victims > 1 AND facility IS NOT NULL), 0) AS shared,
        count(*) FILTER (WHERE victims > 1 AND facility IS NOT NULL) AS several
    FROM settings
)
SELECT line.name, line.code, line.n FROM counted, LATERAL (VALUES
    ('settings', 'shared', shared),
    ('settings', 'other', rows - shared),
    ('setting_count', 'several', several)) AS line(name, code, n)
"""
)

COUNT_YEARS = text(
    "SELECT month / 12 AS year, count(*) AS n FROM intake.statistics_facts "
    "GROUP BY month / 12 ORDER BY year"
)

_COUNT_IDENTIFIED = text(
    """
SELECT age_band, race, gender, count(*) AS n, count(*) FILTER (WHERE identified) AS confirmed
FROM intake.statistics_facts
WHERE month >= :first AND month < :end AND ht_type IN ('sex', 'sex_and_labor')
GROUP BY age_band, race, gender ORDER BY age_band, race, gender
"""
)
