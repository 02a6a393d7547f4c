"""Questions asked together: the first ones at once, the others in one call, and none is lost."""

import asyncio
from collections.abc import Sequence

import pytest

from services.notify.planning.together import Together
from shared.runtime.errors import Permanent, Retryable


class Desk:
    """Answers a number with its double; numbers below nothing are unknown."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.calls: list[list[int]] = []
        self.gate = asyncio.Event()
        self._fails = fails
        self.together = Together(self._ask, self._ask_all)

    async def _ask(self, question: int) -> int:
        self.calls.append([question])
        await self.gate.wait()
        if question < 0:
            raise Permanent("unknown")
        return question * 2

    async def _ask_all(self, questions: Sequence[int]) -> list[int | None]:
        self.calls.append(list(questions))
        if self._fails is not None:
            raise self._fails
        return [each * 2 if each >= 0 else None for each in questions]

    async def ask(self, *questions: int) -> list[int | BaseException]:
        tasks = [asyncio.create_task(self.together.ask(each)) for each in questions]
        await asyncio.sleep(0)
        self.gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)


async def test_two_go_at_once_and_what_comes_meanwhile_goes_in_one_call() -> None:
    desk = Desk()
    assert await desk.ask(1, 2, 3, 4, 5) == [2, 4, 6, 8, 10]
    assert desk.calls == [[1], [2], [3, 4, 5]]
    assert await desk.ask(6) == [12]
    assert desk.calls[-1] == [6]


async def test_no_call_asks_more_than_thirty_two() -> None:
    desk = Desk()
    assert await desk.ask(*range(100)) == [each * 2 for each in range(100)]
    assert max(map(len, desk.calls)) == 32


async def test_what_has_no_answer_among_others_is_asked_alone_and_hears_why() -> None:
    desk = Desk()
    *known, unknown = await desk.ask(1, 2, 3, -4)
    assert known == [2, 4, 6]
    assert isinstance(unknown, Permanent)
    assert desk.calls == [[1], [2], [3, -4], [-4]]


async def test_where_several_are_refused_each_is_asked_alone() -> None:
    desk = Desk(fails=Permanent("one spoils it"))
    assert await desk.ask(1, 2, 3, 4) == [2, 4, 6, 8]
    assert desk.calls == [[1], [2], [3, 4], [3], [4]]


async def test_while_nobody_answers_each_hears_it_once() -> None:
    desk = Desk(fails=Retryable("away"))
    *first, third, fourth = await desk.ask(1, 2, 3, 4)
    assert first == [2, 4]
    assert isinstance(third, Retryable)
    assert isinstance(fourth, Retryable)
    assert desk.calls == [[1], [2], [3, 4]]


async def test_who_gave_up_is_left_out_and_holds_up_nobody() -> None:
    desk = Desk()
    tasks = [asyncio.create_task(desk.together.ask(each)) for each in (1, 2, 3, 4)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    tasks[2].cancel()
    await asyncio.sleep(0)
    desk.gate.set()
    assert list(await asyncio.gather(tasks[1], tasks[3])) == [4, 8]
    for task in (tasks[0], tasks[2]):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await desk.ask(5, 6, 7) == [10, 12, 14]
