"""Which text PostgreSQL and UTF-8 can hold. Pure."""

import re

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(value: str) -> bool:
    """Whether it has neither NUL nor half of a surrogate pair."""
    return _UNSTORABLE.search(value) is None
