"""The last check of the kill harness: what a stranger's verifier says of the export."""

from pathlib import Path

from tests.chaos import stranger
from tests.support.audit import log_of


async def test_an_export_as_it_was_signed_agrees_and_a_turned_bit_is_found(tmp_path: Path) -> None:
    log = log_of(40)
    folder = log.write(tmp_path / "export")
    assert await stranger.disagrees(folder, log.note(17).encode(), seed=1) == []


async def test_an_export_that_lost_an_entry_does_not(tmp_path: Path) -> None:
    log = log_of(40)
    folder = log.write(tmp_path / "export")
    entries = folder / "entries.ndjson"
    entries.write_bytes(b"".join(entries.read_bytes().splitlines(keepends=True)[:-1]))
    (said,) = await stranger.disagrees(folder, log.note(17).encode(), seed=1)
    assert "ended with 1" in said
