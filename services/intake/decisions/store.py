"""All SQL of decisions, incidents, withdrawals and links. Never commits."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text

from services.intake.decisions.codes import Standing
from services.intake.decisions.records import (
    Decision,
    Explanation,
    File,
    IncidentVersion,
    Link,
    StoredIncident,
    Withdrawal,
)
from services.intake.decisions.rules import Known
from shared.runtime.db import Session
from shared.runtime.sealing import WrappedKey


async def read_file(session: Session, referral_id: str) -> File:
    """Decisions, withdrawal and incidents of a referral."""
    found = {"referral_id": referral_id}
    decided = await session.execute(_DECISIONS, found)
    withdrawn = (await session.execute(_WITHDRAWAL, found)).first()
    incidents = await session.execute(_INCIDENTS, found)
    return File(
        [Decision(**{name: getattr(row, name) for name in Decision.__slots__}) for row in decided],
        [_known(row) for row in incidents],
        None
        if withdrawn is None
        else Withdrawal(**{name: getattr(withdrawn, name) for name in Withdrawal.__slots__}),
    )


async def withdrawn(session: Session, referral_id: str) -> bool:
    return (await session.execute(_WITHDRAWAL, {"referral_id": referral_id})).first() is not None


async def insert_decision(session: Session, decision: Decision) -> None:
    values = {name: getattr(decision, name) for name in Decision.__slots__}
    await session.execute(_DECIDE, values | {"reasons": list(decision.reasons)})


async def insert_withdrawal(session: Session, withdrawal: Withdrawal) -> None:
    values = {name: getattr(withdrawal, name) for name in Withdrawal.__slots__}
    await session.execute(_WITHDRAW, values)


async def insert_explanations(session: Session, explained: Sequence[Explanation]) -> None:
    await session.execute(
        _EXPLAIN,
        {
            "child_ids": [each.child_id for each in explained],
            "abouts": [each.about for each in explained],
            "sealed": [each.sealed for each in explained],
        },
    )


async def read_explanations(session: Session, referral_id: str) -> Sequence[Explanation]:
    rows = await session.execute(_EXPLANATIONS, {"referral_id": referral_id})
    return [Explanation(row.child_id, row.about, row.sealed) for row in rows]


async def create_incident(
    session: Session, incident_id: str, child_id: str, referral_id: str
) -> None:
    values = {"incident_id": incident_id, "child_id": child_id, "referral_id": referral_id}
    await session.execute(_CREATE_INCIDENT, values)


async def append_incident(session: Session, version: IncidentVersion) -> None:
    """Add a version of an incident, whose referral this session has locked."""
    values = {name: getattr(version, name) for name in IncidentVersion.__slots__}
    await session.execute(_APPEND_INCIDENT, values)


async def read_incidents(session: Session, referral_id: str) -> Sequence[StoredIncident]:
    rows = await session.execute(_STORED_INCIDENTS, {"referral_id": referral_id})
    return [_stored(row) for row in rows]


async def referral_of_incident(session: Session, incident_id: str) -> str | None:
    found: str | None = await session.scalar(_REFERRAL_OF, {"incident_id": incident_id})
    return found


async def owner(session: Session, referral_id: str) -> str | None:
    """Whose a referral is, without holding it."""
    found: str | None = await session.scalar(_OWNER, {"referral_id": referral_id})
    return found


async def insert_link(session: Session, link: Link) -> bool:
    """False if they are linked so already."""
    values = {name: getattr(link, name) for name in Link.__slots__}
    return await session.scalar(_LINK, values) is not None


async def read_links(session: Session, referral_id: str) -> Sequence[Link]:
    """From it and to it, oldest first."""
    rows = await session.execute(_LINKS, {"referral_id": referral_id})
    return [Link(**{name: getattr(row, name) for name in Link.__slots__}) for row in rows]


async def same_children(session: Session, one: str, other: str) -> list[tuple[str, str]]:
    """Who of one is who of the other: by an answer on record; or each has one child alone."""
    rows = await session.execute(_SAME, {"one": one, "other": other})
    return [(row.child_id, row.other_child_id) for row in rows]


def _known(row: Row[Any]) -> Known:
    return Known(row.incident_id, row.child_id, row.version, Standing(row.standing))


def _stored(row: Row[Any]) -> StoredIncident:
    key = WrappedKey(row.kek_version, row.wrapped, row.key_version)
    return StoredIncident(_known(row), row.referral_id, key, row.sealed)


_DECISIONS = text(
    """
SELECT referral_id, decision, outcome, reasons, version, decided_at, recorded_at, decided_by
FROM intake.decisions WHERE referral_id = :referral_id ORDER BY decision
"""
)

_DECIDE = text(
    """
