"""Excerpts of a log in memory, as the evidence command writes them, and ways to spoil them."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from services.audit import tlog
from services.audit.proofs import format_proof
from tests.support.audit import MemoryLog, leaf, line, log_of, signer

LOG = log_of(40)
INDEXES = (3, 4, 17, 39)


def proof_of(log: MemoryLog, index: int, size: int) -> str:
    hashes = [tlog.leaf_hash(each) for each in log.leaves[:size]]
    nodes = {(0, place): value for place, value in enumerate(hashes)}
    nodes |= {(level, place): value for level, place, value in tlog.Frontier().extend(hashes)}
    return format_proof(
        index, tlog.hash_spans(tlog.inclusion_spans(index, size), nodes), log.note(size)
    )


def write_excerpt(
    folder: Path, log: MemoryLog = LOG, indexes: Sequence[int] = INDEXES, size: int = 40
) -> Path:
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "proofs").mkdir()
    (folder / "log.vkey").write_text("".join(f"{each.public.vkey}\n" for each in log.signers))
    (folder / "checkpoints" / f"{size:020d}.note").write_text(log.note(size))
    (folder / "about.json").write_text(json.dumps({"entries": list(indexes)}))
    (folder / "entries.ndjson").write_bytes(
        b"".join(line(index, log.leaves[index]) for index in indexes)
    )
    for index in indexes:
        path = folder / "proofs" / f"{index}.tlog-proof"
        path.write_text(proof_of(log, index, size))
    return folder


def _lines(folder: Path) -> list[bytes]:
    return (folder / "entries.ndjson").read_bytes().splitlines(keepends=True)


def _put(folder: Path, lines: Sequence[bytes]) -> None:
    (folder / "entries.ndjson").write_bytes(b"".join(lines))


def _proof(folder: Path, index: int) -> Path:
    return folder / "proofs" / f"{index}.tlog-proof"


def swap_proofs(folder: Path) -> int:
    a, b = _proof(folder, 3).read_bytes(), _proof(folder, 17).read_bytes()
    _proof(folder, 3).write_bytes(b)
    _proof(folder, 17).write_bytes(a)
    return 3


def change_a_proved_leaf(folder: Path) -> int:
    _put(folder, [line(3, leaf(3, "changed")), *_lines(folder)[1:]])
    return 3


def move_an_entry(folder: Path) -> int:
    """Entry 17 under the index of entry 4, with its proof."""
    lines = _lines(folder)
    lines[1] = lines[2].replace(b'"index":17', b'"index":4')
    _put(folder, lines)
    _proof(folder, 4).write_bytes(_proof(folder, 17).read_bytes())
    return 4


def remove_an_entry(folder: Path) -> int:
    _put(folder, _lines(folder)[:2] + _lines(folder)[3:])
    return 17


def remove_an_entry_and_its_proof(folder: Path) -> int:
    _proof(folder, 17).unlink()
    return remove_an_entry(folder)


def remove_a_proof(folder: Path) -> int:
    _proof(folder, 39).unlink()
    return 39


def truncate_a_proof(folder: Path) -> int:
    path = _proof(folder, 39)
    path.write_bytes(path.read_bytes()[:60])
    return 39


def duplicate_an_entry(folder: Path) -> int:
    lines = _lines(folder)
    _put(folder, [*lines[:2], lines[1], *lines[2:]])
    return 4


def add_a_forged_entry(folder: Path) -> int:
    _put(folder, [line(2, leaf(2, "forged")), *_lines(folder)])
    _proof(folder, 2).write_bytes(_proof(folder, 3).read_bytes())
    return 2


def sign_the_excerpt_anew(folder: Path) -> int:
    """Another key over another history; only log.vkey is still the log's own."""
    kept = (folder / "log.vkey").read_bytes()
    shutil.rmtree(folder)
    leaves = [leaf(index, "forged") for index in range(40)]
    write_excerpt(folder, MemoryLog(leaves, [40], (signer(6),)))
    (folder / "log.vkey").write_bytes(kept)
    return 0


def fork_the_excerpt(folder: Path) -> int:
    """The log's own key over another history, for one entry only."""
    forked = MemoryLog([leaf(index, "fork") for index in range(40)], [40])
    lines = _lines(folder)
    lines[0] = line(3, forked.leaves[3])
    _put(folder, lines)
    _proof(folder, 3).write_text(proof_of(forked, 3, 40))
    return 3


def write_beside_a_proved_leaf(folder: Path) -> int:
    lines = _lines(folder)
    lines[2] = lines[2].replace(b"{", b'{"decoded":"nothing was sent",', 1)
    _put(folder, lines)
    return 17


def grow_a_line_of_it(folder: Path) -> None:
    _put(folder, [*_lines(folder), b'{"index":40,"leaf":"' + b"A" * (2 << 20) + b'"}\n'])


EXCERPT_TAMPERINGS: list[Callable[[Path], int | None]] = [
    swap_proofs,
    change_a_proved_leaf,
    move_an_entry,
    remove_an_entry,
    remove_an_entry_and_its_proof,
    remove_a_proof,
    truncate_a_proof,
    duplicate_an_entry,
    add_a_forged_entry,
    sign_the_excerpt_anew,
    fork_the_excerpt,
    write_beside_a_proved_leaf,
    grow_a_line_of_it,
]
