"""What is shown of clocks beside JSON: CSV, a picture, a calendar feed, and lines to read. Pure.

None of it names a child or a referral: only policies, desks, agencies' opaque ids and clock ids.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from services.deadlines.calendars import CONNECTICUT
from services.deadlines.clocks import Clock
from services.deadlines.compliance import Line
from services.deadlines.policy import Policy

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


def calendar_feed(
    clocks: Iterable[Clock], policies: Mapping[tuple[str, str], Policy], now: datetime
) -> str:
    """RFC 5545: an event at each due time. It says which duty of which clock, and nothing else."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Hartline//Deadlines//EN"]
    for clock in clocks:
        policy = policies[clock.policy, clock.policy_version]
        what = clock.duty.replace("_", " ")
        lines += [
            "BEGIN:VEVENT",
            f"UID:{clock.clock_id}@hartline",
            f"DTSTAMP:{now:%Y%m%dT%H%M%SZ}",
            f"DTSTART:{clock.standing.due_at:%Y%m%dT%H%M%SZ}",
            f"SUMMARY:Due: {what} ({policy.policy}, {policy.force})",
            f"DESCRIPTION:Clock {clock.clock_id}. Look it up in Hartline.",
            "TRANSP:TRANSPARENT",
            "END:VEVENT",
        ]
    lines.append("END:VCALENDAR")
    return "".join(f"{piece}\r\n" for line in lines for piece in _fold(line))


def _fold(line: str) -> Iterator[str]:
    """Content lines are at most 75 octets; what follows begins with a space."""
    while len(line) > 75:
        yield line[:75]
        line = f" {line[75:]}"
    yield line


def history(clock: Clock, policy: Policy) -> list[tuple[datetime, str]]:
    """What became of a clock, a line each, oldest first, in Connecticut's time."""
    standing, name = clock.standing, f"{policy.policy} ({clock.duty.replace('_', ' ')})"
    lines = [
        (standing.basis_at, f"{name}: the clock began; due {_local(standing.due_at)}."),
        *(_warning(clock, name, minutes) for minutes in clock.warned),
    ]
    if clock.breach is not None:
        found = _local(clock.breach.discovered_at)
        why = (clock.breach.reason or "unknown").replace("_", " ")
        lines.append((clock.breach.due_at, f"{name}: ran out ({why}); noticed {found}."))
    if standing.satisfied_at is not None:
        what = "the duty ended" if standing.released else "the duty was met"
        when = "in time" if standing.in_time else "late"
        lines.append((standing.satisfied_at, f"{name}: {what}, {when}."))
    if clock.correction is not None:
        words = "found to have been met in time after all; the breach is corrected."
        lines.append((clock.correction.discovered_at, f"{name}: {words}"))
    return sorted(lines)


def _warning(clock: Clock, name: str, minutes: int) -> tuple[datetime, str]:
    due = clock.standing.due_at
    at = datetime.fromtimestamp(due.timestamp() - 60 * minutes, due.tzinfo)
    return at, f"{name}: {minutes} minutes before it is due, not met; people were warned."


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(ZoneInfo(CONNECTICUT)):%Y-%m-%d %H:%M %Z}"