INSERT INTO intake.decisions (referral_id, decision, outcome, reasons, version, decided_at,
    recorded_at, decided_by)
VALUES (:referral_id, :decision, :outcome, CAST(:reasons AS text[]), :version, :decided_at,
    :recorded_at, :decided_by)
"""
)

_WITHDRAWAL = text(
    """
SELECT referral_id, cause, version, recorded_at, withdrawn_by
FROM intake.withdrawals WHERE referral_id = :referral_id
"""
)

_WITHDRAW = text(
    """
INSERT INTO intake.withdrawals (referral_id, cause, version, recorded_at, withdrawn_by)
VALUES (:referral_id, :cause, :version, :recorded_at, :withdrawn_by)
"""
)

_EXPLAIN = text(
    """
INSERT INTO intake.explanations (child_id, about, sealed)
SELECT child_id, about, sealed FROM unnest(CAST(:child_ids AS text[]), CAST(:abouts AS text[]),
    CAST(:sealed AS bytea[])) AS explained(child_id, about, sealed)
"""
)

_EXPLANATIONS = text(
    """
SELECT e.child_id, e.about, e.sealed FROM intake.explanations AS e
JOIN intake.child_keys AS k ON k.child_id = e.child_id
WHERE k.referral_id = :referral_id ORDER BY e.child_id, e.about
"""
)

_CREATE_INCIDENT = text(
    """
INSERT INTO intake.incidents (incident_id, child_id, referral_id, version)
VALUES (:incident_id, :child_id, :referral_id, 0)
"""
)

_APPEND_INCIDENT = text(
    """
WITH current AS (
    UPDATE intake.incidents SET version = CAST(:version AS integer)
    WHERE incident_id = CAST(:incident_id AS text)
), document AS (
    INSERT INTO intake.incident_documents (incident_id, version, sealed)
    VALUES (CAST(:incident_id AS text), CAST(:version AS integer), CAST(:sealed AS bytea))
)
INSERT INTO intake.incident_versions (incident_id, version, standing, decision, recorded_at,
    recorded_by)
VALUES (CAST(:incident_id AS text), CAST(:version AS integer), :standing, :decision,
    :recorded_at, :recorded_by)
"""
)

_INCIDENTS = text(
    """
SELECT i.incident_id, i.child_id, i.version, v.standing FROM intake.incidents AS i
JOIN intake.incident_versions AS v ON v.incident_id = i.incident_id AND v.version = i.version
WHERE i.referral_id = :referral_id ORDER BY i.incident_id
"""
)

_STORED_INCIDENTS = text(
    """
SELECT i.incident_id, i.child_id, i.referral_id, i.version, v.standing, d.sealed, k.kek_version,
    k.wrapped, k.key_version
FROM intake.incidents AS i
JOIN intake.incident_versions AS v ON v.incident_id = i.incident_id AND v.version = i.version
JOIN intake.incident_documents AS d ON d.incident_id = i.incident_id AND d.version = i.version
JOIN intake.child_keys AS k ON k.child_id = i.child_id
WHERE i.referral_id = :referral_id ORDER BY i.incident_id
"""
)

_REFERRAL_OF = text("SELECT referral_id FROM intake.incidents WHERE incident_id = :incident_id")

_OWNER = text("SELECT owner FROM intake.referrals WHERE referral_id = :referral_id")

_LINK = text(
    """
INSERT INTO intake.referral_links (link_id, referral_id, related_referral_id, relation,
    recorded_at, linked_by)
VALUES (:link_id, :referral_id, :related_referral_id, :relation, :recorded_at, :linked_by)
ON CONFLICT DO NOTHING
RETURNING link_id
"""
)

_SAME = text(
    """
SELECT a.child_id, b.child_id AS other_child_id FROM intake.child_keys AS a
CROSS JOIN intake.child_keys AS b
LEFT JOIN intake.people AS p ON p.child_id = a.child_id
LEFT JOIN intake.people AS q ON q.child_id = b.child_id
WHERE a.referral_id = :one AND b.referral_id = :other AND (p.person_id = q.person_id OR (
    SELECT count(*) FROM intake.child_keys WHERE referral_id IN (:one, :other)) = 2)
ORDER BY a.child_id, b.child_id
"""
)

_LINKS = text(
    """
SELECT link_id, referral_id, related_referral_id, relation, recorded_at, linked_by
FROM intake.referral_links
WHERE :referral_id IN (referral_id, related_referral_id) ORDER BY recorded_at, link_id
"""
)
