"""When an agency's encryption key ends: a JWK says so by `exp`, in seconds, if it says so. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime


def key_end(key: Mapping[str, object] | None) -> datetime | None:
    """None: no end, or none that can be read."""
    exp = (key or {}).get("exp")
    if not isinstance(exp, int) or isinstance(exp, bool):
        return None
    try:
        return datetime.fromtimestamp(exp, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def has_ended(key: Mapping[str, object] | None, now: datetime) -> bool:
    """Whether nothing may be encrypted to it any more (ADR 0041)."""
    end = key_end(key)
    return end is not None and end <= now
