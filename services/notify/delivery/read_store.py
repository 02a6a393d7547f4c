"""The query for a notice with all that writing it takes, and its agency. Nothing here commits."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from services.notify import models
from services.notify.directory import tables as directory_tables
from shared.runtime.db import Session

_COPY = (
    f"(SELECT sealed FROM {models.copies.fullname} WHERE child_id = n.child_id "
    "AND version = n.{version} AND profile = n.{profile})"
)


def reading(notices: str, given: str = "true") -> str:
    """A SELECT of rows of `notices` (an expression of FROM), each with its copies, its key and its
    agency `a`, by agency, where the condition `given` holds. Copies and keys are looked up one by
    one: whatever was known of those tables when it was planned, it goes by their keys."""
    return (
        "SELECT n.*, CASE WHEN n.relates_to IS NOT NULL THEN (SELECT r.referral_number "
        f"FROM {models.notices.fullname} r WHERE r.referral_id = n.relates_to LIMIT 1) "
        f"END AS related_number, {_COPY.format(version='version', profile='profile')} AS sealed, "
        f"{_COPY.format(version='version', profile='part')} AS part_sealed, "
        f"{_COPY.format(version='supersedes', profile='profile')} AS before_sealed, "
        "k.kek_version, k.wrapped, a.name AS agency_name, a.kind AS agency_kind, "
        "a.authority_from, "
        "CASE WHEN NOT a.closed THEN a.authority END AS on_file, "
        "least(a.authority_to, a.mou_to) AS authority_to, a.endpoint, a.encryption_key, "
        "a.channel, a.email, CASE WHEN a.webhook_secret_ends > statement_timestamp() "
        "THEN a.webhook_secrets ELSE a.webhook_secrets[1:1] END AS secrets, "
        "a.allowed_networks, a.hold_until, a.halted, a.consecutive_failures, "
        "a.max_in_flight, a.max_per_minute "
        f"FROM {notices} n "
        f"JOIN {directory_tables.agencies.fullname} a ON a.agency_id = n.agency_id "
        f"LEFT JOIN LATERAL (SELECT kek_version, wrapped FROM {models.child_keys.fullname} "
        "WHERE child_id = n.child_id OFFSET 0) k ON true "
        f"WHERE {given} ORDER BY n.agency_id"
    )


# OFFSET 0: by their keys. Planned once on a young table, the order wanted would walk it.
_READ = reading(f"(SELECT * FROM {models.notices.fullname} WHERE notice_id = ANY(:ids) OFFSET 0)")
_READ_ONE = text(_READ)
_READ_ALONE = text(f"{_READ} FOR NO KEY UPDATE OF a")


async def read_one(session: Session, notice_id: str) -> Any:
    """None when there is no such notice."""
    return (await session.execute(_READ_ONE, {"ids": [notice_id]})).first()


async def read_alone(session: Session, notice_ids: Sequence[str]) -> Sequence[Any]:
    """Their agencies' rows are locked against everybody, in the order of their ids."""
    return await session.execute(_READ_ALONE, {"ids": list(notice_ids)})
