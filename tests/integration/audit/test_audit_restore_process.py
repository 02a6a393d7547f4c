"""P7, as the runbook does it: a restored backup is refused, recovered by the command, replayed."""

import os
import shutil
from pathlib import Path

import httpx
import pytest

from services.audit import verify
from services.audit.note import parse_vkey
from shared.contracts.base import Source
from shared.runtime import keys
from tests.integration.audit.conftest import Tokens, as_superuser
from tests.integration.audit.test_audit_process import found, views
from tests.support.audit_process import audit_process, publish
from tests.support.databases import FreshDatabase
from tests.support.witness import running_witness

pytestmark = pytest.mark.slow
NEW = "hartline/audit-2"


async def test_a_restored_backup_is_refused_then_recovered_by_the_documented_command(
    database: FreshDatabase, tokens: Tokens, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys.make("ed25519", _folder(tmp_path / "keys") / "log-1.key")
    named = tmp_path / "witnesses.txt"
    settings = {"HARTLINE_AUDIT_WITNESSES": str(named)}
    process = audit_process(database, tmp_path / "keys", tokens.jwks, tmp_path, settings)
    named.write_text("")
    key = parse_vkey(process.run("key").stdout)
    with running_witness(tmp_path / "witness", [key], "witness.example/w1") as witness:
        named.write_text(f"{witness.site.url} {witness.site.key.vkey}\n")
        headers = tokens.bearer()
        events = views(6)
        async with httpx.AsyncClient(base_url=process.url, headers=headers) as officer:
            await process.start()
            await publish(database, Source.INTAKE, events)
            for event in events:
                await found(officer, event.disclosure_id)
            while witness.state.last.get(key.name) is None or (
                witness.state.last[key.name].size < 6
            ):
                await officer.get("/v1/checkpoint")
            assert await process.stop() == 0
        kept = tmp_path / "kept.note"
        shutil.copy(next((witness.folder / "last").glob("*.note")), kept)
        size = witness.state.last[key.name].size

        await _restore_the_empty_log(database)
        process.process = process.spawn()
        assert await process.died() == 2
        assert "contradicts this log" in process.stderr.read_text()

        done = process.run(
            *("recover", "new-origin", NEW),
            *("--last", str(kept), "--reason", "backup_restored"),
        )
        assert done.returncode == 0, done.stderr
        assert f"{size} entries are admitted as lost" in done.stdout

        process.environment["HARTLINE_AUDIT_ORIGIN"] = NEW
        async with httpx.AsyncClient(base_url=process.url, headers=headers) as officer:
            await process.start()
            await publish(database, Source.INTAKE, events)
            for event in events:
                await found(officer, event.disclosure_id)
            assert await process.stop() == 0
    exported = process.run("export", str(tmp_path / "export"))
    assert exported.returncode == 0, exported.stderr
    assert verify.main([str(tmp_path / "export"), "--checkpoint", str(kept)]) == 0
    assert "were lost in a restore" in capsys.readouterr().out
    again = process.run(
        *("recover", "new-origin", "hartline/audit-3"),
        *("--last", os.devnull, "--reason", "server_lost"),
    )
    assert (again.returncode, "of no use" in again.stderr) == (2, True)


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


async def _restore_the_empty_log(database: FreshDatabase) -> None:
    """The backup was made before anything happened: the inbox is empty again, too."""
    tables = ("entries", "traces", "nodes", "checkpoints")
    await as_superuser(
        database,
        "ALTER TABLE audit.cosignatures DISABLE TRIGGER cosignatures_append_only",
        *(f"DELETE FROM audit.{table}" for table in (*tables, "cosignatures", "submissions")),
        *(f"DELETE FROM audit.{table}" for table in ("inbox", "inbox_streams")),
        "UPDATE audit.head SET size = 0, peaks = '{}'",
    )
