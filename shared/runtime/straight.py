"""Routes for what every referral passes: declared as FastAPI's, and reached without its detours.

FastAPI looks for an included router's route twice, and finds out anew for each request what its
dependencies take. Of these each takes the request and nothing else, which is checked once.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from inspect import iscoroutinefunction, signature
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.params import Depends
from fastapi.routing import APIRoute

from shared.runtime.errors import Misconfigured


def add_straight(api: FastAPI, router: APIRouter, dependencies: Sequence[Depends] = ()) -> None:
    """Add a router's routes, with these dependencies before their own. What an endpoint takes is
    the request and what dependencies of its own find in it. Raises Misconfigured otherwise."""
    for route in router.routes:
        assert isinstance(route, APIRoute)
        api.router.add_api_route(
            route.path,
            route.endpoint,
            methods=list(route.methods or ()),
            status_code=route.status_code,
            dependencies=[*dependencies, *route.dependencies],
            include_in_schema=route.include_in_schema,
            route_class_override=_Straight,
        )


class _Straight(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Any]:
        endpoint = self.endpoint
        before = [each for each in self.dependant.dependencies if each.name is None]
        named = [each for each in self.dependant.dependencies if each.name is not None]
        checks = [_taking(each.call, {"request"}) for each in before]
        steps = [(str(each.name), _taking(each.call, {"request"})) for each in named]
        _taking(endpoint, {"request", *(name for name, _ in steps)})

        async def handle(request: Request) -> Response:
            for check in checks:
                await check(request)
            found = {name: await step(request) for name, step in steps}
            answer: Response = await endpoint(request, **found)
            return answer

        return handle


def _taking(
    call: Callable[..., Any] | None, names: Collection[str]
) -> Callable[..., Awaitable[Any]]:
    if iscoroutinefunction(call) and set(signature(call).parameters) == set(names):
        return call
    raise Misconfigured(f"{call} must be async, and take {' and '.join(sorted(names))} alone.")
