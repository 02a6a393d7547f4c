"""Every panel of every dashboard asks a real Prometheus, after a real run, and is answered.

DASHBOARD_PICTURES names a folder to which the panels are drawn for somebody to look at.
"""

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.machine.home import ISSUER
from deploy.machine.way import Way
from shared.runtime.auth import LocalIssuer
from tests.e2e.test_alerts_reach_a_person import Run, folder, machine_watched
from tests.support.boards import Query, Series, answered, queries
from tests.support.contact_sheet import drawn
from tests.support.machines import url
from tests.support.mailboxes import OPEN, RECEIVED
from tests.support.prometheus import PROMETHEUS, program

__all__ = ["folder"]

pytestmark = [pytest.mark.alerts, pytest.mark.slow, pytest.mark.timeout(300)]

REFERRALS = 12
PATIENCE = 60.0
STAGES = "In the last 24 hours"
SILENT = {"Until the next clock falls due"}
"""Panels that may show nothing in a healthy run: here, when no clock is open."""


async def test_every_panel_shows_data_after_a_short_load(folder: Path) -> None:
    program(PROMETHEUS)
    async with (
        machine_watched(folder, apart=False) as run,
        httpx.AsyncClient(trust_env=False, timeout=30.0) as client,
    ):
        assert (await Way(run.machine, patience=PATIENCE).go()).problems == []
        await scraped_twice(client, run.receiver.prometheus)
        for _ in range(REFERRALS):
            await run.refer()
        await an_agency_reads_and_acknowledges(client, run)
        await everybody_has_been_told(run)
        seen = await all_shown(client, run.receiver.prometheus)
        if where := os.environ.get("DASHBOARD_PICTURES"):
            drawn(seen, Path(where))
        empty = {query.panel for query, series in seen if not any(v for _, v in series)}
        assert empty - SILENT == set()
        stages = {
            query.legend: series[0][1][-1][1] for query, series in seen if query.panel == STAGES
        }
        assert len(stages) == 8
        assert all(count > 0 for count in stages.values()), stages
        assert_what_is_held_or_refused_tells_nobody(seen)


async def scraped_twice(client: httpx.AsyncClient, prometheus: str) -> None:
    """Counters that stand before they move are seen to move."""
    deadline = time.monotonic() + PATIENCE
    asked = {"query": 'min(count_over_time(up{job="hartline"}[1m]))'}
    while True:
        answer = (await client.get(f"{prometheus}/api/v1/query", params=asked)).json()
        if any(float(each["value"][1]) >= 2 for each in answer["data"]["result"]):
            return
        assert time.monotonic() < deadline, "Prometheus scrapes nothing"
        await asyncio.sleep(0.5)


async def an_agency_reads_and_acknowledges(client: httpx.AsyncClient, run: Run) -> None:
    """One whose notices came by the encrypted channel may read them in its mailbox too."""
    file = run.machine.home.agencies / "private-keys.json"
    agency: str = json.loads(file.read_text())["fbi"]["agency_id"]
    scopes = ("mailbox:list", "mailbox:open", "mailbox:acknowledge")
    issuer = LocalIssuer(run.machine.home.issuer_key, ISSUER)
    token = issuer.token("synthetic-sergeant", scopes, person=True, agency=agency)
    mailbox = f"{url(run.machine, 'notify')}/v1/mailbox/notices"
    headers = {"Authorization": f"Bearer {token}"}
    listed = (await client.get(mailbox, headers=headers)).raise_for_status().json()["notices"]
    for does, body in (("opening", OPEN), ("acknowledgements", RECEIVED)):
        path = f"{mailbox}/{listed[0]['notice_id']}/{does}"
        (await client.post(path, json=body, headers=headers)).raise_for_status()


async def everybody_has_been_told(run: Run) -> None:
    await run.until(
        "SELECT 1 WHERE (SELECT count(*) FROM notify.plans) > $1 AND NOT EXISTS ("
        "SELECT FROM notify.deliveries WHERE delivered_at IS NULL)",
        REFERRALS,
    )
    await asyncio.sleep(3.0)  # the last scrape, and the rules over it


async def all_shown(client: httpx.AsyncClient, prometheus: str) -> list[tuple[Query, Series]]:
    return [(query, await answered(client, prometheus, query)) for query in queries()]


def assert_what_is_held_or_refused_tells_nobody(seen: list[tuple[Query, Any]]) -> None:
    told = {
        legend
        for query, series in seen
        if '"held"' in query.expr or '"refused"' in query.expr
        for legend, _ in series
    }
    assert told <= {"", "refused"}
