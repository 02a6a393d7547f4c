"""Where a log went on under a new origin after a restore, as the log itself admits it.

The first entry under the new origin commits to the last checkpoint that was known of the old one.
Standard library and our notes only: the offline verifier stands on it.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.audit.note import BadNote, Checkpoint, decode_base64, parse_checkpoint, parse_note

TURNS = "turns.txt"
_MOST_TURNS_BYTES = 4096
_MAX_LINE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Turn:
    """Entry `index` says that the log goes on from `previous`, whose last checkpoint it repeats."""

    index: int
    previous: str
    committed: Checkpoint


def turned(origin: str, turns: Sequence[Turn]) -> Turn | None:
    """Where the log stopped being `origin`; None for the origin of today."""
    return next((turn for turn in turns if turn.previous == origin), None)


def lost(known: Checkpoint, turn: Turn) -> str | None:
    """Why `known`, a checkpoint beyond the turn, is not covered by what the log admits."""
    committed = turn.committed
    if known.size > committed.size:
        return (
            f"Entries were lost that the log does not admit: {known.size} entries of "
            f"{known.origin} were signed, and entry {turn.index} commits to {committed.size}."
        )
    if known.size == committed.size and known.root != committed.root:
        return f"Two different trees of {known.size} entries of {known.origin} were signed."
    return None


def read_turns(folder: Path, entries: Path) -> tuple[list[Turn], bool]:
    """The turns that the export names, from the entries that tell of them; whether all do.

    Nothing of it is believed before the entries are: a turn that is not in the log spoils a root.
    """
    path = folder / TURNS
    if not path.is_file():
        return [], True
    with path.open("rb") as file:
        data = file.read(_MOST_TURNS_BYTES)
    wanted = sorted({int(line) for line in data.split() if line.isdigit() and len(line) < 19})
    found = (_turn(line, number) for number, line in _lines(entries, set(wanted)))
    turns = [turn for turn in found if turn is not None]
    return turns, b"".join(b"%d\n" % turn.index for turn in turns) == data


def _lines(path: Path, wanted: set[int]) -> Iterator[tuple[int, bytes]]:
    last = max(wanted, default=-1)
    with path.open("rb") as file:
        for number in range(last + 1):
            line = file.readline(_MAX_LINE_BYTES)
            if not line:
                return
            if number in wanted:
                yield number, line


def _turn(line: bytes, index: int) -> Turn | None:
    try:
        leaf: Any = json.loads(decode_base64(json.loads(line)["leaf"]))
        if leaf["kind"] != "continued":
            return None
        record = leaf["record"]
        committed = parse_checkpoint(parse_note(record["committed"].encode()).text)
        return Turn(index, str(record["previous"]), committed)
    except (BadNote, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
