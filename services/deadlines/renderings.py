"""The compliance report beside JSON: CSV and a picture. Pure.

Neither names a child or a referral: only policies and agencies' opaque ids.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from xml.sax.saxutils import escape

from services.deadlines.compliance import Line

_COLUMNS = (
    *("policy", "agency_id", "clocks", "in_time", "late", "not_yet", "released"),
    *("late_p50_seconds", "late_p95_seconds"),
)
_COLOURS = (("in time", "#2c7a4b"), ("late", "#c98a1b"), ("not yet", "#b3362b"), ("ended", "#888"))
_BAR, _ROW, _LEFT = 420, 26, 230


def compliance_csv(lines: Iterable[Line]) -> str:
    """A header and a row per line; of a policy as a whole, agency_id is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for line in lines:
        numbers = (line.clocks, line.in_time, line.late, line.not_yet, line.released)
        writer.writerow((line.policy, line.agency_id or "", *numbers, line.late_p50, line.late_p95))
    return out.getvalue()


def compliance_svg(lines: Sequence[Line], title: str) -> str:
    """One bar per policy: in time, late, not yet, ended."""
    whole = [line for line in lines if line.agency_id is None]
    height = 70 + _ROW * len(whole)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _BAR + 90}" height="{height}" '
        'font-family="sans-serif" font-size="13" role="img">',
        f"<title>{escape(title)}</title>",
        f'<text x="10" y="20" font-weight="bold">{escape(title)}</text>',
    ]
    for place, (name, colour) in enumerate(_COLOURS):
        x = _LEFT + place * 100
        parts.append(f'<rect x="{x}" y="30" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{x + 18}" y="41">{name}</text>')
    for place, line in enumerate(whole):
        parts += _bar(line, 56 + place * _ROW)
    return "\n".join([*parts, "</svg>\n"])


def _bar(line: Line, y: int) -> Iterator[str]:
    yield f'<text x="10" y="{y + 13}">{escape(line.policy)} ({line.clocks})</text>'
    x = float(_LEFT)
    numbers = (line.in_time, line.late, line.not_yet, line.released)
    for number, (name, colour) in zip(numbers, _COLOURS, strict=True):
        width = _BAR * number / max(1, line.clocks)
        if number:
            yield (
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="18" fill="{colour}">'
                f"<title>{name}: {number}</title></rect>"
            )
        x += width
