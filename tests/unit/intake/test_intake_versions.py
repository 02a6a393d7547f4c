"""What is on its way out is said in headers and in the document, from one table."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from services.intake.inputs import json_body
from services.intake.openapi.document import document
from services.intake.versions import API_VERSION, Announcing, Deprecated

ROUTE = Deprecated(
    method="GET",
    path="/v1/code-lists",
    since=datetime(2026, 11, 1, tzinfo=UTC),
    about="https://hartline.example/code-lists",
    sunset=datetime(2027, 11, 1, tzinfo=UTC),
)
FIELD = Deprecated(
    method="POST",
    path="/v1/referrals",
    since=datetime(2026, 12, 1, tzinfo=UTC),
    about="https://hartline.example/how-known",
    field="children/*/how_known",
)
OTHER = Deprecated(
    method="POST",
    path="/v1/referrals",
    since=datetime(2026, 10, 1, tzinfo=UTC),
    about="https://hartline.example/case-number",
    sunset=datetime(2027, 10, 1, tzinfo=UTC),
    field="case_number",
)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()

    @app.get("/v1/code-lists")
    async def lists() -> Response:
        return JSONResponse({})

    @app.post("/v1/referrals")
    async def create(request: Request) -> Response:
        await json_body(request)
        return JSONResponse({}, 422)

    app.add_middleware(Announcing, table=(ROUTE, FIELD, OTHER), more={"Hartline-Sandbox": "true"})
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://intake.test") as client:
        yield client


async def test_every_answer_says_its_version_even_of_what_is_not_there(
    client: httpx.AsyncClient,
) -> None:
    for path in ("/v1/code-lists", "/nothing"):
        answer = await client.get(path)
        assert answer.headers["hartline-version"] == API_VERSION
        assert answer.headers["hartline-sandbox"] == "true"
    assert "deprecation" not in (await client.get("/nothing")).headers


async def test_a_deprecated_route_says_since_when_until_when_and_what_instead(
    client: httpx.AsyncClient,
) -> None:
    """RFC 9745: a structured date; RFC 8594: an HTTP date."""
    answer = await client.get("/v1/code-lists")
    assert answer.headers["deprecation"] == f"@{int(ROUTE.since.timestamp())}"
    assert answer.headers["sunset"] == "Mon, 01 Nov 2027 00:00:00 GMT"
    assert answer.headers["link"] == (
        '<https://hartline.example/code-lists>; rel="deprecation"; type="text/html"'
    )


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"children": [{}, {"how_known": None}]}, [FIELD]),
        ({"children": [{"name": "how_known"}]}, []),
        ({"children": {"how_known": 1}}, []),
        ([], []),
        ({"case_number": "1", "children": [{"how_known": "x"}]}, [FIELD, OTHER]),
    ],
)
async def test_a_deprecated_field_is_told_to_who_uses_it_refused_or_not(
    client: httpx.AsyncClient, body: Any, told: list[Deprecated]
) -> None:
    answer = await client.post("/v1/referrals", json=body)
    links = answer.headers.get("link", "")
    assert [each for each in (FIELD, OTHER) if each.about in links] == told
    if told:
        first = min(each.since for each in told)
        assert answer.headers["deprecation"] == f"@{int(first.timestamp())}"
    else:
        assert "deprecation" not in answer.headers
    assert ("sunset" in answer.headers) == (OTHER in told)


def test_the_document_marks_what_the_table_names_and_nothing_else() -> None:
    marked = document([ROUTE, FIELD])
    assert marked["paths"]["/v1/code-lists"]["get"]["deprecated"]
    child = marked["components"]["schemas"]["Child"]["properties"]
    assert [name for name, each in child.items() if each.get("deprecated")] == ["how_known"]
    with pytest.raises(KeyError):
        document([Deprecated("POST", "/v1/referrals", FIELD.since, "", field="children/*/nothing")])
