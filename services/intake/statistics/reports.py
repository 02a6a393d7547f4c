"""The contents of exports: exact figures as JSON or CSV. Pure."""

import csv
import io
import json
from collections.abc import Sequence

from services.intake.statistics import categories
from services.intake.statistics.records import Export, Format
from services.intake.statistics.tables import Table

Line = tuple[str, str, str, int, int]


def ncands(export: Export, found: Sequence[Line]) -> str:
    """Referrals of alleged sex trafficking and, of these, victims whom a Decision Map confirmed.

    By age at victimisation, race and ethnicity, and gender, in a federal fiscal year. The layout is
    ours: NCANDS takes a child file, which this feeds and does not replace.
    """
    head = ("age_at_victimization", "race_ethnicity", "gender", "referrals", "confirmed")
    lines = [
        (
            categories.AGE[age],
            categories.RACE_ETHNICITY[race],
            categories.GENDER[gender],
            count,
            confirmed,
        )
        for age, race, gender, count, confirmed in found
    ]
    about = {"export": export.kind.value, "federal_fiscal_year": export.year}
    totals = {
        "referrals": sum(line[3] for line in lines),
        "confirmed": sum(line[4] for line in lines),
    }
    if export.format is Format.CSV:
        return as_csv(head, [*lines, ("Total", "", "", totals["referrals"], totals["confirmed"])])
    rows = [dict(zip(head, line, strict=True)) for line in lines]
    return json.dumps(about | {"totals": totals, "rows": rows}, ensure_ascii=False)


def monthly(export: Export, tables: Sequence[Table]) -> str:
    """Every table of one month, rows of zero too."""
    lines = [(table.name, row.label, row.count) for table in tables for row in table.rows]
    if export.format is Format.CSV:
        month = f"{export.year}-{export.month:02d}"
        return as_csv(("month", "table", "row", "count"), [(month, *line) for line in lines])
    about = {"export": export.kind.value, "year": export.year, "month": export.month}
    shown = [
        {
            "name": table.name,
            "title": table.title,
            "rows": [{"row": row.label, "count": row.count} for row in table.rows],
        }
        for table in tables
    ]
    return json.dumps(about | {"tables": shown}, ensure_ascii=False)


def as_csv(head: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    """RFC 4180."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(head)
    writer.writerows(lines)
    return out.getvalue()
