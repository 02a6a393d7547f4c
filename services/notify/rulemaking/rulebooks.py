"""The rules in force: the shipped file's, until two people have put others in force."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.notify.authority import today
from services.notify.rule import Rulebook
from services.notify.rulebook import read_rulebook
from services.notify.rulemaking import store
from shared.runtime.db import Session
from shared.runtime.ids import utc_now

LOOK_AGAIN = timedelta(seconds=5)
"""How long a process may go by rules that another has replaced."""


@dataclass(frozen=True, slots=True)
class _Dated:
    effective: date
    book: Rulebook


class Rulebooks:
    """The shipped rules and every adopted version, read again every five seconds at most."""

    def __init__(self, shipped: Rulebook, clock: Callable[[], datetime] = utc_now) -> None:
        self._shipped = shipped
        self._clock = clock
        self._adopted: list[_Dated] = []
        self._seen = 0
        self._looked_at: datetime | None = None

    @property
    def latest(self) -> Rulebook:
        """Those in force on this day in Connecticut, as far as this process has read."""
        return self.on(today(self._clock()))

    def on(self, day: date) -> Rulebook:
        """Those in force on a day: of what had become effective by then, what was adopted last."""
        due = [each.book for each in self._adopted if each.effective <= day]
        return due[-1] if due else self._shipped

    async def current(self, session: Session) -> Rulebook:
        """Those in force now, after a look at the table if the last one is too long ago."""
        now = self._clock()
        if self._looked_at is None or now - self._looked_at >= LOOK_AGAIN:
            await self.refresh(session)
            self._looked_at = now
        return self.latest

    async def refresh(self, session: Session) -> None:
        """Read what was adopted since."""
        for each in await store.adopted(session, self._seen):
            if each.number > self._seen:
                book = read_rulebook(each.text, f"rules {each.version}")
                self._adopted.append(_Dated(each.effective, book))
                self._seen = each.number
