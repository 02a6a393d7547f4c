"""Connecticut's 169 towns, as the caller must spell them."""

import csv
from pathlib import Path

TOWNS = Path(__file__).parent / "data" / "ct_towns.csv"


def load_towns(path: Path = TOWNS) -> frozenset[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return frozenset(row["town"] for row in csv.DictReader(file))
