"""From a leased stream to what its handlers will be given: at once, or after what they wait for."""

from collections.abc import Iterable
from typing import Any

from shared.contracts.base import Event
from shared.contracts.registry import BY_TYPE, parse_data
from shared.messaging import traced
from shared.messaging.handler import AtOnce, Handler
from shared.messaging.handover import Handlers, Prepared, Ready
from shared.messaging.streams import Claimed
from shared.runtime import tracing


def ready_at_once(claimed: Claimed, handlers: Handlers) -> Ready | None:
    """A stream of which no handler waits for anything. None: prepare it, or hear what is wrong."""
    try:
        events = [_at_once(event, handlers) for event in _events(claimed)]
    except Exception:
        return None
    known = [each for each in events if each is not None]
    return Ready(claimed, known) if known and len(known) == len(events) else None


async def prepare(claimed: Claimed, handlers: Handlers, events: list[Prepared]) -> None:
    """Add one after the other to `events`, as far as it goes. Raises what the next one raises."""
    for event in _events(claimed):
        events.append(await _prepared(event, handlers))


def _events(claimed: Claimed) -> Iterable[Event]:
    return claimed.events or map(Event.model_validate_json, claimed.bodies)


def _at_once(event: Event, handlers: Handlers) -> Prepared | None:
    handler = _handler(event, handlers)
    if handler is None:
        return Prepared(event, None, None)
    if not isinstance(handler, AtOnce) or _is_traced(event):
        return None
    data = parse_data(event)
    return Prepared(event, data, handler.material(event, data))


async def _prepared(event: Event, handlers: Handlers) -> Prepared:
    handler = _handler(event, handlers)
    data = parse_data(event) if handler is not None else None
    if handler is None or data is None:
        return Prepared(event, None, None)
    if _is_traced(event):
        return await traced.prepare(handler, event, data)
    return Prepared(event, data, await handler.prepare(event, data))


def _handler(event: Event, handlers: Handlers) -> Handler[Any] | None:
    """None for a type that nobody here handles: whatever it says, it holds up nothing."""
    model = BY_TYPE.get(event.type)
    return None if model is None else handlers.get(model)


def _is_traced(event: Event) -> bool:
    return event.traceparent is not None and tracing.on()
