"""The API's version, and what of it is on its way out: said in headers, by one table.

Within /v1 the API grows by addition. What is to go is entered in DEPRECATIONS first; who still uses
it is told in every answer (RFC 9745 `Deprecation`, RFC 8594 `Sunset`, `Link`), and the OpenAPI
document marks it. docs/careline.md says how long that lasts.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

API_VERSION = "1.0"
"""Of the OpenAPI document. The second number counts additions."""


@dataclass(frozen=True, slots=True)
class Deprecated:
    """A route, or with `field` (a path such as `children/*/name`) a member of its body.

    `about` is the address of a page that says what to use instead.
    """

    method: str
    path: str
    since: datetime
    about: str
    sunset: datetime | None = None
    field: str | None = None


DEPRECATIONS: tuple[Deprecated, ...] = ()


class Announcing:
    """ASGI middleware: the version in every answer, and what of the request is deprecated."""

    def __init__(
        self,
        app: ASGIApp,
        table: Collection[Deprecated] = DEPRECATIONS,
        more: Mapping[str, str] | None = None,
    ) -> None:
        """`more` are headers that every answer carries beside."""
        self._app = app
        self._table = table
        self._fixed = {"Hartline-Version": API_VERSION, **(more or {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def announce(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in {**self._fixed, **self._told(scope)}.items():
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, announce)

    def _told(self, scope: Scope) -> dict[str, str]:
        if not self._table:
            return {}
        route: BaseRoute | None = scope.get("route")
        path = getattr(route, "path", None)
        body = scope.get("state", {}).get("body")
        return headers(
            [
                each
                for each in self._table
                if (each.method, each.path) == (scope.get("method"), path) and used(each, body)
            ]
        )


def used(deprecated: Deprecated, body: object) -> bool:
    """Whether a request with this body uses what is deprecated."""
    if deprecated.field is None:
        return True
    return any(True for _ in _at(deprecated.field.split("/"), body))


def headers(found: Collection[Deprecated]) -> dict[str, str]:
    """What an answer says of what its request has used. Of several, the earliest dates."""
    if not found:
        return {}
    told = {
        "Deprecation": f"@{int(min(each.since for each in found).timestamp())}",
        "Link": ", ".join(dict.fromkeys(_link(each) for each in found)),
    }
    ends = [each.sunset for each in found if each.sunset is not None]
    if ends:
        told["Sunset"] = format_datetime(min(ends).astimezone(UTC), usegmt=True)
    return told


def _link(deprecated: Deprecated) -> str:
    return f'<{deprecated.about}>; rel="deprecation"; type="text/html"'


def _at(steps: list[str], value: object) -> Iterator[object]:
    if not steps:
        yield value
    elif steps[0] == "*" and isinstance(value, list):
        for item in value:
            yield from _at(steps[1:], item)
    elif isinstance(value, dict) and steps[0] in value:
        yield from _at(steps[1:], value[steps[0]])
