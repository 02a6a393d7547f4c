"""Ids and the time of day."""

import secrets
from datetime import UTC, datetime

from uuid_utils import uuid7


def new_id(kind: str) -> str:
    """An id that a partner may see: a kind of three letters and 128 random bits."""
    return f"{kind}_{secrets.token_hex(16)}"


def new_event_id() -> str:
    """An internal id that sorts by time (UUID version 7)."""
    return str(uuid7())


def utc_now() -> datetime:
    """Now, aware, in UTC. Rules never call it: they are handed `now`."""
    return datetime.now(UTC)
