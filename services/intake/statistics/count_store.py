"""SQL of the counts, which are kept as the facts change, so that no answer has to count rows.

Months count from year 0: year * 12 + month - 1.
"""

import json
from collections.abc import Collection, Iterable

from sqlalchemy import text

from services.intake.statistics.counting import MONTH, YEAR, Key, Visit
from shared.runtime.db import Session


async def add(session: Session, counted: Iterable[tuple[Key, int]]) -> None:
    """Add differences to the counts, in the transaction that changes the facts."""
    rows = [
        {"span": span, "period": period, "name": name, "code": code, "n": difference}
        for (span, period, name, code), difference in counted
        if difference
    ]
    if rows:
        await session.execute(_ADD, {"rows": json.dumps(rows)})


async def read_persons(
    session: Session, persons: Collection[bytes]
) -> list[tuple[bytes, int, int]]:
    """All rows of these persons: person, month, how many."""
    rows = await session.execute(_READ_PERSONS, {"persons": list(persons)})
    return [(bytes(row.person), row.month, int(row.n)) for row in rows]


async def read_settings(session: Session, settings: Collection[bytes]) -> list[Visit]:
    """All rows of these congregate settings: which, month, person, how many."""
    rows = await session.execute(_READ_SETTINGS, {"settings": list(settings)})
    return [(bytes(row.facility), row.month, bytes(row.person), int(row.n)) for row in rows]


async def count_month(session: Session, month: int) -> dict[str, dict[str, int]]:
    """The counts of a month by table and row; zero is not there."""
    return await _count(session, month, month + 1, MONTH, month)


async def count_year(session: Session, year: int) -> dict[str, dict[str, int]]:
    """The counts of a calendar year by table and row; zero is not there."""
    return await _count(session, year * 12, year * 12 + 12, YEAR, year)


async def _count(
    session: Session, first: int, end: int, span: str, period: int
) -> dict[str, dict[str, int]]:
    values = {"first": first, "end": end, "span": span, "period": period}
    counted: dict[str, dict[str, int]] = {}
    for row in await session.execute(COUNT, values):
        counted.setdefault(row.name, {})[row.code] = int(row.n)
    congregate = counted.get("residence_at_exploitation", {}).get("congregate_care", 0)
    settings = counted.setdefault("settings", {})
    settings["other"] = congregate - settings.get("shared", 0)
    return counted


async def count_by_year(session: Session) -> dict[int, int]:
    """Children in referrals by year received."""
    rows = await session.execute(COUNT_YEARS)
    return {row.year: int(row.n) for row in rows}


async def count_victims(
    session: Session, first: int, end: int
) -> list[tuple[str, str, str, int, int]]:
    """Referrals of sex trafficking by age band, race and gender: how many, how many confirmed."""
    rows = await session.execute(COUNT_VICTIMS, {"first": first, "end": end})
    found = []
    for row in rows:
        age, race, gender = row.code.split("/")
        found.append((age, race, gender, int(row.n), int(row.confirmed)))
    return found


async def rebuild(session: Session) -> None:
    """Make every count again from the facts: slow, exact, and of use after a repair by hand."""
    await session.execute(_CLEAR)
    for statement in _REBUILD:
        await session.execute(statement)


