"""The JSON of the statistics. Public answers are made of what is shown (showing.py). Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from services.intake.answers import instant
from services.intake.statistics.records import Export, Release
from services.intake.statistics.releasing import Restatement
from services.intake.statistics.schemas import Population
from services.intake.statistics.showing import (
    NOTE,
    PER,
    ShownTable,
    as_json,
    show,
)
from services.intake.statistics.showing import (
    rates as rates_of,
)
from services.intake.statistics.tables import TOTAL, Table

HELD_BACK = (
    "Shown beside the earlier releases of its year, this one would let a small figure be worked "
    "out. The earlier ones stand."
)


def release(found: Release) -> dict[str, Any]:
    """A release as it is published; one that was held back says so and shows no figure."""
    here = f"/v1/statistics/releases/{found.number}"
    about = {
        "release": found.number,
        "year": found.year,
        "made_at": instant(found.made_at),
        "reason": found.reason.value,
    }
    if found.withheld is None:
        return about | {"held_back": True, "note": HELD_BACK, "links": {"self": here}}
    links = {"self": here} | {
        name: f"{here}/{path}"
        for name, path in (
            ("csv", "tables.csv"),
            ("picture", "picture.svg"),
            ("restatement", "restatement"),
        )
    }
    tables = as_json(show(found.tables, found.withheld))
    return about | {"held_back": False, "note": NOTE, "tables": tables, "links": links}


def exact(year: int, now: datetime, tables: Sequence[Table]) -> dict[str, Any]:
    return {"year": year, "as_of": instant(now), "exact": True, "tables": as_json(show(tables))}


def years(latest: Sequence[Release]) -> dict[str, Any]:
    """Referrals by year; the sum over the years only when none of them is withheld."""
    rows = [
        {"year": each.year, "release": each.number, "referrals": _total(each)} for each in latest
    ]
    totals = [_total(each) for each in latest]
    shown = [total for total in totals if total is not None]
    whole = len(shown) == len(totals)
    return {"years": rows, "note": NOTE} | ({"total": sum(shown)} if whole else {})


def exact_years(counts: Mapping[int, int]) -> dict[str, Any]:
    rows = [{"year": year, "referrals": count} for year, count in counts.items()]
    return {"exact": True, "years": rows, "total": sum(counts.values())}


def restatement(found: Restatement) -> dict[str, Any]:
    """What was shown before and is shown otherwise now, and the causes without their numbers."""
    about = {
        "release": found.release.number,
        "year": found.release.year,
        "compared_with": None if found.before is None else found.before.number,
        "reason": found.release.reason.value,
        "causes": sorted({cause for cause, _, _ in found.causes}),
    }
    if found.release.withheld is None:
        return about | {"held_back": True, "note": HELD_BACK}
    hidden = found.release.withheld
    changed = [each for each in found.moved if each.cell not in hidden]
    return about | {
        "held_back": False,
        "changed": [{"cell": each.cell, "was": each.was, "now": each.now} for each in changed],
        "withheld_may_have_changed": bool(found.before),
    }


def exact_restatement(found: Restatement) -> dict[str, Any]:
    return {
        "release": found.release.number,
        "year": found.release.year,
        "compared_with": None if found.before is None else found.before.number,
        "held_back": found.release.withheld is None,
        "reason": found.release.reason.value,
        "changed": [{"cell": each.cell, "was": each.was, "now": each.now} for each in found.moved],
        "causes": [
            {"cause": cause, "columns": list(columns), "children": count}
            for cause, columns, count in found.causes
        ],
    }


def rates(found: Release, tables: Sequence[ShownTable], given: Population) -> dict[str, Any]:
    """Per 1,000 children; a town whose count is withheld has no rate."""
    return {
        "release": found.number,
        "year": found.year,
        "population_source": given.source,
        "per": PER,
        "towns": [
            {"town": town, "count": count, "children": children, "rate": rate}
            for town, count, children, rate in rates_of(tables, given.children)
        ],
    }


def export(found: Export) -> dict[str, Any]:
    return {
        "export_id": found.export_id,
        "kind": found.kind.value,
        "year": found.year,
        "month": found.month,
        "format": found.format.value,
        "asked_at": instant(found.asked_at),
        "approved_at": None if found.approved_at is None else instant(found.approved_at),
    }


def _total(release: Release) -> int | None:
    if release.withheld is None or TOTAL in release.withheld:
        return None
    return next(count for table in release.tables for cell, count in table.cells() if cell == TOTAL)
