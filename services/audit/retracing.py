"""Traces for entries that lack them: what an old `recover from-export` brought back had none.

Without its traces an entry is in the log and proven, and no accounting finds it.
"""

import json
from dataclasses import dataclass

from services.audit import recovering_store
from services.audit.models import ACTS
from services.audit.traces import traces_of
from shared.runtime.acts import record
from shared.runtime.db import Database

_PAGE = 2000


@dataclass(frozen=True)
class Retraced:
    """Of `entries` looked at, how many lacked a trace."""

    entries: int
    lacking: int


async def retrace(db: Database, typed: str, by: str, *, dry_run: bool) -> Retraced:
    """Walk the log and add what is missing, a page in a transaction. May be broken off and begun
    again, and run beside the service. `typed` and `by`: for the record of who did it."""
    seen, lacking, start = 0, 0, 0
    while True:
        async with db.transaction() as session:
            leaves = await recovering_store.leaves_from(session, start, _PAGE)
            wanted = [
                (trace, index) for index, leaf in leaves for trace in traces_of(json.loads(leaf))
            ]
            missing = await recovering_store.lacking_traces(session, wanted)
            entries = len({index for _, index in missing})
            if missing and not dry_run:
                await recovering_store.add_traces(session, missing)
                await record(session, ACTS, typed, by, entries)
        if not leaves:
            return Retraced(seen, lacking)
        seen, lacking, start = seen + len(leaves), lacking + entries, leaves[-1][0] + 1