_ADD = text(
    """
INSERT INTO intake.statistics_counts AS c (span, period, name, code, n)
SELECT span, period, name, code, n FROM jsonb_to_recordset(CAST(CAST(:rows AS text) AS jsonb))
    AS difference(span text, period integer, name text, code text, n bigint)
ON CONFLICT (span, period, name, code) DO UPDATE SET n = c.n + excluded.n
"""
)
_READ_PERSONS = text(
    "SELECT person, month, count(*) AS n FROM intake.statistics_facts "
    "WHERE person = ANY(CAST(:persons AS bytea[])) GROUP BY person, month"
)
_READ_SETTINGS = text(
    "SELECT facility, month, person, count(*) AS n FROM intake.statistics_facts "
    "WHERE facility = ANY(CAST(:settings AS bytea[])) AND residence = 'congregate_care' "
    "GROUP BY facility, month, person"
)
COUNT = text(
    """
SELECT name, code, sum(n) AS n FROM intake.statistics_counts
WHERE span = 'sum' AND period >= :first AND period < :end OR span = :span AND period = :period
GROUP BY name, code HAVING sum(n) <> 0
"""
)
COUNT_YEARS = text(
    "SELECT period / 12 AS year, sum(n) AS n FROM intake.statistics_counts "
    "WHERE span = 'sum' AND name = 'total' GROUP BY period / 12 HAVING sum(n) <> 0 ORDER BY year"
)
COUNT_VICTIMS = text(
    """
SELECT code, coalesce(sum(n) FILTER (WHERE name = 'victims'), 0) AS n,
    coalesce(sum(n) FILTER (WHERE name = 'confirmed'), 0) AS confirmed
FROM intake.statistics_counts
WHERE span = 'sum' AND period >= :first AND period < :end AND name IN ('victims', 'confirmed')
GROUP BY code HAVING sum(n) <> 0 ORDER BY code
"""
)

_CLEAR = text("DELETE FROM intake.statistics_counts")
_INTO = "INSERT INTO intake.statistics_counts (span, period, name, code, n) "
_FACTS = "FROM intake.statistics_facts "
_PERSONS = """
SELECT '{span}', period, 'children', code, n FROM (
    SELECT period, sum(CAST(again AS integer)) AS repeat,
        count(*) - sum(CAST(again AS integer)) AS first, sum(rows - 1) AS further
    FROM (
        SELECT month / {length} AS period, count(*) AS rows,
            count(*) > 1 OR month / {length} > min(min(month / {length})) OVER (PARTITION BY person)
                AS again
        FROM intake.statistics_facts GROUP BY person, month / {length}
    ) AS each GROUP BY period
) AS counted, LATERAL (VALUES ('first', first), ('repeat', repeat), ('further', further))
    AS line(code, n)
"""
_SETTINGS = """
SELECT '{span}', period, name, code, n FROM (
    SELECT period, sum(rows) AS shared, count(*) AS several FROM (
        SELECT month / {length} AS period, count(*) AS rows
        FROM intake.statistics_facts
        WHERE residence = 'congregate_care' AND facility IS NOT NULL
        GROUP BY facility, month / {length} HAVING count(DISTINCT person) > 1
    ) AS each GROUP BY period
) AS counted, LATERAL (VALUES ('settings', 'shared', shared), ('setting_count', 'several', several))
    AS line(name, code, n)
"""
_SEX = "WHERE ht_type IN ('sex', 'sex_and_labor') "
_CROSSED = "age_band || '/' || race || '/' || gender"
_SUMS = (
    ("total", "'referrals'", _FACTS),
    ("race_ethnicity", "race", _FACTS),
    ("age_at_victimization", "age_band", _FACTS),
    ("residence_at_exploitation", "residence", _FACTS),
    ("gender", "gender", _FACTS),
    ("ht_type", "ht_type", _FACTS),
    ("venue", "code", "FROM intake.statistics_facts, unnest(venues) AS several(code) "),
    ("town", "code", "FROM intake.statistics_facts, unnest(towns) AS several(code) "),
    ("victims", _CROSSED, _FACTS + _SEX),
    ("confirmed", _CROSSED, _FACTS + _SEX + "AND identified "),
)
_REBUILD = (
    *(
        text(f"{_INTO} SELECT 'sum', month, '{name}', {code}, count(*) {rows} GROUP BY month, 4")
        for name, code, rows in _SUMS
    ),
    text(
        f"{_INTO} SELECT 'sum', month, 'reports', code, n FROM (SELECT month, "
        "count(DISTINCT referral) AS reports, count(*) - count(DISTINCT referral) AS further "
        f"{_FACTS} GROUP BY month) AS counted, "
        "LATERAL (VALUES ('reports', reports), ('further', further)) AS line(code, n)"
    ),
    *(
        text(_INTO + each.format(span=span, length=length))
        for each in (_PERSONS, _SETTINGS)
        for span, length in (("month", 1), ("year", 12))
    ),
)
