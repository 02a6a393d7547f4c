"""P7: after a restore the log is refused, then goes on by a documented command."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from services.audit import recovering, store, verify
from services.audit.accounting import store as accounting_store
from services.audit.canonical import canonical
from services.audit.export import export
from services.audit.leaf import Kind, Submission
from services.audit.note import Checkpoint
from services.audit.recovering import Recovered
from services.audit.sealer import Forked, Sealer, Sealing
from services.audit.traces import Facet, trace
from services.audit.walk import read_entry
from services.audit.witnessing import Witnesses
from shared.runtime.db import Database
from shared.runtime.errors import Misconfigured
from tests.integration.audit.conftest import as_superuser
from tests.integration.audit.test_audit_witnessing import roll_back
from tests.support.audit import ORIGIN, signer
from tests.support.databases import FreshDatabase
from tests.support.witness import running_witness

NEW = "log.example/audit-2"
CHILD = f"chd_{1:032x}"
KEYS = [signer(1).public]


def entry(number: int, mark: str = "") -> Submission:
    """A leaf as an event gives it: what stands beside it in the table can be had from it."""
    content = {
        "event": {"id": f"event-{number}"},
        "kind": "attempted",
        "position": 0,
        "record": {"child_id": CHILD, "disclosure_id": f"dsc_{number:032x}"},
        "salt": f"{number}{mark}",
    }
    disclosure_id = f"dsc_{number:032x}"
    return Submission(f"event-{number}", 0, Kind.ATTEMPTED, disclosure_id, canonical(content))


async def send(db: Database, numbers: Iterable[int], mark: str = "") -> None:
    async with db.transaction() as session:
        await store.submit(session, [entry(number, mark) for number in numbers])


def sealer_of(
    database: FreshDatabase, origin: str = ORIGIN, witnessed: Iterable[Checkpoint] = ()
) -> Sealer:
    db = database.open("audit")
    sealing = Sealing(origin, (signer(1, origin),), tuple(witnessed))
    return Sealer(db, database.dsns["audit"].app, sealing)


@pytest.fixture
def dsn(database: FreshDatabase) -> str:
    return database.dsns["audit"].app


async def sealed(db: Database, sealer: Sealer, size: int) -> str:
    """The signed note over `size` entries."""
    await send(db, range(size))
    await sealer.drain()
    async with db.transaction() as session:
        newest = await store.latest_checkpoint(session)
    assert newest is not None
    return newest.note


async def restore_backup_of_six(database: FreshDatabase) -> None:
    await roll_back(database, 6, [entry(number).leaf for number in range(6)])


async def test_an_export_brings_back_what_a_restored_backup_lacks(
    db: Database, database: FreshDatabase, dsn: str, sealer: Sealer, tmp_path: Path
) -> None:
    """The tree is the one that was signed, so the witness who saw ten entries cosigns on."""
    with running_witness(tmp_path / "witness", KEYS) as running:
        before = await sealed(db, sealer, 10)
        witnesses = Witnesses(db, ORIGIN, [signer(1)], [running.site])
        await witnesses.round()
        await export(db, tmp_path / "export", KEYS)
        await restore_backup_of_six(database)
        await witnesses.close()
        behind = Witnesses(db, ORIGIN, [signer(1)], [running.site])
        refused = Sealer(db, dsn, Sealing(ORIGIN, (signer(1),)), witnesses=behind)
        with pytest.raises(Forked):
            await refused.check()
        await behind.close()

        done = await recovering.from_export(db, dsn, tmp_path / "export", KEYS, before.encode())
        assert done == Recovered(10, 4, 0)
        again = Witnesses(db, ORIGIN, [signer(1)], [running.site])
        going_on = Sealer(db, dsn, Sealing(ORIGIN, (signer(1),)), witnesses=again)
        await going_on.check()
        await send(db, range(8, 13), mark="sent again")
        await going_on.drain()
        await again.round()
        assert again.contradiction is None
        assert running.state.last[ORIGIN].size == 14
        await again.close()
    kept = tmp_path / "kept.note"
    kept.write_text(before)
    await export(db, tmp_path / "after", KEYS)
    assert verify.main([str(tmp_path / "after"), "--checkpoint", str(kept)]) == 0


async def test_p7_whoever_was_told_in_the_lost_time_stands_in_the_accounting_again(
    db: Database, database: FreshDatabase, dsn: str, sealer: Sealer, tmp_path: Path
) -> None:
    """An entry is found by its traces; one that came back without them would be in the log and in
    nobody's accounting."""
    await sealed(db, sealer, 10)
    await export(db, tmp_path / "export", KEYS)
    await restore_backup_of_six(database)
    await recovering.from_export(db, dsn, tmp_path / "export", KEYS, None)
    async with db.transaction() as session:
        about = await accounting_store.entries_about(session, [trace(Facet.SUBJECT, CHILD)], 10)
    assert [each.index for each in about if each.index >= 6] == [6, 7, 8, 9]


