"""What was said of clocks and when, and how their time moved: all SQL of it. Nothing commits."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import text

from services.deadlines.history import Move, Past, Warned
from services.deadlines.sayings import warning_of
from shared.runtime.db import Session


async def add(session: Session, moves: Sequence[tuple[str, Move]]) -> None:
    """Keep due times that moved, each with its clock's id."""
    if not moves:
        return
    await session.execute(
        _ADD,
        {
            "ids": [clock_id for clock_id, _ in moves],
            "moved": [each.moved_at for _, each in moves],
            "began": [each.began_at for _, each in moves],
            "before": [each.before_at for _, each in moves],
            "dues": [each.due_at for _, each in moves],
        },
    )


async def pasts(session: Session, clock_ids: Sequence[str]) -> Mapping[str, Past]:
    """The past of each of these clocks."""
    said, moves = defaultdict(list), defaultdict(list)
    for row in await session.execute(_SAID, {"ids": list(clock_ids)}):
        minutes = warning_of(row.kind)
        if minutes is not None:
            said[row.clock_id].append(Warned(row.discovered_at, row.due_at, minutes))
    for row in await session.execute(_MOVES, {"ids": list(clock_ids)}):
        moves[row.clock_id].append(Move(row.moved_at, row.began_at, row.before_at, row.due_at))
    return {each: Past(_spoken(said[each]), moves[each]) for each in clock_ids}


def _spoken(found: Sequence[Warned]) -> list[Warned]:
    """Earlier releases kept those that were passed over beside the one that was said then."""
    shortest = {each.said_at: each for each in sorted(found, key=lambda one: -one.minutes)}
    return [each for _, each in sorted(shortest.items())]


_ADD = text(
    "INSERT INTO deadlines.moves (clock_id, moved_at, began_at, before_at, due_at) "
    "SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:moved AS timestamptz[]), "
    "CAST(:began AS timestamptz[]), CAST(:before AS timestamptz[]), "
    "CAST(:dues AS timestamptz[])) ON CONFLICT DO NOTHING"
)
_SAID = text(
    "SELECT clock_id, kind, due_at, discovered_at FROM deadlines.announcements "
    "WHERE clock_id = ANY(CAST(:ids AS text[]))"
)
_MOVES = text(
    "SELECT clock_id, moved_at, began_at, before_at, due_at FROM deadlines.moves "
    "WHERE clock_id = ANY(CAST(:ids AS text[])) ORDER BY moved_at, before_at"
)
