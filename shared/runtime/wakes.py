"""Waking a loop before its next poll. Losing a wake costs a poll interval, never an event."""

import asyncio
import random
from collections.abc import Callable


class Wakes:
    """Named wake-ups within a process, and, through a notifier, to other processes.

    A loop calls `wait(name, timeout)`; whoever made work for it calls `wake(name)` after commit.
    """

    def __init__(self) -> None:
        self.leads = False
        """Whether this process leads its service's relay. One that does not is not the only one,
        and the one that does waits for its wakes."""
        self.leaving = False
        """Whether it takes on nothing more: what it makes ready yet is for others."""
        self._events: dict[str, asyncio.Event] = {}
        self._later: dict[str, asyncio.TimerHandle] = {}
        self._notifiers: list[Callable[[str], None]] = []

    def wake(self, name: str) -> None:
        """Wake this process's loop at once, and tell the other processes."""
        if (later := self._later.pop(name, None)) is not None:
            later.cancel()
        self.wake_here(name)
        for notify in self._notifiers:
            notify(name)

    def wake_within(self, name: str, seconds: float) -> None:
        """Wake it once for whatever asks for that in the meantime; at once does for all of them.

        When in the second half is left to chance: by a steady clock it would fall between the same
        two steps of everything that comes at a steady beat.
        """
        if name not in self._later:
            loop = asyncio.get_running_loop()
            later = seconds * random.uniform(0.5, 1.0)  # noqa: S311
            self._later[name] = loop.call_later(later, self.wake, name)

    def wake_here(self, name: str) -> None:
        self._event(name).set()

    def on_wake(self, notify: Callable[[str], None]) -> None:
        """Also call `notify(name)` for every wake made here (see `pgnotify`)."""
        self._notifiers.append(notify)

    async def wait(self, name: str, timeout: float) -> bool:  # noqa: ASYNC109
        """Wait until woken (True) or `timeout` seconds are over (False)."""
        event = self._event(name)
        try:
            async with asyncio.timeout(timeout):
                await event.wait()
        except TimeoutError:
            return False
        event.clear()
        return True

    def _event(self, name: str) -> asyncio.Event:
        return self._events.setdefault(name, asyncio.Event())
