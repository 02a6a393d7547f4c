"""P10 over every route of the areas, whatever is added: a token, its scope, and no agency."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from services.notify.areas import area_routers
from tests.support.deliveries import World
from tests.support.desks import Desk, desk_of
from tests.support.planning import SEALER

SCOPES = (
    "controls:read controls:halt controls:lift controls:redrive oncall:read oncall:propose "
    "enrolment:read enrolment:manage enrolment:confirm enrolment:submit"
)
AN_AGENCYS_OWN = {"submission", "proof"}


@pytest.fixture
async def desk(world: World, tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_of(
        area_routers(world.db, world.signer, SEALER, development=True), SCOPES, tmp_path
    ) as d:
        yield d


async def test_p10_every_route_of_the_areas_needs_a_token_a_scope_and_the_right_person(
    world: World, desk: Desk
) -> None:
    routes = [
        route
        for router in area_routers(world.db, world.signer, SEALER, development=True)
        for route in router.routes
        if isinstance(route, APIRoute)
    ]
    assert len(routes) > 15
    for route in routes:
        (method,) = route.methods or set()
        path = route.path.replace("{", "").replace("}", "")
        assert (await desk.client.request(method, path)).status_code == 401, route.path
        assert await status(desk, method, path, "other:scope") == 403, route.path
        if path.rpartition("/")[2] not in AN_AGENCYS_OWN:
            theirs = await status(desk, method, path, SCOPES, agency="agy_" + "0" * 32)
            assert theirs in (403, 422), route.path


async def status(desk: Desk, method: str, path: str, scopes: str, **claims: str) -> int:
    if method == "GET":
        return (await desk.get(path, scopes=scopes, **claims)).status_code
    return (await desk.post(path, {}, scopes=scopes, **claims)).status_code
