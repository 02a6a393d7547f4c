"""The rules in force: the shipped file's, until two people have put others in force."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from services.notify.directory.authority import today
from services.notify.routing.rule import Rulebook
from services.notify.routing.rulebook import citations_of, read_rulebook
from services.notify.rulemaking import store
from services.notify.rulemaking.store import Adopted
from shared.runtime.db import Session
from shared.runtime.errors import Misconfigured, Retryable
from shared.runtime.ids import utc_now

LOOK_AGAIN = timedelta(seconds=5)
"""How long a process may go by rules that another has replaced."""


def adopted_on(history: Iterable[Adopted], day: date) -> Adopted | None:
    """What is in force on a day: of what has begun by then, what began last; of one day's, what
    was adopted last. None: the shipped file."""
    begun = (each for each in history if each.effective <= day)
    return max(begun, key=lambda each: (each.effective, each.number), default=None)


def adopted_after(history: Sequence[Adopted], day: date) -> Adopted | None:
    """What ends the rules of that day. None: nothing yet."""
    later = [each.effective for each in history if each.effective > day]
    return adopted_on(history, min(later)) if later else None


class Rulebooks:
    """The shipped rules and every adopted version, read again every five seconds at most."""

    def __init__(self, shipped: Rulebook, clock: Callable[[], datetime] = utc_now) -> None:
        self.shipped = shipped
        self._clock = clock
        self._adopted: list[Adopted] = []
        self._books: dict[int, Rulebook] = {}
        self._citations: dict[str, Mapping[str, str]] = {}
        self._looked_at: datetime | None = None

    @property
    def latest(self) -> Rulebook:
        """Those in force on this day in Connecticut, as far as this process has read."""
        return self.on(today(self._clock()))

    @property
    def adopted(self) -> Sequence[Adopted]:
        """In the order of their adoption, as far as this process has read."""
        return self._adopted

    def on(self, day: date) -> Rulebook:
        """Those in force on a day. Raises Retryable if they ask for newer software than this."""
        try:
            return self.read(day)
        except Misconfigured:
            raise Retryable("the rules in force are not for this version of Hartline") from None

    def read(self, day: date) -> Rulebook:
        """The same. Raises Misconfigured, which says what this software misses in them."""
        found = adopted_on(self._adopted, day)
        return self.shipped if found is None else self._book(found)

    async def current(self, session: Session) -> Rulebook:
        """Those in force now, after a look at the table if the last one is too long ago."""
        now = self._clock()
        if self._looked_at is None or now - self._looked_at >= LOOK_AGAIN:
            await self.refresh(session)
            self._looked_at = now
        return self.latest

    async def refresh(self, session: Session) -> None:
        """Read what was adopted since."""
        seen = self._adopted[-1].number if self._adopted else 0
        found = await store.adopted(session, seen)
        seen = self._adopted[-1].number if self._adopted else 0
        self._adopted += [each for each in found if each.number > seen]

    async def citations(
        self, session: Session, versions: Iterable[str]
    ) -> Mapping[str, Mapping[str, str]]:
        """Version → rule → law, of whatever versions notices on record were planned by."""
        unknown = set(versions).difference(self._citations)
        if unknown:
            found = await store.texts_of(session, unknown)
            self._citations |= {version: citations_of(text) for version, text in found.items()}
        mine = {rule.id: rule.citation for rule in self.shipped.rules}
        return {self.shipped.version: mine} | self._citations

    def _book(self, of: Adopted) -> Rulebook:
        if of.number not in self._books:
            self._books[of.number] = read_rulebook(of.text, f"rules {of.version}")
        return self._books[of.number]
