"""P7: an evidence package is verified by a stranger who has nothing of ours but the package."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from services.audit import packing, store
from services.audit.canonical import canonical
from services.audit.leaf import Kind, Submission
from services.audit.sealer import Sealer
from services.audit.witnessing import Witnesses
from shared.runtime.db import Database
from shared.runtime.errors import Misconfigured
from tests.integration.audit.conftest import submit
from tests.support.audit import ORIGIN, signer
from tests.support.witness import cosigner, running_witness

REFERRAL, CHILD = "ref_" + "ab" * 16, "chd_" + "cd" * 16
KEYS = [signer(1).public]


def about(number: int, referral: str, child: str) -> Submission:
    content = {
        "event": {"id": f"about-{number}"},
        "kind": "attempted",
        "position": 0,
        "record": {"child_id": child, "authority": "CGS 17a-101b(c)"},
        "referral_id": referral,
        "salt": f"{number:032x}",
    }
    return Submission(f"about-{number}", 0, Kind.ATTEMPTED, None, canonical(content))


async def fill(db: Database, sealer: Sealer) -> None:
    await submit(db, range(300))
    async with db.transaction() as session:
        await store.submit(session, [about(1, REFERRAL, CHILD), about(2, REFERRAL, "chd_other")])
    await submit(db, range(300, 600))
    async with db.transaction() as session:
        await store.submit(session, [about(3, "ref_other", CHILD)])
    await sealer.drain()


def verify_alone(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """In an empty directory, isolated: no environment, no path of ours, no user's packages."""
    return subprocess.run(
        [sys.executable, "-I", str(folder / "verify.py"), *more],
        cwd=folder.parent,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def test_a_package_verifies_alone_in_an_empty_directory(
    db: Database, sealer: Sealer, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    await fill(db, sealer)
    with running_witness(tmp_path / "witness", KEYS) as running:
        witnesses = Witnesses(db, ORIGIN, [signer(1)], [running.site])
        await witnesses.round()
        await witnesses.close()
    assert await packing.pack(db, REFERRAL, tmp_path / "package", KEYS) == 2
    court = tmp_path_factory.mktemp("court") / "evidence"
    shutil.move(tmp_path / "package", court)
    before = sorted(court.rglob("*"))
    keys = ["--key", KEYS[0].vkey, "--witness", cosigner().public.vkey]
    done = verify_alone(court, *keys)
    assert (done.returncode, done.stderr) == (0, "")
    assert "VERIFIED: 2 entries, each with its proof" in done.stdout
    assert "witness.example/w1 has cosigned 603 entries" in done.stdout
    assert sorted(court.rglob("*")) == before
    other = verify_alone(court, "--key", signer(3).public.vkey)
    assert other.returncode == 1


async def test_p7_what_a_machine_lacks_accuses_nobody(
    db: Database, sealer: Sealer, tmp_path: Path
) -> None:
    """Exit code 1 would say that the folder was altered."""
    await fill(db, sealer)
    await packing.pack(db, REFERRAL, tmp_path / "package", KEYS)
    program = tmp_path / "package" / "verify.py"
    said = program.read_text()
    for less in ('sys.modules["cryptography"] = None', "sys.version_info = (3, 8)"):
        program.write_text(said.replace("import sys\n", f"import sys\n{less}\n", 1))
        done = verify_alone(tmp_path / "package")
        assert (done.returncode, done.stderr) == (2, "")
        assert done.stdout.startswith("Not judged: ")


async def test_p7_a_terminal_of_few_letters_gets_a_sentence_and_no_trace(
    db: Database, sealer: Sealer, tmp_path: Path
) -> None:
    await fill(db, sealer)
    await packing.pack(db, REFERRAL, tmp_path / "package", KEYS)
    program = tmp_path / "package" / "verify.py"
    few = 'import sys\nsys.stdout.reconfigure(encoding="ascii", errors="strict")\n'
    program.write_text(program.read_text().replace("import sys\n", few, 1))
    (tmp_path / "package" / "proofs" / "\u200b\u2603").touch()
    done = verify_alone(tmp_path / "package")
    assert (done.returncode, done.stderr) == (1, "")
    assert "belongs to no entry" in done.stdout


async def test_a_package_that_was_touched_is_found(
    db: Database, sealer: Sealer, tmp_path: Path
) -> None:
    await fill(db, sealer)
    assert await packing.pack(db, CHILD, tmp_path / "package", KEYS) == 2
    entries = tmp_path / "package" / "entries.ndjson"
    content = bytearray(entries.read_bytes())
    content[60] ^= 1
    entries.write_bytes(content)
    done = verify_alone(tmp_path / "package")
    assert (done.returncode, done.stderr) == (1, "")
    assert "First bad index" in done.stdout


async def test_its_readme_says_what_a_clerk_must_do_and_whom_it_names(
    db: Database, sealer: Sealer, tmp_path: Path
) -> None:
    await fill(db, sealer)
    await packing.pack(db, REFERRAL, tmp_path / "package", KEYS)
    readme = (tmp_path / "package" / "README.txt").read_text()
    assert "python3 -I verify.py" in readme
    assert KEYS[0].vkey in readme
    assert f"{ORIGIN}\n603\n" in readme
    assert 'named in "actor"' in readme
    assert "it may\nbe their name or e-mail address" in readme
    assert max(len(line) for line in readme.partition("The log's keys")[0].splitlines()) <= 100


async def test_that_it_was_made_is_an_entry_before_it_is_written(
    db: Database, sealer: Sealer, tmp_path: Path
) -> None:
    """P2."""
    await fill(db, sealer)
    await packing.pack(db, REFERRAL, tmp_path / "package", KEYS)
    await sealer.drain()
    async with db.transaction() as session:
        made = [await store.entry(session, index) for index in (603, 604)]
    for entry, child in zip(made, sorted([CHILD, "chd_other"]), strict=True):
        assert entry is not None
        assert b'"asked":"evidence"' in entry.leaf
        assert REFERRAL.encode() in entry.leaf
        assert f'"child_id":"{child}"'.encode() in entry.leaf, "in the accounting of each"


@pytest.mark.parametrize("subject", ["ref_x", "%", "", "ref_" + "0" * 32])
async def test_what_is_no_id_or_unknown_ends_in_a_sentence(
    subject: str, db: Database, sealer: Sealer, tmp_path: Path
) -> None:
    await fill(db, sealer)
    with pytest.raises(Misconfigured, match=r"no id|nothing about"):
        await packing.pack(db, subject, tmp_path / "package", KEYS)
    assert not (tmp_path / "package").exists()