async def test_a_new_origin_admits_what_was_lost_and_a_stranger_can_tell(
    db: Database,
    database: FreshDatabase,
    dsn: str,
    sealer: Sealer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    early = await sealed(db, sealer, 5)
    await send(db, range(5, 10))
    await sealer.drain()
    async with db.transaction() as session:
        newest = await store.latest_checkpoint(session)
    assert newest is not None
    last = newest.note
    await restore_backup_of_six(database)
    witnessed = [Checkpoint(ORIGIN, newest.size, newest.root)]
    with pytest.raises(Forked, match="there are 6 now"):
        await sealer_of(database, witnessed=witnessed).check()

    done = await recovering.new_origin(db, dsn, NEW, last.encode(), KEYS, "backup_restored")
    assert done == Recovered(7, 1, 4)
    with pytest.raises(Forked, match="newer origin"):
        await sealer_of(database).check()
    going_on = sealer_of(database, NEW, witnessed)
    await going_on.check()
    await send(db, range(4, 12), mark="sent again")
    await going_on.drain()
    async with db.transaction() as session:
        entries = await store.entries_from(session, 0, 100)
    assert [each.kind for each in entries[5:8]] == ["attempted", "continued", "attempted"]
    assert len(entries) == 7 + 6

    folder = tmp_path / "export"
    await export(db, folder, [signer(1, NEW).public])
    for note, code, said in (
        (early, 0, "VERIFIED: 13 entries of the log log.example/audit-2"),
        (last, 0, "Entries 6 to 9 of log.example/audit were lost in a restore"),
    ):
        kept = tmp_path / "kept.note"
        kept.write_text(note)
        keys = ["--key", signer(1, NEW).public.vkey, "--key", KEYS[0].vkey]
        assert verify.main([str(folder), "--checkpoint", str(kept), *keys]) == code
        assert said in capsys.readouterr().out


async def test_losing_more_than_was_admitted_is_found(
    db: Database, database: FreshDatabase, dsn: str, sealer: Sealer, tmp_path: Path
) -> None:
    """The operator commits to an older checkpoint than the stranger holds."""
    eight = await sealed(db, sealer, 8)
    await send(db, range(8, 10))
    await sealer.drain()
    async with db.transaction() as session:
        newest = await store.latest_checkpoint(session)
    assert newest is not None
    await restore_backup_of_six(database)
    await recovering.new_origin(db, dsn, NEW, eight.encode(), KEYS, "backup_restored")
    witnessed = [Checkpoint(ORIGIN, newest.size, newest.root)]
    with pytest.raises(Forked, match="commits to 8 of them only"):
        await sealer_of(database, NEW, witnessed).check()
    await sealer_of(database, NEW).drain()
    folder, kept = tmp_path / "export", tmp_path / "kept.note"
    await sealer_of(database, NEW).check()
    await export(db, folder, [signer(1, NEW).public, *KEYS])
    kept.write_text(newest.note)
    assert verify.main([str(folder), "--checkpoint", str(kept)]) == 1


async def test_a_database_that_was_changed_is_not_recovered_as_if_restored(
    db: Database, database: FreshDatabase, dsn: str, sealer: Sealer, tmp_path: Path
) -> None:
    last = await sealed(db, sealer, 10)
    await export(db, tmp_path / "export", KEYS)
    await roll_back(database, 6, [entry(number, "changed").leaf for number in range(6)])
    with pytest.raises(Misconfigured, match="it was changed, not restored"):
        await recovering.from_export(db, dsn, tmp_path / "export", KEYS, None)
    with pytest.raises(Misconfigured, match="choose a name"):
        await recovering.new_origin(db, dsn, ORIGIN, last.encode(), KEYS, "server_lost")


async def test_a_new_origin_is_refused_where_nothing_is_lost(
    db: Database, dsn: str, sealer: Sealer
) -> None:
    last = await sealed(db, sealer, 10)
    with pytest.raises(Misconfigured, match="nothing is lost"):
        await recovering.new_origin(db, dsn, NEW, last.encode(), KEYS, "server_lost")
    with pytest.raises(Misconfigured, match="of no use"):
        await recovering.new_origin(db, dsn, NEW, b"garbage", KEYS, "server_lost")


async def test_a_tampered_export_brings_nothing_back(
    db: Database, database: FreshDatabase, dsn: str, sealer: Sealer, tmp_path: Path
) -> None:
    await sealed(db, sealer, 10)
    await export(db, tmp_path / "export", KEYS)
    shutil.copytree(tmp_path / "export", tmp_path / "spoilt")
    path = tmp_path / "spoilt" / "entries.ndjson"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:8], lines[9], lines[8]]))
    with pytest.raises(Misconfigured, match="nothing in it to bring back"):
        await recovering.from_export(db, dsn, tmp_path / "export", KEYS, None)
    await restore_backup_of_six(database)
    with pytest.raises(Misconfigured, match="is not what the log signed"):
        await recovering.from_export(db, dsn, tmp_path / "spoilt", KEYS, None)
    async with db.transaction() as session:
        assert await store.last_index(session) == 5


async def test_recovery_waits_for_no_running_sequencer(
    db: Database, database: FreshDatabase, dsn: str, sealer: Sealer
) -> None:
    last = await sealed(db, sealer, 10)
    await restore_backup_of_six(database)
    async with recovering._sealers_stopped(dsn):
        with pytest.raises(Misconfigured, match="stop the audit service first"):
            await recovering.new_origin(db, dsn, NEW, last.encode(), KEYS, "server_lost")


async def test_an_export_of_a_turned_log_brings_the_turn_back_too(
    db: Database, database: FreshDatabase, dsn: str, sealer: Sealer, tmp_path: Path
) -> None:
    last = await sealed(db, sealer, 10)
    await restore_backup_of_six(database)
    await recovering.new_origin(db, dsn, NEW, last.encode(), KEYS, "server_lost")
    await sealer_of(database, NEW).drain()
    folder = tmp_path / "export"
    both = [signer(1, NEW).public, *KEYS]
    await export(db, folder, both)
    line = (folder / "entries.ndjson").read_bytes().splitlines(keepends=True)[6]
    assert b"committed" in read_entry(line)[1]
    await roll_back(database, 6, [entry(number).leaf for number in range(6)])
    await as_superuser(
        database,
        "ALTER TABLE audit.origins DISABLE TRIGGER origins_append_only",
        "DELETE FROM audit.origins",
    )
    assert (await recovering.from_export(db, dsn, folder, both, None)).size == 7
    await sealer_of(database, NEW).check()
