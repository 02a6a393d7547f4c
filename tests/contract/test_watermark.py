"""Deadlines' client agrees with notify's route and with intake's on what the watermark says."""

import json
from pathlib import Path

import httpx
import pytest

from services.deadlines.neighbours import SCOPES, HttpNeighbour
from services.notify.api import router
from shared.runtime import keys
from shared.runtime.auth import LocalIssuer, TokenVerifier
from shared.runtime.http import create_app
from shared.runtime.internal_http import InternalClient
from tests.support import planning
from tests.support.databases import FreshDatabase
from tests.support.deadlines import opaque
from tests.support.exchange import InProcess
from tests.support.intake import Keys, app_on, client_of, desk_on, post, referral
from tests.support.planning import Planning

ISSUER = "https://issuer.test"


class Pair:
    """Notify over a real database, and deadlines' client of it."""

    def __init__(self, database: FreshDatabase, folder: Path, scopes: tuple[str, ...]) -> None:
        key, jwks = folder / "issuer.jwk", folder / "jwks.json"
        keys.make("issuer", key)
        jwks.write_text(json.dumps(keys.jwks(key)))
        self.db = database.open("notify")
        app = create_app("notify under test", TokenVerifier(jwks, ISSUER))
        app.include_router(router(self.db))
        issuer = LocalIssuer(key, ISSUER)
        self.http = InternalClient(
            "notify",
            "http://notify.test",
            lambda: issuer.token("service:deadlines", scopes),
            exchange=InProcess(httpx.ASGITransport(app)),
        )
        self.client = HttpNeighbour(self.http)


@pytest.fixture
async def pair(database: FreshDatabase, tmp_path: Path) -> Pair:
    return Pair(database, tmp_path, SCOPES)


async def test_it_says_how_far_each_referral_has_come(pair: Pair, tmp_path: Path) -> None:
    await planning.seed(pair.db, planning.agencies(), tmp_path)
    plan = Planning(pair.db)
    announced = plan.announce()
    await plan.plan(announced)
    ids = [referral_id := announced.referral_id, *(opaque("ref", number) for number in range(127))]
    said = await pair.client.watermark(ids)
    assert said is not None
    assert said.oldest_unrelayed_at is not None
    assert said.oldest_unrelayed_at.utcoffset() == said.now.utcoffset()
    assert dict(said.sequences) == dict.fromkeys(ids, 0) | {referral_id: 1}


async def test_nothing_emitted_is_nothing_missing(pair: Pair) -> None:
    said = await pair.client.watermark([opaque("ref", 1)])
    assert said is not None
    assert said.oldest_unrelayed_at is None


async def test_intake_says_how_far_its_own_topic_has_come(
    database: FreshDatabase, tmp_path: Path
) -> None:
    made = Keys.make(tmp_path)
    db = database.open("intake")
    app = app_on(desk_on(db, made), made)
    issuer = LocalIssuer(made.issuer_key, ISSUER)
    http = InternalClient(
        "intake",
        "http://intake.test",
        lambda: issuer.token("service:deadlines", SCOPES),
        exchange=InProcess(httpx.ASGITransport(app)),
    )
    async with client_of(app, made) as phone:
        kept = (await post(phone, referral())).json()["referral_id"]
        said = await HttpNeighbour(http).watermark([kept, opaque("ref", 1)])
        assert said is not None
        assert said.oldest_unrelayed_at is not None
        assert dict(said.sequences) == {kept: 1, opaque("ref", 1): 0}
        refused = await phone.get(f"/internal/v1/watermark?subject={kept}")
    assert refused.status_code == 403


@pytest.mark.parametrize("subject", ["%00", "ref_1", "Example Person"])
async def test_what_is_no_id_is_refused_and_not_echoed(pair: Pair, subject: str) -> None:
    token = {"Authorization": f"Bearer {pair.http._token()}"}
    path = f"/internal/v1/watermark?subject={subject}"
    status, body = await pair.http._exchange.send("GET", path, token, None)
    assert status == 422
    assert subject.encode() not in body


async def test_a_refusal_is_no_answer(database: FreshDatabase, tmp_path: Path) -> None:
    pair = Pair(database, tmp_path, ("notices:read",))
    assert await pair.client.watermark([opaque("ref", 1)]) is None


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, json={}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"oldest_unrelayed_at": None, "now": "2026-03-01T00:00:00"}),
        httpx.Response(500),
        httpx.Response(404),
    ],
)
async def test_what_cannot_be_understood_is_no_answer(answer: httpx.Response) -> None:
    http = InternalClient(
        "notify",
        "http://notify.test",
        lambda: "token",
        exchange=InProcess(httpx.MockTransport(lambda _: answer)),
    )
    assert await HttpNeighbour(http).watermark([opaque("ref", 1)]) is None
    await http.close()
