"""One trace from the Careline's call to the acknowledgement, by the real processes."""

import asyncio
import secrets
import time
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from aiohttp import web

from deploy.machine.home import ISSUER
from deploy.machine.kafka import jars
from deploy.machine.machine import Machine
from deploy.machine.samples import private_keys
from deploy.machine.webhooks import Opened, open_notice, parse_public_key
from shared.runtime.auth import LocalIssuer
from tests.load import referrals
from tests.support import machines
from tests.support.brokers import needs_kafka
from tests.support.collector import Collector, Told, collecting

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CARELINES = "4bf92f3577b34da6a3ce929d0e0e4736"
PARTNERS = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
LAST = ("deadlines", "handle hartline.notices.acknowledged.v1")
WAY = [
    ("intake", "POST /v1/referrals"),
    ("intake", "publish referrals"),
    ("notify", "receive referrals"),
    ("notify", "handle hartline.referral.received.v1"),
    ("notify", "attempt"),
    ("notify", "acknowledge"),
    ("notify", "publish notices"),
    LAST,
]


class Agencies:
    """Every sample agency: takes what comes, answers 200, keeps all of it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.came: list[tuple[str, dict[str, str], bytes]] = []

    async def take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.came.append((request.match_info["agency_id"], headers, await request.read()))
        return web.Response()

    async def ready(self, _: web.Request) -> web.Response:
        return web.Response()

    async def listen(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/agency/{agency_id}", self.take)
        app.router.add_get("/readyz", self.ready)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.machine.ports.agencies).start()
        return runner

    async def until(self, count: int, within: float = 60.0) -> None:
        deadline = time.monotonic() + within
        while len({headers["webhook-id"] for _, headers, _ in self.came}) < count:
            assert time.monotonic() < deadline, len(self.came)
            await asyncio.sleep(0.05)

    def opened(self) -> list[tuple[str, Opened]]:
        folder = self.machine.home.agencies
        keys = private_keys(folder)
        senders = [parse_public_key(line) for line in (folder / "senders.txt").read_text().split()]
        found = []
        for agency, headers, body in self.came:
            at = float(headers["webhook-timestamp"])
            notice = open_notice(headers, body, agency, keys[agency], senders, at)
            assert isinstance(notice, Opened), notice
            found.append((agency, notice))
        return found


def token(machine: Machine, *scopes: str, agency: str | None = None) -> dict[str, str]:
    issuer = LocalIssuer(machine.home.issuer_key, ISSUER)
    return {"Authorization": f"Bearer {issuer.token('test', scopes, agency=agency)}"}


async def refer(client: httpx.AsyncClient, machine: Machine, number: int, **more: str) -> str:
    answer = await client.post(
        f"{machines.url(machine, 'intake')}/v1/referrals",
        json=referrals.body(number, synthetic=True),
        headers={
            **token(machine, "referrals:create"),
            "Idempotency-Key": secrets.token_hex(16),
            **more,
        },
    )
    assert answer.status_code == 201, answer.text
    assert "traceparent" not in answer.headers
    return str(answer.json()["referral_id"])


async def acknowledge(client: httpx.AsyncClient, machine: Machine, agency: str, id_: str) -> None:
    answer = await client.post(
        f"{machines.url(machine, 'notify')}/v1/mailbox/notices/{id_}/acknowledgements",
        json={"received_by": "Example Desk", "disposition": "received"},
        headers={
            **token(machine, "mailbox:acknowledge", agency=agency),
            "traceparent": f"00-{PARTNERS}-00f067aa0ba902b7-01",
        },
    )
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("bus", ["postgresql", pytest.param("kafka", marks=pytest.mark.kafka)])
async def test_one_trace_from_the_call_to_the_acknowledgement(bus: str) -> None:
    """P4, P5: and nothing of it reaches a partner, nor anything of a person the collector."""
    if bus == "kafka":
        with needs_kafka():
            jars()
    collector = Collector()
    async with collecting(collector) as url:
        settings = {"HARTLINE_TRACING": url, "HARTLINE_TRACING_RATIO": "1"}
        with machines.prepared(bus, settings) as machine:
            agencies = Agencies(machine)
            runner = await agencies.listen()
            try:
                async with machines.running(machine), httpx.AsyncClient(trust_env=False) as client:
                    parent = f"00-{CARELINES}-00f067aa0ba902b7-00"
                    referral = await refer(client, machine, 0, traceparent=parent)
                    await agencies.until(5)
                    agency, notice = agencies.opened()[0]
                    await asyncio.sleep(0.5)  # until the 2xx is on record
                    await acknowledge(client, machine, agency, notice.notice_id)
                    await collector.until(lambda spans: LAST in told(spans), "acknowledged")
                notices = agencies.opened()
            finally:
                await runner.cleanup()
    trace = collector.trace(CARELINES)
    _assert_one_trace(trace, referral)
    _assert_nothing_leaked(collector, agencies, notices)


def _assert_one_trace(trace: list[Told], referral: str) -> None:
    firsts = {key: index for index, key in reversed(list(enumerate(told(trace))))}
    order = [firsts.get(key, -1) for key in WAY[:-1]]
    assert order[:6] == sorted(order[:6]), told(trace)
    assert min(order) == 0, told(trace)
    assert len([span for span in trace if span.name == "attempt"]) == 5
    ids = {span.span_id: span for span in trace} | {"00f067aa0ba902b7": trace[0]}
    assert [span.name for span in trace if span.parent_id not in ids] == []
    acknowledged = next(span for span in trace if (span.service, span.name) == LAST)
    assert ids[acknowledged.parent_id].name == "acknowledge"
    named = {span.attributes.get("hartline.referral_id") for span in trace} - {None}
    assert named == {referral}
    assert not [span for span in trace if span.failed or span.events]
    services = {span.service for span in trace}
    assert services == {"intake", "notify", "deadlines", "audit"}


def _assert_nothing_leaked(
    collector: Collector, agencies: Agencies, notices: Sequence[tuple[str, Opened]]
) -> None:
    """Neither to partners, nor of persons and partners to the collector."""
    sent = [headers for _, headers, _ in agencies.came]
    assert not [h for h in sent if {"traceparent", "tracestate", "baggage"} & set(h)]
    trails = {span.trace_id for span in collector.spans} | {s.span_id for s in collector.spans}
    plain = " ".join(
        [str(headers) + body.decode() for _, headers, body in agencies.came]
        + [str(notice) for _, notice in notices]
    )
    assert not [trail for trail in trails if trail in plain]
    raw = bytes(collector.raw)
    for word in (b"Test Child", b"Example", b"Ansonia", b"agy_", b"HL-", b"careline", b"chd_"):
        assert word not in raw, word
    assert PARTNERS not in {span.trace_id for span in collector.spans}


def told(spans: Sequence[Told]) -> list[tuple[str, str]]:
    return [(span.service, span.name) for span in spans]


async def test_a_collector_that_never_answers_changes_nothing() -> None:
    """P1: nothing waits for it, nothing is lost, and the services stop in time."""
    collector, count = Collector(silent=True), 20
    async with collecting(collector) as url:
        settings = {"HARTLINE_TRACING": url, "HARTLINE_TRACING_RATIO": "1"}
        with machines.prepared("postgresql", settings) as machine:
            agencies = Agencies(machine)
            runner = await agencies.listen()
            try:
                async with machines.running(machine), httpx.AsyncClient(trust_env=False) as client:
                    for number in range(count):
                        await refer(client, machine, number)
                    await asyncio.sleep(6)  # by now every exporter waits for an answer
                    await refer(client, machine, count)
                    await agencies.until(5 * (count + 1))
                    assert await _ready(client, machine)
                    stopping = time.monotonic()
                assert time.monotonic() - stopping < 15
                notices = agencies.opened()
            finally:
                await runner.cleanup()
    assert collector.spans == []
    numbers: dict[str, Any] = {}
    for _, notice in notices:
        numbers.setdefault(notice.form["referral_number"], set()).add(notice.notice_id)
    assert [len(found) for found in numbers.values()] == [5] * (count + 1)


async def _ready(client: httpx.AsyncClient, machine: Machine) -> bool:
    names = ("intake", "notify", "deadlines", "audit")
    answers = [await client.get(f"{machines.url(machine, name)}/readyz") for name in names]
    return all(answer.status_code == 200 for answer in answers)
