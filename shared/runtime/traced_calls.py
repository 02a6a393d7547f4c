"""The span of a call that comes in, from the caller's being known to the end of the answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from starlette.datastructures import Headers
from starlette.types import Scope

from shared.runtime import tracing
from shared.runtime.auth import Principal

_OURS = "internal:"


class Answering(Protocol):
    status: int | None


@contextmanager
def traced(
    scope: Scope, headers: Headers, principal: Principal, answer: Answering
) -> Iterator[None]:
    """What is emitted within follows the call, if it is traced. A partner's and a person's own
    `traceparent` is left alone."""
    span = tracing.enter(
        scope["method"],
        headers.getlist("traceparent"),
        ours=any(each.startswith(_OURS) for each in principal.scopes),
        machine=not principal.person and principal.agency is None,
    )
    if span is None:
        yield
        return
    error: str | None = None
    try:
        with tracing.carrying({tracing.ANY: span.traceparent}):
            yield
    except BaseException as raised:
        error = type(raised).__name__
        raise
    finally:
        route = str(getattr(scope.get("route"), "path", "none"))
        span.end(
            name=f"{scope['method']} {route}",
            error=error,
            method=scope["method"],
            route=route,
            **({"status": answer.status} if answer.status else {}),
        )
