import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel, ConfigDict

from shared.runtime import keys
from shared.runtime.auth import LocalIssuer, Principal, TokenVerifier, require
from shared.runtime.guard import Limits
from shared.runtime.http import create_app
from shared.runtime.problem import not_found

ISSUER = "https://issuer.example"
LIMITS = Limits(body=1000, body_seconds=0.05, in_flight=2)


class Thing(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: str


@pytest.fixture(scope="session")
def issuer_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """issuer.jwk and jwks.json."""
    directory = tmp_path_factory.mktemp("issuer")
    keys.make("issuer", directory / "issuer.jwk")
    (directory / "jwks.json").write_text(json.dumps(keys.jwks(directory / "issuer.jwk")))
    return directory


@pytest.fixture(scope="session")
def issuer(issuer_directory: Path) -> LocalIssuer:
    return LocalIssuer(issuer_directory / "issuer.jwk", ISSUER)


@pytest.fixture
def app(issuer_directory: Path) -> FastAPI:
    """An application with a route for each thing that can go wrong."""
    app = create_app("test", TokenVerifier(issuer_directory / "jwks.json", ISSUER), limits=LIMITS)
    maker = Depends(require("things:make"))

    @app.post("/things/{number}", status_code=201)
    async def make(number: int, thing: Thing, caller: Annotated[Principal, maker]) -> str:
        return caller.subject

    @app.patch("/things/{number}")
    async def change(number: int, request: Request) -> int:
        return len(await request.body())

    @app.get("/things/{number}")
    async def show(number: int) -> None:
        raise not_found()

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("Test Child One")

    @app.get("/away")
    async def away() -> None:
        raise ConnectionRefusedError("Test Child One")

    return app


@pytest.fixture
def headers(issuer: LocalIssuer) -> dict[str, str]:
    return {"Authorization": f"Bearer {issuer.token('phone', ['things:make'])}"}


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Calls the application without a server, and raises what it lets through."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
