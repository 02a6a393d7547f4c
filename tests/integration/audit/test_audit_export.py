"""P7: what the export command writes is what the offline verifier accepts."""

from pathlib import Path

import pytest
from sqlalchemy import text

from services.audit import verify
from services.audit.export import export
from services.audit.sealer import Sealer
from shared.runtime.db import Database
from shared.runtime.errors import Misconfigured
from tests.integration.audit.conftest import submit
from tests.support.audit import signer

KEYS = [signer(1).public]


async def test_an_export_verifies_against_a_checkpoint_kept_before_it(
    db: Database, sealer: Sealer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await submit(db, range(7))
    await sealer.drain()
    kept = tmp_path / "kept.note"
    async with db.transaction() as session:
        kept.write_text(await session.scalar(text("SELECT note FROM audit.checkpoints")) or "")
    await submit(db, range(7, 4500))
    await sealer.drain()
    checkpoint = await export(db, tmp_path / "export", KEYS)
    assert checkpoint.size == 4500
    arguments = [str(tmp_path / "export"), "--checkpoint", str(kept), "--key", KEYS[0].vkey]
    assert verify.main(arguments) == 0, capsys.readouterr().out
    assert "VERIFIED: 4500 entries" in capsys.readouterr().out


async def test_what_is_not_under_a_checkpoint_is_not_exported(
    db: Database, sealer: Sealer, tmp_path: Path
) -> None:
    await submit(db, range(3))
    await sealer.drain()
    await submit(db, range(3, 5))
    await sealer.sequence_once()
    assert (await export(db, tmp_path / "export", KEYS)).size == 3
    assert verify.main([str(tmp_path / "export")]) == 0


async def test_an_empty_log_is_exported_and_verified(
    db: Database, sealer: Sealer, tmp_path: Path
) -> None:
    await sealer.sign_once()
    await export(db, tmp_path / "export", KEYS)
    assert verify.main([str(tmp_path / "export")]) == 0


async def test_the_export_is_an_entry_before_it_is_written(
    db: Database, sealer: Sealer, tmp_path: Path
) -> None:
    """P2."""
    await submit(db, range(3))
    await sealer.drain()
    await export(db, tmp_path / "export", KEYS)
    async with db.transaction() as session:
        leaf = await session.scalar(text("SELECT leaf FROM audit.submissions"))
    assert b'"about":"3"' in leaf
    assert b'"asked":"export"' in leaf


async def test_a_folder_that_exists_is_left_alone_and_nothing_is_recorded(
    db: Database, sealer: Sealer, tmp_path: Path
) -> None:
    await sealer.sign_once()
    (tmp_path / "export").mkdir()
    with pytest.raises(Misconfigured, match="exists"):
        await export(db, tmp_path / "export", KEYS)
    async with db.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM audit.submissions")) == 0


async def test_before_anything_is_signed_there_is_nothing_to_export(
    db: Database, tmp_path: Path
) -> None:
    with pytest.raises(Misconfigured, match="no checkpoint yet"):
        await export(db, tmp_path / "export", KEYS)
    assert not (tmp_path / "export.partial").exists()
