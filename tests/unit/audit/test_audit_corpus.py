"""P7: a program makes a corpus of good and tampered exports; all of it is judged rightly."""

import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.audit import verify
from services.audit.evidence import examine
from services.audit.excerpt import examine_excerpt
from services.audit.note import Checkpoint, open_checkpoint, parse_note, sign_note
from services.audit.quick import flawless
from services.audit.walk import walk
from tests.support.audit import MemoryLog, leaf, log_of, signer
from tests.support.excerpts import EXCERPT_TAMPERINGS, write_excerpt
from tests.support.tampering import (
    LOG,
    SIZE,
    flip_a_bit,
    make_corpus,
    write_cosigned,
    write_rotated,
)
from tests.support.witness import cosigner

KEYS = ["--key", signer(1).public.vkey, "--key", signer(2).public.vkey]


def test_every_tampered_export_is_found_and_no_good_one_accused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept.note"
    kept.write_text(LOG.note(16))
    judged = 0
    for folder, good in make_corpus(tmp_path / "corpus"):
        arguments = [str(folder), "--checkpoint", str(kept), *KEYS]
        code = verify.main(arguments)
        assert code == (0 if good else 1), (folder.name, capsys.readouterr().out)
        judged += 1
    assert judged > 280


@pytest.mark.parametrize("tamper", EXCERPT_TAMPERINGS, ids=lambda each: each.__name__)
def test_of_an_excerpt_the_first_bad_entry_is_named(
    tamper: Callable[[Path], int | None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_excerpt(tmp_path / "excerpt")
    first_bad = tamper(folder)
    assert verify.main([str(folder), *KEYS]) == 1
    said = capsys.readouterr().out
    if first_bad is not None:
        assert f"First bad index: {first_bad}." in said
    else:
        assert "No entry is bad" in said


def test_p7_a_witness_vouches_only_for_the_tree_that_it_cosigned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log's own key over another, larger tree: the witness's word beside it is of the true
    one, which the entries are not of."""
    forked = MemoryLog([leaf(index, "fork") for index in range(50)], [50])
    folder = write_excerpt(tmp_path / "excerpt", forked, size=50)
    witness = cosigner()
    for size, log, code in ((40, log_of(40), 1), (50, forked, 0)):
        note = log.note(size)
        line = witness.line(parse_note(note.encode()).text, 1_790_000_000)
        (folder / "checkpoints" / f"{size:020d}.note").write_text(note + line)
        arguments = ["--key", signer(1).public.vkey, "--witness", witness.public.vkey]
        assert verify.main([str(folder), *arguments]) == code
        said = capsys.readouterr().out
        assert ("has not cosigned" in said) == (code == 1)
    (folder / "checkpoints" / f"{40:020d}.note").unlink()
    assert verify.main([str(folder), *arguments]) == 0


def test_a_good_excerpt_says_what_it_shows_and_what_it_cannot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_excerpt(tmp_path / "excerpt")
    kept = tmp_path / "kept.note"
    for size, said in ((40, "4 entries, each with its proof"), (16, "checkpoint/since/16")):
        kept.write_text(LOG.note(size))
        assert verify.main([str(folder), "--checkpoint", str(kept), *KEYS]) == 0
        assert said in capsys.readouterr().out
    other = MemoryLog([leaf(index, "fork") for index in range(40)], [40])
    kept.write_text(other.note(40))
    assert verify.main([str(folder), "--checkpoint", str(kept), *KEYS]) == 1
    assert "forked" in capsys.readouterr().out


def test_a_witness_whom_the_reader_trusts_must_have_vouched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_cosigned(tmp_path / "cosigned")
    named = ["--witness", cosigner().public.vkey]
    assert verify.main([str(folder), *KEYS, *named]) == 0
    assert "witness.example/w1 has cosigned 40 entries" in capsys.readouterr().out
    stranger = ["--witness", cosigner("witness.example/w2").public.vkey]
    assert verify.main([str(folder), *KEYS, *stranger]) == 1
    assert "has cosigned none of these" in capsys.readouterr().out
    assert verify.main([str(folder), "--witness", signer(1).public.vkey]) == 2
    assert "witness's key you gave" in capsys.readouterr().out


def test_an_old_key_of_the_log_accuses_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reader knows only the new key; the oldest checkpoints bear only the old one."""
    folder = write_rotated(tmp_path / "rotated")
    assert verify.main([str(folder), "--key", signer(2).public.vkey]) == 0
    assert "2 checkpoint(s) are signed by other keys" in capsys.readouterr().out
    assert verify.main([str(folder), "--key", signer(1).public.vkey]) == 1
    assert "First bad index: 33" in capsys.readouterr().out


@settings(
    max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(size=st.integers(1, 5000), data=st.data())
def test_the_quick_look_never_accepts_what_the_walk_refuses(
    size: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    log = log_of(size, sorted(data.draw(st.sets(st.integers(1, size), max_size=3)) | {size}))
    folder = log.write(tmp_path_factory.mktemp("quick") / "export")
    entries, listed = folder / "entries.ndjson", folder / "leaf_hashes.bin"
    roots = {each: _root(log, each) for each in log.signed_at}
    assert flawless(entries, listed, roots)
    path = data.draw(st.sampled_from([entries, listed]))
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    changed = bytes(content) != path.read_bytes()
    path.write_bytes(content)
    walked = walk(folder, roots)
    good = walked.fault is None and walked.list_differs is None and walked.count == size
    assert flawless(entries, listed, roots) <= good
    assert flawless(entries, listed, roots) == (not changed)


def _root(log: MemoryLog, size: int) -> bytes:
    return open_checkpoint(log.note(size).encode(), [signer(1).public]).root


def test_a_large_export_is_spread_over_the_cores_and_judged_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.audit.quick._MANY_BYTES", 0)
    monkeypatch.setattr("services.audit.quick._BLOCK_BYTES", 40_000)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    folder = log_of(9000, [4097, 9000]).write(tmp_path / "large")
    told: list[int] = []
    assert examine(folder, progress=told.append).sentences == ()
    assert told == sorted(told)
    assert told[-1] == 9000
    flip_a_bit(folder, random.Random(3))
    assert examine(folder).sentences


def test_a_line_without_an_end_is_refused_without_reading_it_whole(tmp_path: Path) -> None:
    """A gigabyte on one line, most of it a hole in the file."""
    folder = LOG.write(tmp_path / "export")
    with (folder / "entries.ndjson").open("r+b") as file:
        file.seek(0, 2)
        file.write(b'{"index":40,"leaf":"')
        file.truncate(1 << 30)
    began = time.process_time()
    report = examine(folder)
    assert time.process_time() - began < 5
    assert report.first_bad == SIZE
    excerpt = write_excerpt(tmp_path / "excerpt")
    with (excerpt / "entries.ndjson").open("r+b") as file:
        file.truncate(1 << 30)
    assert "too long" in " ".join(examine_excerpt(excerpt).sentences)


HOSTILE = [
    b"",
    b"\n",
    b"\xff" * 100,
    b"c2sp.org/tlog-proof@v1\n",
    b"c2sp.org/tlog-proof@v1\nindex 99999999999999999999\n\n" + LOG.note(40).encode(),
    b"c2sp.org/tlog-proof@v1\nindex 3\n" + b"A" * 60_000 + b"\n\n" + LOG.note(40).encode(),
    b"c2sp.org/tlog-proof@v1\nindex 3\n" + b"AAAA\n" * 5 + b"\n" + LOG.note(40).encode(),
    b"c2sp.org/tlog-proof@v1\nindex 3\n\n" + LOG.note(40).encode()[:-20],
    sign_note("log.example/audit\n-5\nAAAA\n", [signer(1)]).encode(),
    sign_note("hostile \u202e text\nof nobody\n", [signer(1)]).encode(),
    sign_note(Checkpoint("log.example/audit", 2**62, bytes(32)).text, [signer(1)]).encode(),
]


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_proof_or_note_ends_in_a_sentence(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_excerpt(tmp_path / "excerpt")
    (folder / "proofs" / "3.tlog-proof").write_bytes(content)
    assert verify.main([str(folder), *KEYS]) == 1
    said = capsys.readouterr().out
    assert "First bad index: 3." in said
    assert all(each.isprintable() for each in said.splitlines())
    folder = LOG.write(tmp_path / "export")
    (folder / "checkpoints" / f"{SIZE:020d}.note").write_bytes(content)
    assert verify.main([str(folder), *KEYS]) == 1
    assert "Traceback" not in capsys.readouterr().out


@pytest.mark.parametrize("about", ["", "[]", '{"entries": 5}', '{"entries": [true]}', "[" * 10**5])
def test_a_damaged_list_of_an_excerpt_ends_in_a_sentence(
    about: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_excerpt(tmp_path / "excerpt")
    (folder / "about.json").write_text(about)
    assert verify.main([str(folder), *KEYS]) == 1
    assert "about.json is damaged" in capsys.readouterr().out


def test_the_list_of_an_excerpt_is_what_its_readers_were_promised(tmp_path: Path) -> None:
    folder = write_excerpt(tmp_path / "excerpt")
    (folder / "about.json").write_text(json.dumps({"entries": [3, 4, 5, 17, 39]}))
    assert examine_excerpt(folder).first_bad == 5
