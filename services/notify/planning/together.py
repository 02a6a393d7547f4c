"""Questions that come while others are on their way are asked together, in one call."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from shared.runtime.errors import Permanent

Q = TypeVar("Q")
A = TypeVar("A")

_BESIDE = 2
"""Calls on their way at a time: the first goes at once, and nobody waits for more to come."""
_MOST = 32


class Together(Generic[Q, A]):
    """Asks one question alone while few are asked; otherwise all that wait, in one call.

    `ask_all` answers each in its place, or None for one that must be asked alone to hear why. If it
    raises Permanent (one of them spoils it, or nobody there answers several yet), each is asked
    alone; anything else it raises, each hears.
    """

    def __init__(
        self,
        ask: Callable[[Q], Awaitable[A]],
        ask_all: Callable[[Sequence[Q]], Awaitable[Sequence[A | None]]],
    ) -> None:
        self._ask = ask
        self._ask_all = ask_all
        self._waiting: deque[tuple[Q, asyncio.Future[A | None]]] = deque()
        self._on_the_way = 0
        self._calls: set[asyncio.Task[None]] = set()

    async def ask(self, question: Q) -> A:
        if self._on_the_way < _BESIDE:
            self._on_the_way += 1
            try:
                return await self._ask(question)
            finally:
                self._next()
        answer: asyncio.Future[A | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        found = await answer
        return await self._ask(question) if found is None else found

    def _next(self) -> None:
        """A call has ended: what waits follows it. Who has gone in the meantime is left out."""
        several: list[tuple[Q, asyncio.Future[A | None]]] = []
        while self._waiting and len(several) < _MOST:
            question, answer = self._waiting.popleft()
            if not answer.done():
                several.append((question, answer))
        if not several:
            self._on_the_way -= 1
            return
        call = asyncio.create_task(self._call(several))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _call(self, several: Sequence[tuple[Q, asyncio.Future[A | None]]]) -> None:
        answers: Sequence[A | None] = [None] * len(several)
        try:
            answers = await self._ask_all([question for question, _ in several])
        except Permanent:
            pass
        except Exception as error:
            for _, waiting in several:
                if not waiting.done():
                    waiting.set_exception(error)
        finally:
            for (_, waiting), found in zip(several, answers, strict=True):
                if not waiting.done():
                    waiting.set_result(found)
            self._next()
