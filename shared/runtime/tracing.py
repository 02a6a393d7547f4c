"""Traces: what the rest of the code asks for. Off, unless HARTLINE_TRACING names a collector.

Whether a call is traced is decided once, where it comes in. Only what is traced carries its
`traceparent` on, from a request or an event to whatever follows, so that nothing else costs
anything and a trace is never half there (ADR 0040). Nothing here raises because of a collector.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.runtime.ids import utc_now

if TYPE_CHECKING:
    from shared.runtime.settings import ServiceSettings
    from shared.runtime.spans import Door, Span

LONGEST = timedelta(hours=1)
"""What follows later than this is a trace of its own that links to the first: nobody can read a
trace of a week."""

ANY = ""
"""Among what is carried: for a subject that is not named."""

_FORM = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_NOTHING: Mapping[str, str] = {}

_door: "Door | None" = None
_carried: ContextVar[Mapping[str, str]] = ContextVar("carried", default=_NOTHING)
_draw = random.SystemRandom().random


def configure(service: str, settings: "ServiceSettings") -> None:
    """Once at the start. The SDK is imported only here, and only where tracing is on."""
    if settings.tracing is None:
        return
    from shared.runtime.spans import open_door

    use(
        open_door(
            service,
            settings.tracing,
            ratio=settings.tracing_ratio,
            trusting=settings.tracing_trust_callers,
        )
    )


def use(door: "Door") -> None:
    """From now on spans are started there."""
    global _door
    _door = door


def close() -> None:
    """Send what is left, for two seconds at most."""
    global _door
    door, _door = _door, None
    if door is not None:
        door.close()


def on() -> bool:
    return _door is not None


def well_formed(traceparent: object) -> str | None:
    """A W3C `traceparent` of version 00; None for anything else."""
    if isinstance(traceparent, str) and _FORM.fullmatch(traceparent):
        return traceparent
    return None


def sampled(traceparent: str) -> bool:
    return int(traceparent[-2:], 16) & 1 == 1


@contextmanager
def carrying(traceparents: Mapping[str, str] | None) -> Iterator[None]:
    """What is emitted or asked of other services within follows these, by its subject."""
    token = _carried.set(traceparents or _NOTHING)
    try:
        yield
    finally:
        _carried.reset(token)


def parent_of(subject: str) -> str | None:
    """What an event about `subject` follows, if that is traced."""
    carried = _carried.get()
    return carried.get(subject) or carried.get(ANY) if carried else None


def here() -> str | None:
    """What this task as a whole follows, if that is traced."""
    return _carried.get().get(ANY)


def enter(name: str, given: Sequence[str], *, ours: bool, machine: bool) -> "Span | None":
    """A call that comes in. `given`: its `traceparent` headers.

    `ours`: from a service of ours, whose decision holds: then only what it traces is traced.
    `machine`: from another system of the organisation; its trace goes on in ours. Its flag is
    heeded only where the settings say so, and we draw: nobody fills our collector by a header.
    """
    if _door is None:
        return None
    parent = well_formed(given[0]) if len(given) == 1 and (ours or machine) else None
    if ours or (parent is not None and _door.trusting):
        chosen = parent is not None and sampled(parent)
    else:
        chosen = _draw() < _door.ratio
    return _door.start(name, "server", parent=parent) if chosen else None


def follow(
    name: str,
    kind: str,
    traceparent: str | None,
    since: datetime,
    *,
    began: datetime | None = None,
    **attributes: object,
) -> "Span | None":
    """What follows from something traced at `since`: in the same trace, or, when that is long
    ago, in one of its own with a link. None where nothing is traced."""
    if _door is None or traceparent is None or not sampled(traceparent):
        return None
    late = utc_now() - since > LONGEST
    return _door.start(
        name,
        kind,
        parent=None if late else traceparent,
        link=traceparent if late else None,
        began=began,
        **attributes,
    )
