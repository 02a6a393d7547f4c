"""A release as a picture: SVG, drawn by hand, legible in black and white. Pure.

It is drawn from what is shown and knows nothing else: a withheld figure has no bar and no length.
"""

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from services.intake.statistics.records import Release
from services.intake.statistics.showing import NOTE, WITHHELD, ShownRow, ShownTable
from services.intake.statistics.tables import PRESENTED

WIDTH = 760
_LABELS, _BARS, _LONGEST = 230, 245, 410
_ROW, _BAR = 26, 16
_FONT = "font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\""


def draw(release: Release, tables: Sequence[ShownTable]) -> str:
    """The three tables of the 2018 presentation as bars, each figure beside its bar."""
    chosen = [table for name in PRESENTED for table in tables if table.name == name]
    scale = max((row.count or 0 for table in chosen for row in table.rows), default=0)
    parts: list[str] = []
    top = 96
    for table in chosen:
        parts += _table(table, release.year, top, scale)
        top += 34 + _ROW * len(table.rows) + 30
    total = next(table.rows[0] for table in tables if table.name == "total")
    return _page(release, total, parts, top)


def _page(release: Release, total: ShownRow, parts: Sequence[str], top: int) -> str:
    title = f"Child trafficking referrals, Connecticut, {release.year}"
    height = top + 46
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" aria-label={quoteattr(title)} {_FONT} fill="#000">'
    )
    made = release.made_at.date().isoformat()
    about = f"Release {release.number}, {made}. {_said(total)}"
    return "\n".join(
        [
            head,
            f"<title>{escape(title)}</title>",
            f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
            _text(24, 40, title, size=22, weight="bold"),
            _text(24, 64, about, size=14),
            *parts,
            f'<line x1="24" y1="{top - 8}" x2="{WIDTH - 24}" y2="{top - 8}" stroke="#000"/>',
            _text(24, top + 14, NOTE, size=12),
            _text(
                24, top + 32, "Ages are at the time of victimization, not of the report.", size=12
            ),
            "</svg>",
            "",
        ]
    )


def _table(table: ShownTable, year: int, top: int, scale: int) -> list[str]:
    parts = [_text(24, top + 16, f"{year} {table.title}", size=16, weight="bold")]
    for position, row in enumerate(table.rows):
        parts += _row(row, top + 34 + position * _ROW, scale)
    bottom = top + 34 + len(table.rows) * _ROW
    parts.append(f'<line x1="{_BARS}" y1="{top + 30}" x2="{_BARS}" y2="{bottom}" stroke="#000"/>')
    return parts


def _row(row: ShownRow, top: int, scale: int) -> list[str]:
    base = top + 13
    parts = [_text(_LABELS, base, row.label, size=14, anchor="end")]
    if row.count is None:
        return [*parts, _text(_BARS + 8, base, WITHHELD, size=13, style="italic")]
    length = round(_LONGEST * row.count / scale) if scale else 0
    if length:
        parts.append(f'<rect x="{_BARS}" y="{top}" width="{length}" height="{_BAR}" fill="#444"/>')
    return [*parts, _text(_BARS + length + 8, base, f"{row.count:,}", size=14, weight="bold")]


def _said(total: ShownRow) -> str:
    if total.count is None:
        return "The total is withheld."
    return f"{total.count:,} children in referrals; each table adds up to that."


def _text(
    x: int,
    y: int,
    words: str,
    *,
    size: int,
    weight: str = "normal",
    anchor: str = "start",
    style: str = "normal",
) -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" font-style="{style}" '
        f'text-anchor="{anchor}">{escape(words)}</text>'
    )
