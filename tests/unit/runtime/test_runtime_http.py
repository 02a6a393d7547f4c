"""What every service's HTTP application does before and around its routes."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from prometheus_client import REGISTRY

from shared.runtime.auth import LocalIssuer

JSON = {"Content-Type": "application/json"}
THING = {"name": "Test Child One"}


async def test_a_good_request_passes(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await client.post("/things/1", json=THING, headers=headers)
    assert (answer.status_code, answer.json()) == (201, "phone")


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_only_the_probes_need_no_token(client: httpx.AsyncClient, path: str) -> None:
    """P10"""
    assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize(
    "path", ["/things/1", "/nowhere", "/", "/openapi.json", "/docs", "/metrics", "/livez/"]
)
@pytest.mark.parametrize("token", [None, "Bearer x.y.z"])
async def test_everything_else_is_401_without_a_token_even_what_does_not_exist(
    client: httpx.AsyncClient, path: str, token: str | None
) -> None:
    """P10"""
    answer = await client.get(path, headers={"Authorization": token} if token else {})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_the_token_is_asked_for_before_the_body_is_read(client: httpx.AsyncClient) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("read")
        yield b""

    assert (await client.post("/things/1", content=never())).status_code == 401


async def test_a_missing_scope_is_403_and_names_the_scope(
    client: httpx.AsyncClient, issuer: LocalIssuer
) -> None:
    """P10"""
    headers = {"Authorization": f"Bearer {issuer.token('phone', ['other:scope'])}"}
    answer = await client.post("/things/1", json=THING, headers=headers)
    assert answer.status_code == 403
    assert 'error="insufficient_scope", scope="things:make"' in answer.headers["www-authenticate"]


async def test_unknown_routes_and_unknown_ids_answer_with_the_same_bytes(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    """P10"""
    one = await client.get("/things/1", headers=headers)
    two = await client.get("/nowhere", headers=headers)
    assert (one.status_code, one.content, one.headers) == (404, two.content, two.headers)


async def test_a_wrong_method_is_405(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await client.delete("/broken", headers=headers)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize(
    ("path", "status"), [("/things/1", 404), ("/broken", 500), ("/away", 503), ("/livez", 200)]
)
async def test_every_answer_carries_the_security_headers(
    client: httpx.AsyncClient, headers: dict[str, str], path: str, status: int
) -> None:
    answer = await client.get(path, headers=headers)
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "server" not in answer.headers


async def test_an_exception_never_shows_its_text(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    """P5: and a database that is away is 503, to be tried again."""
    broken = await client.get("/broken", headers=headers)
    away = await client.get("/away", headers=headers)
    assert (broken.status_code, away.status_code) == (500, 503)
    assert away.headers["retry-after"] == "1"
    assert "Child" not in broken.text + away.text
    assert broken.headers["content-type"] == "application/problem+json"


async def test_a_wrong_field_is_422_with_a_pointer_and_without_the_value(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await client.post(
        "/things/x", json={"name": 1, "age": "Test Child One"}, headers=headers
    )
    assert answer.status_code == 422
    places = [error.get("pointer") or error["parameter"] for error in answer.json()["errors"]]
    assert places == ["number", "#/name", "#/age"]
    assert "Child" not in answer.text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 1000, 400),
        (b'{"name": "\\ud800"}', 422),
        (b'{"name": "\\u0000"}', 422),
        (b"null", 422),
        (b'{"name": "' + b"x" * 1000 + b'"}', 413),
    ],
)
async def test_a_bad_body_is_refused(
    client: httpx.AsyncClient, headers: dict[str, str], body: bytes, status: int
) -> None:
    answer = await client.post("/things/1", content=body, headers=headers | JSON)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("parts", [11, 100, 1000])
async def test_a_body_in_chunks_is_capped_as_well(
    client: httpx.AsyncClient, headers: dict[str, str], parts: int
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(parts):
            yield b"x" * 100

    answer = await client.post("/things/1", content=chunks(), headers=headers | JSON)
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")


async def test_a_body_that_does_not_arrive_is_408(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(1)

    answer = await client.post("/things/1", content=stalled(), headers=headers | JSON)
    assert answer.status_code == 408


@pytest.mark.parametrize(
    ("method", "content_type", "status"),
    [
        ("POST", "application/json", 201),
        ("POST", "Application/JSON; charset=UTF-8", 201),
        ("POST", 'application/json;charset="utf-8"', 201),
        ("POST", "application/json; charset=latin-1", 415),
        ("POST", "application/merge-patch+json", 415),
        ("POST", "text/plain", 415),
        ("POST", "", 415),
        ("PATCH", "application/merge-patch+json", 200),
        ("PATCH", "application/json", 415),
    ],
)
async def test_the_body_s_type_must_be_the_method_s(
    client: httpx.AsyncClient, headers: dict[str, str], method: str, content_type: str, status: int
) -> None:
    headers |= {"Content-Type": content_type}
    answer = await client.request(method, "/things/1", content=b'{"name": "x"}', headers=headers)
    assert answer.status_code == status
    if status == 415:
        assert answer.headers.get("accept-patch" if method == "PATCH" else "accept")


async def test_an_encoded_body_is_415(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    headers |= JSON | {"Content-Encoding": "gzip"}
    assert (await client.post("/things/1", content=b"x", headers=headers)).status_code == 415


async def test_more_requests_than_it_can_bear_are_told_to_try_again(
    app: FastAPI, client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    gate = asyncio.Event()

    @app.get("/slow")
    async def slow() -> None:
        await gate.wait()

    running = [asyncio.create_task(client.get("/slow", headers=headers)) for _ in range(2)]
    await asyncio.sleep(0.01)
    refused = await client.get("/slow", headers=headers)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert (await client.get("/livez")).status_code == 200
    gate.set()
    assert [(await task).status_code for task in running] == [200, 200]
    assert (await client.get("/slow", headers=headers)).status_code == 200


async def test_an_answer_that_breaks_off_ends_the_connection_without_the_error_s_text(
    app: FastAPI, client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    @app.get("/cut")
    async def cut() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"x"
            raise RuntimeError("Test Child One")

        return StreamingResponse(parts())

    with pytest.raises(Exception, match=r"^$") as broken:
        await client.get("/cut", headers=headers)
    assert "Child" not in repr(broken.value)


async def test_metrics_name_the_route_and_never_the_path(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    """P5"""
    await client.get("/things/4711", headers=headers)
    await client.request("TEST-CHILD", "/nowhere/4711", headers=headers)
    samples = [s for m in REGISTRY.collect() for s in m.samples if "http_request" in s.name]
    labels = {value for sample in samples for value in sample.labels.values()}
    assert {"/things/{number}", "none", "other"} <= labels
    assert not any("4711" in value or "CHILD" in value for value in labels)
