"""What is owed as a calendar (RFC 5545). Pure. It names no child and no referral."""

from collections.abc import Iterator
from datetime import datetime

from services.deadlines.due import MOST, Owed, is_overdue

_UTC = (
    *("BEGIN:VTIMEZONE", "TZID:Etc/UTC", "BEGIN:STANDARD", "DTSTART:19700101T000000"),
    *("TZOFFSETFROM:+0000", "TZOFFSETTO:+0000", "TZNAME:UTC", "END:STANDARD", "END:VTIMEZONE"),
)
"""A calendar has a component at least (3.6), also when nothing is due."""


def calendar_feed(owed: Owed, now: datetime) -> str:
    """An event at each due time, which says which duty of which clock, and nothing else; one more,
    now, where there is more than is listed."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Hartline//Deadlines//EN", *_UTC]
    if owed.more:
        summary = f"More than {MOST} clocks: not all are listed here"
        words = "Ask for fewer hours, a role or a desk; see GET /v1/clocks/due and /v1/breaches."
        lines += _event("more", now, now, summary, words)
    for clock in owed.clocks:
        policy = owed.policies[clock.policy, clock.policy_version]
        what = "Overdue" if is_overdue(clock, now) else "Due"
        duty = clock.duty.replace("_", " ")
        summary = f"{what}: {duty} ({policy.policy}, {policy.force})"
        words = f"Clock {clock.clock_id}. Look it up in Hartline."
        lines += _event(clock.clock_id, now, clock.standing.due_at, summary, words)
    lines.append("END:VCALENDAR")
    return "".join(f"{piece}\r\n" for line in lines for piece in _fold(line))


def _event(uid: str, now: datetime, at: datetime, summary: str, words: str) -> list[str]:
    return [
        "BEGIN:VEVENT",
        f"UID:{uid}@hartline",
        f"DTSTAMP:{_time(now)}",
        f"DTSTART:{_time(at)}",
        f"SUMMARY:{_text(summary)}",
        f"DESCRIPTION:{_text(words)}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    ]


def _time(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%SZ}"


def _text(words: str) -> str:
    """As 3.3.11 has it."""
    return words.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")


def _fold(line: str) -> Iterator[str]:
    """Content lines are at most 75 octets; what follows begins with a space."""
    while len(line) > 75:
        yield line[:75]
        line = f" {line[75:]}"
    yield line
