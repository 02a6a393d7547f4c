"""P7: a witness at another agency vouches for the log, and its contradiction stops the log."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import cast

import httpx
import pytest
from structlog.testing import capture_logs

from services.audit import cosignature_store, store, tlog
from services.audit.cosignature import cosigned
from services.audit.mailing import Letterbox
from services.audit.note import open_checkpoint, open_note, parse_checkpoint
from services.audit.printing import Printing
from services.audit.proofs import verify_proof
from services.audit.sealer import Forked, Sealer, Sealing
from services.audit.witness.rules import parse_request
from services.audit.witnessing import Witnesses
from shared.runtime import metrics
from shared.runtime.db import Database
from shared.runtime.mail import Relay
from tests.integration.audit.conftest import as_superuser, submit
from tests.support.audit import ORIGIN, leaf, log_of, signer
from tests.support.databases import FreshDatabase
from tests.support.mail import Certificate, mailing
from tests.support.witness import Running, running_witness

KEY = signer(1).public


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Running]:
    with running_witness(tmp_path / "witness", [KEY]) as running:
        yield running


@pytest.fixture
async def witnesses(db: Database, witness: Running) -> AsyncIterator[Witnesses]:
    made = Witnesses(db, ORIGIN, [signer(1)], [witness.site])
    yield made
    await made.close()


@pytest.fixture
def sealed(db: Database, database: FreshDatabase, witnesses: Witnesses) -> Sealer:
    sealing = Sealing(ORIGIN, (signer(1),))
    return Sealer(db, database.dsns["audit"].app, sealing, witnesses=witnesses)


def alarms(kind: str) -> float:
    return metrics.AUDIT_WITNESS_ALARMS.labels(kind)._value.get()  # type: ignore[no-any-return]


async def silence(db: Database, witness: Running) -> float:
    async with db.transaction() as session:
        return await cosignature_store.silence(session, [witness.site.key.vkey])


async def test_checkpoints_are_cosigned_as_they_grow_and_served_so(
    db: Database, sealed: Sealer, witnesses: Witnesses, witness: Running, client: httpx.AsyncClient
) -> None:
    assert (await client.get("/v1/checkpoint/witnessed")).status_code == 404
    for start in (0, 7, 20):
        await submit(db, range(start, start + 13))
        await sealed.drain()
        await witnesses.round()
        served = (await client.get("/v1/checkpoint")).content
        note, _ = open_note(served, [KEY])
        [word] = cosigned(note, [witness.site.key])
        assert (await client.get("/v1/checkpoint/witnessed")).content == served
    assert witness.state.last[ORIGIN] == parse_checkpoint(note.text)
    assert word.time > 0
    await witnesses.round()
    async with db.transaction() as session:
        assert len(await cosignature_store.of(session, 33, parse_checkpoint(note.text).root)) == 1


async def test_a_proof_carries_the_cosignatures(
    db: Database, sealed: Sealer, witnesses: Witnesses, witness: Running, client: httpx.AsyncClient
) -> None:
    await submit(db, range(9))
    await sealed.drain()
    await witnesses.round()
    proof = (await client.get("/v1/entries/4/proof")).content
    assert verify_proof(proof, leaf(4), [KEY])[0] == 4
    note, _ = open_note(proof.partition(b"\n\n")[2], [KEY])
    assert cosigned(note, [witness.site.key])
    assert len(proof) < 2048


async def test_growth_since_a_kept_checkpoint_is_proved_by_the_api(
    db: Database, sealed: Sealer, client: httpx.AsyncClient
) -> None:
    await submit(db, range(21))
    await sealed.drain()
    for old in (0, 1, 8, 13, 21):
        answer = parse_request((await client.get(f"/v1/checkpoint/since/{old}")).content)
        new = parse_checkpoint(open_note(answer.note.encode(), [KEY])[0].text)
        root = parse_checkpoint(open_note(log_of(21).note(old).encode(), [KEY])[0].text).root
        tlog.verify_consistency(old, new.size, root, new.root, answer.proof)
    for size in ("22", "-1", "x", "01"):
        assert (await client.get(f"/v1/checkpoint/since/{size}")).status_code == 404


async def roll_back(database: FreshDatabase, size: int, leaves: list[bytes]) -> None:
    """As a restored backup leaves the tables: everything after `size` never was."""
    tree = tlog.Frontier()
    tree.extend(tlog.leaf_hash(each) for each in leaves)
    peaks = ", ".join(f"'\\x{peak.hex()}'::bytea" for peak in tree.peaks)
    await as_superuser(
        database,
        f"DELETE FROM audit.entries WHERE index >= {size}",
        f"DELETE FROM audit.nodes WHERE (index + 1) << level > {size}",
        "ALTER TABLE audit.traces DISABLE TRIGGER traces_append_only",
        f"DELETE FROM audit.traces WHERE index >= {size}",
        "DELETE FROM audit.checkpoints",
        "ALTER TABLE audit.cosignatures DISABLE TRIGGER cosignatures_append_only",
        "DELETE FROM audit.cosignatures",
        f"UPDATE audit.head SET size = {tree.size}, peaks = ARRAY[{peaks}]",
    )


async def test_a_restored_backup_is_refused_behind_a_witness(
    db: Database, database: FreshDatabase, sealed: Sealer, witnesses: Witnesses, witness: Running
) -> None:
    await submit(db, range(10))
    await sealed.drain()
    await witnesses.round()
    await roll_back(database, 6, log_of(6).leaves)
    other = database.open("audit")
    restarted = Witnesses(other, ORIGIN, [signer(1)], [witness.site])
    before = alarms("rollback")
    sealing = Sealing(ORIGIN, (signer(1),))
    started = Sealer(other, database.dsns["audit"].app, sealing, witnesses=restarted)
    with pytest.raises(Forked, match="has cosigned 10 entries, and there are 6"):
        await started.check()
    with pytest.raises(Forked):
        await started.sign_once()
    assert alarms("rollback") == before + 1
    await restarted.close()


async def test_another_history_is_found_by_the_witness_and_signing_ends(
    db: Database, database: FreshDatabase, sealed: Sealer, witnesses: Witnesses, witness: Running
) -> None:
    """Every trace of the first history is gone from our own server: only the witness knows it."""
    await submit(db, range(10))
    await sealed.drain()
    await witnesses.round()
    await roll_back(database, 6, log_of(6).leaves)
    other = database.open("audit")
    changed = Witnesses(other, ORIGIN, [signer(1)], [witness.site])
    sealing = Sealing(ORIGIN, (signer(1),))
    forger = Sealer(other, database.dsns["audit"].app, sealing, witnesses=changed)
    await submit(other, range(50, 60))
    await forger.drain()
    before = alarms("fork")
    await changed.round()
    assert alarms("fork") == before + 1
    assert [path.read_text() for path in (witness.folder / "evidence").iterdir()]
    await submit(other, range(60, 62))
    await forger.sequence_once()
    with pytest.raises(Forked, match="do not continue the 10 it has cosigned"):
        await forger.sign_once()
    await changed.close()


async def test_a_silent_witness_stops_nothing_and_its_silence_has_an_age(
    db: Database, database: FreshDatabase, tmp_path: Path
) -> None:
    """P9."""
    with running_witness(tmp_path / "w", [KEY]) as running:
        port = int(running.site.url.rpartition(":")[2])
    witnesses = Witnesses(db, ORIGIN, [signer(1)], [running.site])
    sealing = Sealing(ORIGIN, (signer(1),))
    sealer = Sealer(db, database.dsns["audit"].app, sealing, witnesses=witnesses)
    await submit(db, range(5))
    await sealer.check()
    await sealer.drain()
    await witnesses.round()
    await asyncio.sleep(0.02)
    assert witnesses.contradiction is None
    assert await silence(db, running) >= 0.02
    with running_witness(tmp_path / "w", [KEY], port=port) as running:
        await witnesses.round()
    assert await silence(db, running) == 0.0
    await witnesses.close()


async def test_a_witness_that_does_not_know_the_log_is_silent_not_contradicting(
    db: Database, tmp_path: Path, sealer: Sealer
) -> None:
    with running_witness(tmp_path / "w", [signer(9, "log.example/other").public]) as running:
        witnesses = Witnesses(db, ORIGIN, [signer(1)], [running.site])
        await submit(db, range(5))
        await sealer.drain()
        await witnesses.ask(5)
        await witnesses.round()
        assert witnesses.contradiction is None
        assert await silence(db, running) > 0
        await witnesses.close()


async def test_the_role_hands_over_and_prints_while_it_leads(
    db: Database, database: FreshDatabase, witness: Running, tmp_path: Path
) -> None:
    printed = tmp_path / "kept" / "checkpoints.txt"
    printed.parent.mkdir()
    witnesses = Witnesses(db, ORIGIN, [signer(1)], [witness.site])
    sealer = Sealer(
        db,
        database.dsns["audit"].app,
        Sealing(ORIGIN, (signer(1),)),
        witnesses=witnesses,
        printing=Printing(db, printed, every=0.05),
    )
    stop = asyncio.Event()
    role = asyncio.create_task(sealer.run(stop))
    await submit(db, range(4))
    async with asyncio.timeout(15):
        while f"{ORIGIN}\n4\n" not in (printed.read_text() if printed.exists() else ""):
            await asyncio.sleep(0.05)
        while ORIGIN not in witness.state.last or witness.state.last[ORIGIN].size < 4:
            await asyncio.sleep(0.05)
    stop.set()
    await role
    await witnesses.close()


async def test_a_file_that_cannot_be_written_stops_no_printing_to_the_log(
    db: Database, sealer: Sealer, tmp_path: Path
) -> None:
    await submit(db, range(4))
    await sealer.drain()
    printing = Printing(db, tmp_path / "nowhere" / "file.txt")
    assert await printing.print_once()
    assert not await printing.print_once()


async def test_the_sealer_reads_its_latest_checkpoint_without_cosignatures(
    db: Database, sealed: Sealer, witnesses: Witnesses
) -> None:
    await submit(db, range(4))
    await sealed.drain()
    await witnesses.round()
    async with db.transaction() as session:
        stored = await store.latest_checkpoint(session)
    assert stored is not None
    assert "witness.example" not in stored.note


async def test_a_checkpoint_is_mailed_to_each_keeper_and_verifies_from_the_mail(
    db: Database, sealer: Sealer, tmp_path: Path
) -> None:
    certificate = Certificate.made(tmp_path)
    await submit(db, range(4))
    await sealer.drain()
    async with mailing(certificate) as mail:
        relay = Relay("127.0.0.1", mail.port, "log@dcf.example", ca=certificate.chain)
        letterbox = Letterbox(relay, ("clerk@court.example", "desk@agency.example"))
        assert await Printing(db, None, letterbox).print_once()
    assert [each["To"] for each in mail.messages] == ["clerk@court.example", "desk@agency.example"]
    for message in mail.messages:
        text = str(cast(bytes, message.get_payload(decode=True)), "utf-8").replace("\r\n", "\n")
        _, note, _ = text.split("-" * 64 + "\n")
        assert open_checkpoint(note.encode(), [signer(1).public]).size == 4


async def test_a_relay_that_is_away_stops_no_printing_to_the_file(
    db: Database, sealer: Sealer, tmp_path: Path
) -> None:
    certificate = Certificate.made(tmp_path)
    await submit(db, range(4))
    await sealer.drain()
    printed = tmp_path / "checkpoints.txt"
    for tls in (True, False):
        async with mailing(certificate, tls=tls) as mail:
            mail.refuse_rcpt = "550 nobody here"
            relay = Relay("127.0.0.1", mail.port, "log@dcf.example", ca=certificate.chain)
            printing = Printing(db, printed, Letterbox(relay, ("clerk@court.example",)))
            with capture_logs() as logs:
                assert await printing.print_once()
        assert [e["event"] for e in logs if e["log_level"] == "error"] == [
            "audit_checkpoint_not_mailed"
        ]
        assert not mail.messages
    assert printed.read_text().count(ORIGIN) >= 2
