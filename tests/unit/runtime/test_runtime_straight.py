"""Routes that are reached without FastAPI's detours answer as all others do."""

from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Response

from shared.runtime.auth import LocalIssuer, Principal, hide, require
from shared.runtime.errors import Misconfigured
from shared.runtime.problem import Problem
from shared.runtime.straight import add_straight

Maker = Annotated[Principal, Depends(require("things:make"))]


async def door(request: Request) -> None:
    if request.path_params["thing"] == "hidden":
        hide(request)


def router() -> APIRouter:
    router = APIRouter()

    @router.post("/straight/{thing}", status_code=201)
    async def make(request: Request, caller: Maker) -> Response:
        if request.path_params["thing"] == "broken":
            raise RuntimeError("Test Child One")
        return Response(f"{caller.subject} {await request.body()!r}", 201)

    return router


@pytest.fixture
async def straight(app: FastAPI, client: httpx.AsyncClient) -> httpx.AsyncClient:
    add_straight(app, router(), [Depends(door)])
    return client


async def test_the_endpoint_has_the_request_and_what_its_dependencies_found(
    straight: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await straight.post("/straight/1", json={}, headers=headers)
    assert (answer.status_code, answer.text) == (201, "phone b'{}'")


async def test_p10_token_scope_and_door_are_asked_for_in_their_order(
    straight: httpx.AsyncClient, headers: dict[str, str], issuer: LocalIssuer
) -> None:
    other = {"Authorization": f"Bearer {issuer.token('phone', ['other:scope'])}"}
    assert (await straight.post("/straight/1")).status_code == 401
    assert (await straight.post("/straight/hidden", headers=other)).status_code == 403
    hidden = await straight.post("/straight/hidden", headers=headers)
    nowhere = await straight.post("/nowhere", headers=headers)
    assert (hidden.status_code, hidden.content) == (404, nowhere.content)


async def test_errors_are_problems_and_a_wrong_method_is_405(
    straight: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    broken = await straight.post("/straight/broken", headers=headers)
    assert broken.status_code == 500
    assert broken.headers["content-type"] == "application/problem+json"
    assert "Test Child" not in broken.text
    wrong = await straight.get("/straight/1", headers=headers)
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


def test_it_is_among_the_routes_that_the_document_declares(app: FastAPI) -> None:
    add_straight(app, router(), [Depends(door)])
    assert "post" in app.openapi()["paths"]["/straight/{thing}"]


async def test_what_takes_more_than_the_request_is_refused_at_the_start(app: FastAPI) -> None:
    async def asks_more(request: Request, page: int = 1) -> None: ...

    with pytest.raises(Misconfigured, match="asks_more"):
        add_straight(app, router(), [Depends(asks_more)])
    more = APIRouter()
    more.add_api_route("/more", asks_more)
    with pytest.raises(Misconfigured, match="asks_more"):
        add_straight(app, more)


async def test_p10_what_a_route_or_its_router_asks_for_is_asked_for(
    app: FastAPI, client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    async def nobody(request: Request) -> None:
        raise Problem(403, "Forbidden", "Nobody may.")

    guarded, inner = APIRouter(dependencies=[Depends(nobody)]), APIRouter()

    async def make(request: Request) -> Response:
        return Response()

    guarded.add_api_route("/guarded", make)
    inner.add_api_route("/inner", make, dependencies=[Depends(nobody)])
    add_straight(app, guarded)
    add_straight(app, inner)
    asked = [await client.get(path, headers=headers) for path in ("/guarded", "/inner")]
    assert [answer.status_code for answer in asked] == [403, 403]
