"""The audit service as it runs: events from the bus into a signed tree, through kills and stops."""

import asyncio
from base64 import b64decode
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from services.audit import verify
from services.audit.note import parse_vkey
from services.audit.proofs import verify_proof
from shared.contracts.base import Source
from shared.contracts.disclosures import ReferralViewed
from shared.runtime import keys
from shared.runtime.ids import new_id, utc_now
from tests.integration.audit.conftest import Tokens
from tests.support.audit import log_of
from tests.support.audit_process import AuditProcess, audit_process, publish
from tests.support.databases import FreshDatabase, TestServer

pytestmark = pytest.mark.slow


@pytest.fixture
def log_keys(tmp_path: Path) -> Path:
    folder = tmp_path / "audit-keys"
    folder.mkdir()
    keys.make("ed25519", folder / "log-1.key")
    return folder


@pytest.fixture
def process(
    database: FreshDatabase, tokens: Tokens, log_keys: Path, tmp_path: Path
) -> Iterator[AuditProcess]:
    made = audit_process(database, log_keys, tokens.jwks, tmp_path, {})
    yield made
    made.kill()


@pytest.fixture
async def officer(process: AuditProcess, tokens: Tokens) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=process.url, headers=tokens.bearer()) as client:
        yield client


def views(count: int) -> list[ReferralViewed]:
    return [
        ReferralViewed(
            referral_id=new_id("ref"),
            disclosure_id=new_id("dsc"),
            version=1,
            child_ids=(new_id("chd"),),
            actor="service:notify",
            actor_kind="service",
            authority="CGS 17a-101b(c)",
            purpose="DCF-737",
            fields=("name",),
            commitment="ab" * 32,
            viewed_at=utc_now(),
        )
        for _ in range(count)
    ]


async def found(officer: httpx.AsyncClient, disclosure_id: str) -> list[dict[str, object]]:
    """Where the log holds it, once it does."""
    async with asyncio.timeout(20):
        while True:
            try:
                answer = await officer.get(f"/v1/disclosures/{disclosure_id}")
                if answer.status_code == 200:
                    entries: list[dict[str, object]] = answer.json()["entries"]
                    return entries
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)


async def first_checkpoint(officer: httpx.AsyncClient) -> bytes:
    async with asyncio.timeout(20):
        while (answer := await officer.get("/v1/checkpoint")).status_code != 200:
            await asyncio.sleep(0.05)
    return answer.content


async def test_what_was_disclosed_is_in_the_log_with_a_proof_and_an_export_that_verify(
    process: AuditProcess, officer: httpx.AsyncClient, database: FreshDatabase, tmp_path: Path
) -> None:
    """P7, the whole way, as `make smoke` walks it."""
    await process.start()
    events = views(30)
    await publish(database, Source.INTAKE, events)
    key = parse_vkey(process.run("key").stdout)
    kept = tmp_path / "kept.note"
    for event in events[:3] + events[-1:]:
        [entry] = await found(officer, event.disclosure_id)
        leaf = (await officer.get(f"/v1/entries/{entry['index']}")).json()["leaf"]
        proof = await officer.get(f"/v1/entries/{entry['index']}/proof")
        index, checkpoint = verify_proof(proof.content, b64decode(leaf), [key])
        assert (index, entry["kind"]) == (entry["index"], "viewed")
        assert checkpoint.size >= 1
    kept.write_bytes((await officer.get("/v1/checkpoint")).content)
    exported = process.run("export", str(tmp_path / "export"))
    assert (exported.returncode, exported.stderr) == (0, "")
    arguments = (str(tmp_path / "export"), "--checkpoint", str(kept), "--key", key.vkey)
    verified = process.verify(*arguments)
    assert (verified.returncode, verified.stderr) == (0, "")
    assert verified.stdout.startswith("VERIFIED")
    assert await process.stop() == 0


