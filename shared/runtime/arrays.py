"""Arrays as asyncpg is given them: lists, and nothing else.

Of each value in an array asyncpg asks whether it is an array too, by way of abstract classes. That
takes 0.1 µs, of a text 0.25, and deadlines alone keeps 500 values of a referral.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from asyncpg.protocol import protocol

_ABOUT = "IterableABC"
"""What asyncpg asks by. An asyncpg that asks otherwise does not look at it."""
_AS_THEY_ARE = (list, str, int, datetime, bytes, bytearray, memoryview, type(None))


def lists_alone() -> None:
    """From now on an array is a list in this process: asyncpg refuses any other collection, as it
    does what is none."""
    vars(protocol)[_ABOUT] = list


def as_array(value: Any) -> Any:
    """A collection as asyncpg takes it; whatever is none as it is."""
    if isinstance(value, _AS_THEY_ARE):
        return value
    other = isinstance(value, Collection) and not isinstance(value, Mapping)
    return list(value) if other else value
