"""What waits with a parked subject, told without its content: ids, types, versions, times, and the
names of what two events of one number say differently."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError
from sqlalchemy import text

from shared.contracts.base import Event
from shared.messaging.quarantined import FORK
from shared.messaging.tables import InboxTables
from shared.runtime.db import Session

Stream = tuple[str, str, str]
"""Topic, source, subject."""

_NUMBERS_READ = 200


@dataclass(frozen=True, slots=True)
class Kept:
    """An event that this service holds, and since when. `place` is of the quarantine alone."""

    event: Event
    since: datetime
    handled: bool = False
    place: str | None = None

    def describe(self, *, stands: bool) -> str:
        event, version = self.event, self.event.data.get("version")
        named = f" version {version}" if isinstance(version, int) else ""
        what = f"{event.id} {event.type}{named}, emitted {_at(event.time)}, here {_at(self.since)}"
        where = f"in quarantine as {self.place}" if self.place else "handled"
        if not (self.place or self.handled):
            where = "not handled yet"
        return f"  {'stands' if stands else 'waits':7} {what}, {where}"


@dataclass(frozen=True, slots=True)
class Numbered:
    """All events that a service holds of one number of a stream."""

    topic: str
    sequence: int
    kept: Kept | None
    """The one that came first. None: it was handled, and removed since."""
    others: Sequence[Kept]

    def describe(self) -> list[str]:
        lines = [f"{self.topic} #{self.sequence}"]
        if self.kept:
            lines.append(self.kept.describe(stands=bool(self.others)))
        elif self.others:
            lines.append("  stands  an event that was handled, and removed since")
        for other in self.others:
            lines += [other.describe(stands=False), f"          {self._compared(other.event)}"]
        return lines

    def _compared(self, other: Event) -> str:
        if self.kept is None:
            return "What the first said is not kept: take the two for different."
        differing = differences(self.kept.event, other)
        if differing:
            return f"The two differ in {', '.join(differing)}."
        return "The two say the same under two ids."


def differences(one: Event, other: Event) -> list[str]:
    """The names of what they say differently; no value of it (P5)."""
    names = sorted(one.data.keys() | other.data.keys())
    found = [name for name in names if one.data.get(name) != other.data.get(name)]
    return (["type"] if one.type != other.type else []) + found


async def held(session: Session, tables: InboxTables, subject: str) -> list[Numbered]:
    """What a parked subject waits for: the next event of each of its parked streams, and every
    number that two events have."""
    streams = await session.execute(
        text(
            "SELECT topic, source, subject, cursor, parked_reason "
            f"FROM {tables.streams.fullname} WHERE subject = :subject AND parked_at IS NOT NULL "
            "ORDER BY topic, source"
        ),
        {"subject": subject},
    )
    forks = await _forks(session, tables, subject)
    found = []
    for row in streams:
        others = forks.get((row.topic, row.source, row.subject), [])
        numbers = {each.event.sequence for each in others}
        if row.parked_reason != FORK:
            numbers.add(row.cursor + 1)
        for number in sorted(numbers):
            kept = await _first(session, tables, (row.topic, row.source, row.subject), number)
            same = [each for each in others if each.event.sequence == number]
            found.append(Numbered(row.topic, number, kept, same))
    return found


async def fork_numbers(session: Session, tables: InboxTables) -> dict[Stream, int]:
    """The lowest number that two events of a stream have, of every stream that has one."""
    forks = await _forks(session, tables, None)
    return {stream: min(each.event.sequence for each in some) for stream, some in forks.items()}


async def _forks(
    session: Session, tables: InboxTables, subject: str | None
) -> dict[Stream, list[Kept]]:
    """The quarantined ones, by stream; of one subject, or the oldest of all."""
    rows = await session.execute(
        text(
            "SELECT topic, concat_ws('/', topic, partition, \"offset\") AS place, body, "
            f"quarantined_at FROM {tables.quarantine.fullname} WHERE released_at IS NULL "
            "AND reason = :fork AND body IS NOT NULL AND (CAST(:subject AS text) IS NULL OR "
            "position(convert_to('\"' || CAST(:subject AS text) || '\"', 'UTF8') IN body) > 0) "
            f'ORDER BY quarantined_at, topic, partition, "offset" LIMIT {_NUMBERS_READ}'
        ),
        {"fork": FORK, "subject": subject},
    )
    found: dict[Stream, list[Kept]] = {}
    for row in rows:
        for event in _read(row.body):
            if subject in (None, event.subject):
                kept = Kept(event, row.quarantined_at, place=row.place)
                stream = row.topic, event.source.value, event.subject
                found.setdefault(stream, []).append(kept)
    return found


async def _first(
    session: Session, tables: InboxTables, stream: Stream, sequence: int
) -> Kept | None:
    topic, source, subject = stream
    rows = await session.execute(
        text(
            "SELECT i.body, i.received_at, i.sequence <= s.cursor AS handled "
            f"FROM {tables.inbox.fullname} i JOIN {tables.streams.fullname} s "
            "ON s.topic = i.topic AND s.source = i.source AND s.subject = i.subject "
            "WHERE i.topic = :topic AND i.source = :source AND i.subject = :subject "
            "AND i.sequence = :sequence"
        ),
        {"topic": topic, "source": source, "subject": subject, "sequence": sequence},
    )
    for row in rows:
        for event in _read(row.body):
            return Kept(event, row.received_at, handled=row.handled)
    return None


def _read(body: bytes) -> Iterator[Event]:
    """None, where it is not what the inbox put there."""
    try:
        yield Event.model_validate_json(body)
    except ValidationError:
        return


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
