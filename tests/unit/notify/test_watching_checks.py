"""Whether anybody outside hears that Hartline hangs is the doctor's to say."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from services.notify.settings import NotifySettings
from services.notify.watching_checks import Alertmanager, of_watch, watched
from shared.runtime.findings import Level
from shared.runtime.settings import Profile

FINE = Alertmanager(receives=True, fed=True)
PRODUCTION = Profile.PRODUCTION


def level(profile: Profile, *, heartbeat: bool, manager: Alertmanager | None) -> Level:
    (found,) = of_watch(profile, heartbeat=heartbeat, alertmanager=manager)
    return found.level


def test_p9_in_production_somebody_outside_must_watch_and_it_is_not_a_matter_of_tonight() -> None:
    (found,) = of_watch(PRODUCTION, heartbeat=False)
    assert found.level is Level.LOOK
    assert found.says.startswith("Nobody watches from outside")
    assert "HARTLINE_NOTIFY_HEARTBEAT_URL" in found.do
    assert level(PRODUCTION, heartbeat=True, manager=None) is Level.WELL
    assert level(PRODUCTION, heartbeat=False, manager=FINE) is Level.WELL
    assert level(Profile.DEVELOPMENT, heartbeat=False, manager=None) is Level.WELL


@pytest.mark.parametrize("manager", [Alertmanager(False, True), Alertmanager(True, False)])
def test_an_alertmanager_that_reaches_nobody_watches_nothing(manager: Alertmanager) -> None:
    assert level(PRODUCTION, heartbeat=False, manager=manager) is Level.LOOK


@asynccontextmanager
async def alertmanager(config: str, alerts: list[object]) -> AsyncIterator[str]:
    async def status(_: web.Request) -> web.Response:
        return web.json_response({"config": {"original": config}})

    async def firing(request: web.Request) -> web.Response:
        assert request.query["filter"] == 'alertname="Watchdog"'
        return web.json_response(alerts)

    app = web.Application()
    app.add_routes([web.get("/api/v2/status", status), web.get("/api/v2/alerts", firing)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def settings(url: str) -> NotifySettings:
    return NotifySettings.model_construct(profile=PRODUCTION, heartbeat_url=None, alertmanager=url)


@pytest.mark.parametrize(
    ("config", "alerts", "expected"),
    [
        ("receivers: [{name: page, webhook_configs: [{url: <secret>}]}]", [{}], Level.WELL),
        ("receivers: [{name: page}]", [{}], Level.LOOK),
        ("receivers: [{name: page, webhook_configs: [{}]}]", [], Level.LOOK),
        ("no YAML: [", [{}], Level.LOOK),
    ],
)
async def test_alertmanager_is_asked_whether_it_has_alerts_and_somebody_to_tell(
    config: str, alerts: list[object], expected: Level
) -> None:
    async with alertmanager(config, alerts) as url:
        (found,) = await watched(settings(url))
    assert found.level is expected


async def test_an_alertmanager_that_is_away_is_said() -> None:
    (found,) = await watched(settings("http://127.0.0.1:9"))
    assert found.level is Level.LOOK
    assert "does not answer as it should (ConnectError)" in found.says