@pytest.mark.parametrize(
    "failpoint",
    [
        "audit.consume.before_commit",
        "audit.work.before_commit",
        "audit.work.after_commit",
        "audit.seal.before_commit",
        "audit.seal.after_commit",
        "audit.seal.after_sign",
    ],
)
async def test_killed_between_any_two_steps_it_holds_each_disclosure_once(
    process: AuditProcess,
    officer: httpx.AsyncClient,
    database: FreshDatabase,
    tmp_path: Path,
    failpoint: str,
) -> None:
    """P1, P7: SIGKILL changes nothing but the time, and no two trees are ever signed."""
    await process.start()
    (tmp_path / "kept.note").write_bytes(await first_checkpoint(officer))
    process.arm(failpoint)
    events = views(10)
    await publish(database, Source.INTAKE, events)
    assert await process.died() == -9
    await process.start()
    counts = Counter({event.disclosure_id: 0 for event in events})
    for event in events:
        counts[event.disclosure_id] = len(await found(officer, event.disclosure_id))
    assert set(counts.values()) == {1}
    process.run("export", str(tmp_path / "export"))
    arguments = [str(tmp_path / "export"), "--checkpoint", str(tmp_path / "kept.note")]
    assert verify.main(arguments) == 0


async def test_it_runs_as_one_process_per_role(
    process: AuditProcess,
    officer: httpx.AsyncClient,
    database: FreshDatabase,
    tokens: Tokens,
    log_keys: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "sealer").mkdir()
    sealer = audit_process(database, log_keys, tokens.jwks, tmp_path / "sealer", {})
    try:
        await process.start("api", "consume", "work")
        await sealer.start("seal")
        event = views(1)[0]
        await publish(database, Source.INTAKE, [event])
        assert len(await found(officer, event.disclosure_id)) == 1
    finally:
        sealer.kill()


async def test_it_tells_how_long_things_wait_and_logs_no_id(
    process: AuditProcess, officer: httpx.AsyncClient, database: FreshDatabase
) -> None:
    """P5, P9."""
    await process.start()
    event = views(1)[0]
    await publish(database, Source.INTAKE, [event])
    await found(officer, event.disclosure_id)
    async with httpx.AsyncClient() as client:
        metrics = (await client.get(f"{process.ops_url}/metrics")).text
    for what in ("audit_unsequenced", "audit_unsigned", "inbox", "parked", "gap", "quarantine"):
        assert f'hartline_oldest_age_seconds{{service="audit",what="{what}"}}' in metrics
    assert "hartline_audit_checkpoints_total" in metrics
    said = process.stderr.read_text()
    assert '"event": "started"' in said
    assert event.disclosure_id not in said
    assert event.referral_id not in said


async def test_it_does_not_start_behind_a_checkpoint_that_a_witness_keeps(
    process: AuditProcess,
    officer: httpx.AsyncClient,
    tmp_path: Path,
    database: FreshDatabase,
    postgres: TestServer,
) -> None:
    """P7: a restored older database is a fork, and the sentence says so."""
    await process.start()
    event = views(1)[0]
    await publish(database, Source.INTAKE, [event])
    await found(officer, event.disclosure_id)
    witnessed = tmp_path / "witnessed.note"
    witnessed.write_bytes((await officer.get("/v1/checkpoint")).content)
    await process.stop()
    process.environment["HARTLINE_AUDIT_WITNESSED"] = str(witnessed)
    await process.start()
    assert await process.stop() == 0
    older = postgres.new_database()
    process.environment["HARTLINE_AUDIT_DSN"] = older.dsns["audit"].app
    ended = process.run()
    postgres.drop(older)
    assert ended.returncode == 2
    assert "refuses to sign" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HARTLINE_AUDIT_DSN", None, "HARTLINE_AUDIT_DSN is not set"),
        ("HARTLINE_AUDIT_KEYS", "/nonexistent", "/nonexistent cannot be read"),
        ("HARTLINE_AUDIT_ORIGIN", "two words", "HARTLINE_AUDIT_ORIGIN"),
        ("HARTLINE_AUDIT_WITNESSED", "/nonexistent", "HARTLINE_AUDIT_WITNESSED"),
        ("HARTLINE_BUS_DSN", None, "HARTLINE_BUS_DSN"),
    ],
)
def test_what_is_missing_is_said_at_the_start(
    process: AuditProcess, name: str, value: str | None, said: str
) -> None:
    process.environment.pop(name, None)
    if value is not None:
        process.environment[name] = value
    ended = process.run()
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_witnessed_file_of_another_key_is_said_at_the_start(
    process: AuditProcess, tmp_path: Path
) -> None:
    path = tmp_path / "other.note"
    path.write_text(log_of(3).note(3))
    process.environment["HARTLINE_AUDIT_WITNESSED"] = str(path)
    ended = process.run("seal")
    assert ended.returncode == 2
    assert "none of the keys" in ended.stderr
