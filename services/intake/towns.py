"""Connecticut's 169 towns, as the caller must spell them."""

import csv
import re
from functools import cache
from pathlib import Path

TOWNS = Path(__file__).parent / "data" / "ct_towns.csv"


def load_towns(path: Path = TOWNS) -> frozenset[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return frozenset(row["town"] for row in csv.DictReader(file))


def towns_in(text: str) -> frozenset[str]:
    """The towns that a text names, however cased: all of `New Haven`, and not `Haven`."""
    found = {each.casefold() for each in _pattern().findall(text)}
    return frozenset(town for town in load_towns() if town.casefold() in found)


@cache
def _pattern() -> re.Pattern[str]:
    longest_first = sorted(load_towns(), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b", re.IGNORECASE)
