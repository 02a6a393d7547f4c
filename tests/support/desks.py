"""Notify's HTTP API over a real database, asked as whoever a test wants to be."""

import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import APIRouter

from shared.runtime import keys
from shared.runtime.auth import LocalIssuer, TokenVerifier
from shared.runtime.http import create_app

ISSUER = "https://issuer.test"


@dataclass
class Desk:
    """`scopes`: those of every token unless a test says otherwise."""

    client: httpx.AsyncClient
    token: Callable[..., str]
    scopes: str

    async def get(
        self, path: str, by: str = "maker", scopes: str | None = None, **claims: Any
    ) -> httpx.Response:
        return await self.client.get(path, headers=self._as(by, scopes, claims))

    async def post(
        self, path: str, body: Any, by: str = "maker", scopes: str | None = None, **claims: Any
    ) -> httpx.Response:
        headers = self._as(by, scopes, {"person": True} | claims)
        return await self.client.post(path, json=body, headers=headers)

    async def approve(self, proposal_id: str, by: str = "checker") -> httpx.Response:
        body = {"decision": "Confirmed by telephone."}
        return await self.post(f"/v1/proposals/{proposal_id}/approve", body, by)

    async def refused_to_others(self, method: str, path: str, scope: str, body: Any) -> list[int]:
        """What is answered without a token, without the scope, to an agency, and to a machine."""
        others = " ".join(each for each in self.scopes.split() if each != scope)
        claims: list[dict[str, Any]] = [
            {"scopes": others, "person": True},
            {"person": True, "agency": "agy_" + "0" * 32},
        ]
        if method == "POST":
            claims.append({"person": False})
        answers = [(await self.client.request(method, path)).status_code]
        for each in claims:
            headers = self._as("stranger", each.pop("scopes", None), each)
            answer = await self.client.request(
                method, path, headers=headers, json=body if method == "POST" else None
            )
            answers.append(answer.status_code)
        return answers

    def _as(self, subject: str, scopes: str | None, claims: dict[str, Any]) -> dict[str, str]:
        wanted = (self.scopes if scopes is None else scopes).split()
        return {"Authorization": f"Bearer {self.token(subject, wanted, **claims)}"}


@asynccontextmanager
async def desk_of(routers: Iterable[APIRouter], scopes: str, folder: Path) -> AsyncIterator[Desk]:
    key, jwks = folder / "issuer.jwk", folder / "jwks.json"
    keys.make("issuer", key)
    jwks.write_text(json.dumps(keys.jwks(key)))
    app = create_app("notify under test", TokenVerifier(jwks, ISSUER))
    for router in routers:
        app.include_router(router)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://notify.test") as client:
        yield Desk(client, LocalIssuer(key, ISSUER).token, scopes)
