"""The 169 towns, their judicial districts and DCF offices. A sample, no authority."""

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path

TOWNS = Path(__file__).parent.parent / "data" / "ct_towns.csv"


@cache
def judicial_districts() -> Mapping[str, str]:
    """The judicial district of each town (CGS 51-344)."""
    return {row["town"]: row["judicial_district"] for row in _towns()}


@cache
def dcf_offices() -> Mapping[str, tuple[str, str]]:
    """The DCF area office of each town and its region, `("Norwich", "Region 3")`. As of 2017."""
    return {
        row["town"]: (row["dcf_area_office"], f"Region {row['dcf_region']}") for row in _towns()
    }


@cache
def every_office() -> frozenset[str]:
    return frozenset(office for offices in dcf_offices().values() for office in offices)


def _towns() -> list[dict[str, str]]:
    with TOWNS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
