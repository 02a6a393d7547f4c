"""A consult as its history says, locked with its child, and the next line of that history."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from services.intake import child_store
from services.intake.child_store import ChildRow
from services.intake.hart import store
from services.intake.hart.consults import Consult, Entry, Step, fold
from services.intake.hart.recusing import Recusals
from services.intake.hart.store import ConsultRow, EntryRow
from services.intake.once import Asked
from services.intake.sealed_notes import Notes
from shared.runtime.db import Session
from shared.runtime.ids import new_id

TABLE = "consult_entries"


@dataclass(frozen=True, slots=True)
class Held:
    """A consult whose child nobody else can touch. `recused`: the caller is kept out of it;
    `conflicted`: the other person of the step is."""

    row: ConsultRow
    child: ChildRow
    entries: list[EntryRow]
    consult: Consult
    recused: bool
    conflicted: bool = False


class Histories:
    """Reads and extends histories in the caller's session."""

    def __init__(self, notes: Notes, recusals: Recusals) -> None:
        self._notes = notes
        self._recusals = recusals

    async def hold(
        self, session: Session, consult_id: str, caller: str, other: str | None = None
    ) -> Held | None:
        """The consult, until this transaction ends; None if there is no such one."""
        row = await store.find(session, consult_id)
        if row is None:
            return None
        child = await child_store.hold(session, row.referral_id, row.child_id)
        assert child is not None
        held = await self._held(session, row, child, caller)
        if other is None:
            return held
        return replace(held, conflicted=await self.barred(session, child, other))

    async def latest(self, session: Session, child: ChildRow, caller: str) -> Held | None:
        """The latest consult of a child that is held already."""
        row = await store.latest(session, child.child_id)
        return None if row is None else await self._held(session, row, child, caller)

    async def open(self, session: Session, child: ChildRow, before: Held | None) -> ConsultRow:
        """A new consult, without a line yet."""
        ordinal = 1 if before is None else before.row.ordinal + 1
        row = ConsultRow(new_id("con"), child.referral_id, child.child_id, ordinal)
        await store.open_consult(session, row)
        return row

    async def barred(self, session: Session, child: ChildRow, person: str) -> bool:
        """Whether a person is kept out of the child's referral."""
        return await self._recusals.barred(session, child.referral_id, person)

    async def extend(
        self,
        session: Session,
        ask: Asked,
        at: Held | tuple[ConsultRow, ChildRow],
        step: Step,
        occurred_at: datetime,
        *,
        person: str | None = None,
        note: Mapping[str, Any] | None = None,
    ) -> None:
        """Append the next line, its note sealed; to a new consult, the first one."""
        row, child, position = (
            (at.row, at.child, at.consult.entries + 1) if isinstance(at, Held) else (*at, 1)
        )
        place = f"{row.consult_id}/{position}"
        await store.append(
            session,
            EntryRow(
                consult_id=row.consult_id,
                position=position,
                step=step.value,
                actor=ask.owner,
                person=person or ask.owner,
                occurred_at=occurred_at,
                recorded_at=ask.now,
                sealed=None if note is None else self._notes.seal(child.key, TABLE, place, note),
            ),
        )

    def note(self, held: Held, entry: EntryRow) -> dict[str, Any]:
        """What was sealed with a line; nothing, if it has no note. Raises Unsealable."""
        if entry.sealed is None:
            return {}
        place = f"{entry.consult_id}/{entry.position}"
        return self._notes.open(held.child.key, TABLE, place, entry.sealed)

    async def _held(self, session: Session, row: ConsultRow, child: ChildRow, caller: str) -> Held:
        entries = await store.history(session, row.consult_id)
        consult = fold(Entry(Step(each.step), each.person, each.occurred_at) for each in entries)
        assert consult is not None
        return Held(row, child, entries, consult, await self.barred(session, child, caller))
