"""Starting notify: what it refuses, in a sentence, and that it runs and ends in order."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from deploy.machine.ports import free_ports
from services.notify.__main__ import ROLES
from services.notify.synthetic import RECIPIENTS
from shared.runtime import keys
from tests.support import planning as support
from tests.support import warm
from tests.support.databases import FreshDatabase

pytestmark = pytest.mark.slow


@pytest.fixture
def environment(database: FreshDatabase, tmp_path: Path) -> dict[str, str]:
    keys.make("issuer", tmp_path / "issuer.jwk")
    (tmp_path / "jwks.json").write_text(json.dumps(keys.jwks(tmp_path / "issuer.jwk")))
    (tmp_path / "keys").mkdir()
    for kind, name in (("kek", "kek-1"), ("hmac", "commitment-1"), ("ed25519", "webhook-1")):
        keys.make(kind, tmp_path / "keys" / f"{name}.key")
    (tmp_path / "agencies.json").write_text(json.dumps(support.agencies()))
    port, ops_port, nobody = free_ports(3)
    return {
        "PATH": os.environ["PATH"],
        "HARTLINE_PROFILE": "development",
        "HARTLINE_BUS_DSN": database.dsns["bus"].app,
        "HARTLINE_ISSUER": "https://issuer.test",
        "HARTLINE_JWKS": str(tmp_path / "jwks.json"),
        "HARTLINE_LOCAL_ISSUER_KEY": str(tmp_path / "issuer.jwk"),
        "HARTLINE_NOTIFY_DSN": database.dsns["notify"].app,
        "HARTLINE_NOTIFY_KEYS": str(tmp_path / "keys"),
        "HARTLINE_NOTIFY_PORT": str(port),
        "HARTLINE_NOTIFY_OPS_PORT": str(ops_port),
        "HARTLINE_INTAKE_URL": f"http://127.0.0.1:{nobody}",
    }


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return warm.run("services.notify", arguments, environment)


def seed(environment: dict[str, str], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    return run(environment, "seed-sample", "--agencies", str(tmp_path / "agencies.json"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"HARTLINE_NOTIFY_DSN": None}, "HARTLINE_NOTIFY_DSN is not set"),
        ({"HARTLINE_INTAKE_URL": None}, "HARTLINE_INTAKE_URL is not set"),
        ({"HARTLINE_INTAKE_URL": "nonsense"}, "HARTLINE_INTAKE_URL"),
        ({"HARTLINE_NOTIFY_KEYS": "/nowhere"}, "/nowhere cannot be read"),
        ({"HARTLINE_LOCAL_ISSUER_KEY": None}, "HARTLINE_INTERNAL_TOKEN is not set"),
    ],
)
def test_a_missing_setting_or_key_is_refused_with_a_sentence(
    environment: dict[str, str], change: dict[str, str | None], said: str
) -> None:
    changed = {name: value for name, value in (environment | change).items() if value is not None}
    ended = run(changed)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_unknown_role_is_refused(environment: dict[str, str]) -> None:
    ended = run(environment, "telepathy")
    assert ended.returncode == 2
    assert "there is no role telepathy" in ended.stderr


def test_p3_production_neither_seeds_nor_starts_on_samples(
    environment: dict[str, str], tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("x")
    token.chmod(0o600)
    production = {k: v for k, v in environment.items() if k != "HARTLINE_LOCAL_ISSUER_KEY"} | {
        "HARTLINE_PROFILE": "production",
        "HARTLINE_INTERNAL_TOKEN": str(token),
    }
    assert seed(production, tmp_path).returncode == 2
    assert seed(environment, tmp_path).stdout == (
        "8 sample agencies; the directory is at version 1.\n"
    )
    ended = run(production)
    assert ended.returncode == 2
    assert "8 sample agencies" in ended.stderr


async def test_every_role_starts_says_what_waits_and_drains_on_sigterm(
    environment: dict[str, str], tmp_path: Path
) -> None:
    ops = f"http://127.0.0.1:{environment['HARTLINE_NOTIFY_OPS_PORT']}"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.notify",
        env=environment,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with httpx.AsyncClient(base_url=ops) as client:
            assert (await _answer(client, "/readyz", 503)).json()["problems"] == {
                "directory": "the directory holds no agency yet: nothing can be planned"
            }
            assert (await asyncio.to_thread(seed, environment, tmp_path)).returncode == 0
            await _answer(client, "/readyz", 200)
            metrics = (await client.get("/metrics")).text
    finally:
        process.send_signal(signal.SIGTERM)
        _, logged = await process.communicate()
    for what in ("outbox", "inbox", "parked", "gap", "delivery", "attempt", "task", "proposal"):
        assert f'hartline_oldest_age_seconds{{service="notify",what="{what}"}} 0.0' in metrics
    assert process.returncode == 0
    events = [json.loads(line) for line in logged.splitlines()]
    assert [event["event"] for event in events] == ["started", "stopped"], logged.decode()
    assert events[0]["roles"] == list(ROLES)


async def test_p9_production_starts_with_recipients_of_its_own_for_synthetic_referrals(
    environment: dict[str, str], database: FreshDatabase, tmp_path: Path
) -> None:
    """Beside a real directory only: without one, real referrals wait instead of being refused."""
    token = tmp_path / "token"
    token.write_text("x")
    token.chmod(0o600)
    production = {k: v for k, v in environment.items() if k != "HARTLINE_LOCAL_ISSUER_KEY"} | {
        "HARTLINE_PROFILE": "production",
        "HARTLINE_INTERNAL_TOKEN": str(token),
        "HARTLINE_NOTIFY_SYNTHETIC": "true",
        "HARTLINE_NOTIFY_MARKER": str(tmp_path / "marker"),
    }
    db = database.open("notify")
    ops = f"http://127.0.0.1:{environment['HARTLINE_NOTIFY_OPS_PORT']}"

    async def recipients() -> int:
        async with db.transaction() as session:
            count = text("SELECT count(*) FROM notify.agencies WHERE sample")
            return int(await session.scalar(count))

    for directory, expected, status in ((False, 0, 503), (True, 7, 200)):
        if directory:
            async with db.transaction() as session:
                await session.execute(text("INSERT INTO notify.directory VALUES (1, 1)"))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.notify", env=production, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with httpx.AsyncClient(base_url=ops) as client:
                await _answer(client, "/readyz", status)
                if directory:
                    agency_id = sorted(RECIPIENTS)[0]
                    refused = await client.post(f"/synthetic/{agency_id}", content=b"x")
                    assert refused.status_code == 400
        finally:
            process.send_signal(signal.SIGTERM)
            await process.communicate()
        assert process.returncode == 0
        assert await recipients() == expected
    assert (tmp_path / "marker").read_text().strip().isdigit()


async def _answer(client: httpx.AsyncClient, path: str, status: int) -> httpx.Response:
    async with asyncio.timeout(30):
        while True:
            try:
                answer = await client.get(path)
                if answer.status_code == status:
                    return answer
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
