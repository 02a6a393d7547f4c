"""Numbers without a gap, given out by a head that is moved once for many."""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


def still_to_come(keys: Sequence[K]) -> tuple[Counter[K], list[int]]:
    """How many there are of each key, and for each of them how many of the same come after it."""
    numbers = Counter(keys)
    left = numbers.copy()
    to_come = []
    for key in keys:
        left[key] -= 1
        to_come.append(left[key])
    return numbers, to_come
