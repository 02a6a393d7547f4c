"""What an agency's Retry-After says."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"[0-9]+")
_FOR_EVER = 1e9


def seconds_of(value: str | None) -> float | None:
    """Seconds from now, given as such or as an HTTP date; None when it says nothing sensible."""
    if value is None:
        return None
    if _SECONDS.fullmatch(value):
        return min(float(value), _FOR_EVER)
    try:
        at = parsedate_to_datetime(value)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0.0, (at - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError, TypeError):
        return None
