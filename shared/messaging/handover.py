"""Handing a group of streams' events to their handlers, each stream's in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from shared.contracts.base import Event, EventData
from shared.messaging.handler import BatchHandler, Handler
from shared.messaging.streams import Claimed
from shared.runtime.db import Session

if TYPE_CHECKING:
    from shared.runtime.spans import Span

Handlers = Mapping[type[EventData], Handler[Any]]

Handed = tuple[Event, EventData, Any]
"""What a handler is handed: the event, its data, its material."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An event whose material is at hand. `data` is None for a type we do not handle."""

    event: Event
    data: EventData | None
    material: Any
    span: "Span | None" = None
    """Of its handling, where it is traced."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A leased stream's next events, prepared: one for each of `claimed.bodies`."""

    claimed: Claimed
    events: Sequence[Prepared]

    def first_alone(self) -> "Ready":
        return Ready(self.claimed.up_to(1), self.events[:1])


async def hand_over(session: Session, group: Sequence[Ready], handlers: Handlers) -> None:
    """The first step of every stream, then the second of those that have one, and so on: so each
    stream's order holds whatever handlers its events go to."""
    for steps in zip_longest(*(_steps(each.events, handlers) for each in group)):
        batches: dict[int, tuple[Handler[Any], list[Handed]]] = {}
        for step in steps:
            if step is not None:
                handler, handed = step
                batches.setdefault(id(handler), (handler, []))[1].extend(handed)
        for handler, batch in batches.values():
            await _apply(session, handler, batch)


def _steps(
    events: Sequence[Prepared], handlers: Handlers
) -> list[tuple[Handler[Any], list[Handed]]]:
    """A stream's events by handler, one at a time, or all in a row that one handler takes
    together."""
    steps: list[tuple[Handler[Any], list[Handed]]] = []
    for each in events:
        if each.data is None:
            continue
        handler = handlers[type(each.data)]
        handed = each.event, each.data, each.material
        whole = isinstance(handler, BatchHandler) and handler.takes_runs
        if whole and steps and steps[-1][0] is handler:
            steps[-1][1].append(handed)
        else:
            steps.append((handler, [handed]))
    return steps


async def _apply(session: Session, handler: Handler[Any], batch: Sequence[Handed]) -> None:
    """To a handler of batches everything at once."""
    if isinstance(handler, BatchHandler):
        await handler.apply_all(session, batch)
        return
    for event, data, material in batch:
        await handler.apply(session, event, data, material)
