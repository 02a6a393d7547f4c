"""Statements as the services run them, each explained before it is run, and none of it kept."""

import statistics
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Executable

from shared.runtime.db import Database
from shared.runtime.session import Rows, Session, Values
from shared.runtime.statements import compiled
from shared.runtime.wakes import Wakes


@dataclass(frozen=True, slots=True)
class Plan:
    """What the server did for one statement. Blocks: pages looked at, in memory or not."""

    milliseconds: float
    blocks: int
    nodes: tuple[str, ...]

    @classmethod
    def read(cls, explained: Sequence[Mapping[str, Any]]) -> "Plan":
        """From EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)."""
        (whole,) = explained
        root = whole["Plan"]
        blocks = root.get("Shared Hit Blocks", 0) + root.get("Shared Read Blocks", 0)
        return cls(whole["Execution Time"], blocks, tuple(dict.fromkeys(nodes(root))))


def nodes(plan: Mapping[str, Any]) -> Iterator[str]:
    """Node kinds with the index or table that they read or write, from the root on."""
    name = plan.get("Index Name") or plan.get("Relation Name")
    kind = plan.get("Operation") if plan["Node Type"] == "ModifyTable" else plan["Node Type"]
    yield f"{kind} {name}" if name else f"{kind}"
    for each in plan.get("Plans", ()):
        yield from nodes(each)


@dataclass
class Seen:
    """Plans by step and by the place of a statement in it, one per round."""

    plans: dict[tuple[str, int], list[Plan]] = field(default_factory=dict)
    step: str = ""
    _place: int = 0

    def begin(self, step: str) -> None:
        self.step, self._place = step, 0

    def add(self, plan: Plan) -> None:
        self._place += 1
        self.plans.setdefault((self.step, self._place), []).append(plan)


class Explaining(Session):
    """Explains every statement, takes back what that did, then runs it."""

    def __init__(self, connection: Any, seen: Seen) -> None:
        super().__init__(connection)
        self._seen = seen

    async def execute(
        self, statement: Executable, parameters: Values | Sequence[Values] | None = None
    ) -> Rows:
        if parameters is None or isinstance(parameters, Mapping):
            await self._explain(statement, parameters)
        return await super().execute(statement, parameters)

    async def scalar(self, statement: Executable, parameters: Values | None = None) -> Any:
        await self._explain(statement, parameters)
        return await super().scalar(statement, parameters)

    async def _explain(self, statement: Executable, parameters: Values | None) -> None:
        ready = compiled(statement, parameters)
        await self._connection.execute("SAVEPOINT explained")
        explained = await self._connection.fetchval(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {ready.sql}", *ready.values(parameters or {})
        )
        await self._connection.execute("ROLLBACK TO SAVEPOINT explained")
        self._seen.add(Plan.read(explained))


class OneTransaction(Database):
    """A service's database of which every unit of work is part of one transaction."""

    def __init__(self, session: Session) -> None:
        super().__init__("postgresql://", Wakes(), name="bench", pool_size=0)
        self._session = session

    @asynccontextmanager
    async def transaction(
        self, *, durable: bool = True, planned_once: bool = False
    ) -> AsyncIterator[Session]:
        yield self._session

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Session]:
        yield self._session

    async def execute(self, statement: Executable, parameters: Values | None = None) -> Rows:
        return await self._session.execute(statement, parameters)


@dataclass(frozen=True, slots=True)
class Compared:
    """One statement without and with the finished rows: the time of its fastest round, for what
    others take of the machine only adds; the pages of its median round."""

    step: str
    place: int
    without_ms: float
    with_ms: float
    without_blocks: int
    with_blocks: int
    without_nodes: tuple[str, ...]
    with_nodes: tuple[str, ...]

    def flat(self, filled: frozenset[str], *, times: float, noise_ms: float) -> bool:
        """No table with finished rows is read through, and the time is within `times`, or more by
        no more than `noise_ms`."""
        through = any(node.removeprefix("Seq Scan ") in filled for node in self.with_nodes)
        slower = self.with_ms > self.without_ms * times
        return not through and not (slower and self.with_ms - self.without_ms > noise_ms)


def compare(without: Seen, with_: Seen) -> list[Compared]:
    """Every statement that both have run, in the order of the steps."""
    return [
        _compared(*key, plans, with_.plans[key])
        for key, plans in without.plans.items()
        if key in with_.plans
    ]


def _compared(step: str, place: int, without: list[Plan], with_: list[Plan]) -> Compared:
    return Compared(
        step,
        place,
        round(min(plan.milliseconds for plan in without), 3),
        round(min(plan.milliseconds for plan in with_), 3),
        round(statistics.median(plan.blocks for plan in without)),
        round(statistics.median(plan.blocks for plan in with_)),
        without[-1].nodes,
        with_[-1].nodes,
    )
