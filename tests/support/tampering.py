"""Tampered exports, made by a program: python -m tests.support.tampering FOLDER

Each tampering takes the folder of a good export, spoils it in one way and returns the index that
must be named; None where no entry is bad. `make_corpus` writes one folder for each way of spoiling
each kind of good export, those by chance too, beside the good ones.
"""

import random
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from services.audit.note import parse_note
from services.audit.walk import MAX_LINE_BYTES
from tests.support.audit import (
    MemoryLog,
    leaf,
    line,
    log_of,
    signer,
    write_entries,
    write_hashes,
)
from tests.support.excerpts import EXCERPT_TAMPERINGS, write_excerpt
from tests.support.witness import cosigner

SIZE, OLD = 40, 16
LOG = log_of(SIZE, [8, OLD, 33, SIZE])


def lines_of(folder: Path) -> list[bytes]:
    return (folder / "entries.ndjson").read_bytes().splitlines(keepends=True)


def put(folder: Path, lines: list[bytes]) -> None:
    (folder / "entries.ndjson").write_bytes(b"".join(lines))


def note(folder: Path, size: int) -> Path:
    return folder / "checkpoints" / f"{size:020d}.note"


def change_leaf(folder: Path) -> int:
    lines = lines_of(folder)
    lines[20] = line(20, leaf(20, "changed"), hashed=leaf(20))
    put(folder, lines)
    return 20


def change_leaf_and_hash(folder: Path) -> int:
    lines = lines_of(folder)
    lines[21] = line(21, leaf(21, "changed"))
    put(folder, lines)
    return 21


def change_leaf_and_every_hash(folder: Path) -> int:
    """Consistent everywhere but under the signatures: entries 16 to 32 lie between two of them."""
    leaves = [*LOG.leaves[:20], leaf(20, "changed"), *LOG.leaves[21:]]
    write_entries(folder, leaves)
    write_hashes(folder, leaves)
    return 16


def change_only_the_hash(folder: Path) -> int:
    lines = lines_of(folder)
    lines[22] = line(22, leaf(22), hashed=leaf(22, "changed"))
    put(folder, lines)
    return 22


def remove(folder: Path) -> int:
    put(folder, [each for number, each in enumerate(lines_of(folder)) if number != 12])
    return 12


def remove_and_renumber(folder: Path) -> int:
    write_entries(folder, [each for number, each in enumerate(LOG.leaves) if number != 12])
    return 12


def remove_the_first(folder: Path) -> int:
    put(folder, lines_of(folder)[1:])
    return 0


def swap(folder: Path) -> int:
    lines = lines_of(folder)
    lines[5], lines[9] = lines[9], lines[5]
    put(folder, lines)
    return 5


def swap_and_renumber(folder: Path) -> int:
    leaves = list(LOG.leaves)
    leaves[5], leaves[9] = leaves[9], leaves[5]
    write_entries(folder, leaves)
    return 5


def truncate(folder: Path) -> int:
    put(folder, lines_of(folder)[:30])
    return 30


def truncate_with_its_checkpoints(folder: Path) -> int:
    """A rollback to before the checkpoint held: the export alone is flawless."""
    shutil.rmtree(folder)
    MemoryLog(LOG.leaves[:8], [8]).write(folder)
    return 8


def truncate_everything(folder: Path) -> int:
    put(folder, [])
    return 0


def cut_the_last_line(folder: Path) -> int:
    data = (folder / "entries.ndjson").read_bytes()
    (folder / "entries.ndjson").write_bytes(data[:-30])
    return SIZE - 1


def duplicate(folder: Path) -> int:
    lines = lines_of(folder)
    put(folder, [*lines[:11], lines[10], *lines[11:]])
    return 11


def duplicate_and_renumber(folder: Path) -> int:
    write_entries(folder, [*LOG.leaves[:11], LOG.leaves[10], *LOG.leaves[11:]])
    return 11


def append(folder: Path) -> int:
    put(folder, [*lines_of(folder), line(SIZE, leaf(SIZE, "forged"))])
    return SIZE


def fork_signed_by_the_log(folder: Path) -> int:
    """The log itself signs another history, from entry 10 on, and hides the old checkpoints."""
    shutil.rmtree(folder)
    leaves = [*LOG.leaves[:10], *(leaf(index, "fork") for index in range(10, 60))]
    MemoryLog(leaves, [8, 60]).write(folder)
    return 8


def sign_anew(folder: Path) -> int:
    """Somebody else's key, over a changed history, with the key file changed to match."""
    shutil.rmtree(folder)
    leaves = [*LOG.leaves[:10], *(leaf(index, "forged") for index in range(10, 40))]
    MemoryLog(leaves, [40], (signer(6),)).write(folder)
    return 0


def garble_a_line(folder: Path) -> int:
    lines = lines_of(folder)
    lines[3] = b"\x00\xff garbage\n"
    put(folder, lines)
    return 3


def nest_deeply(folder: Path) -> int:
    lines = lines_of(folder)
    lines[4] = b"[" * 100_000 + b"\n"
    put(folder, lines)
    return 4


def grow_a_line(folder: Path) -> int:
    lines = lines_of(folder)
    lines[6] = b'{"index":6,"leaf":"' + b"A" * (2 * MAX_LINE_BYTES) + b'"}\n'
    put(folder, lines)
    return 6


def spoil_the_base64(folder: Path) -> int:
    lines = lines_of(folder)
    lines[7] = lines[7].replace(b'"leaf":"', b'"leaf":"*')
    put(folder, lines)
    return 7


def name_the_index_twice(folder: Path) -> int:
    lines = lines_of(folder)
    lines[2] = lines[2].replace(b"{", b'{"index":2,', 1)
    put(folder, lines)
    return 2


def write_beside_the_leaf(folder: Path) -> int:
    """What a reader might take for what was signed."""
    lines = lines_of(folder)
    lines[3] = lines[3].replace(b"{", b'{"decoded":"nothing was sent",', 1)
    put(folder, lines)
    return 3


def number_by_truth(folder: Path) -> int:
    lines = lines_of(folder)
    lines[1] = lines[1].replace(b'"index":1', b'"index":true')
    put(folder, lines)
    return 1


def drop_the_newest_checkpoint(folder: Path) -> int:
    note(folder, SIZE).unlink()
    return 33


def swap_two_checkpoints(folder: Path) -> int | None:
    a, b = note(folder, 33).read_bytes(), note(folder, SIZE).read_bytes()
    note(folder, 33).write_bytes(b)
    note(folder, SIZE).write_bytes(a)
    return None


def spoil_the_newest_signature(folder: Path) -> int:
    path = note(folder, SIZE)
    path.write_text(path.read_text().replace(f"\n{SIZE}\n", f"\n{SIZE - 1}\n"))
    return 33


def sign_the_newest_anew(folder: Path) -> int:
    other = MemoryLog(LOG.leaves, [SIZE], (signer(5),))
    note(folder, SIZE).write_text(other.note(SIZE))
    return 33


def spoil_the_list(folder: Path) -> int | None:
    data = bytearray((folder / "leaf_hashes.bin").read_bytes())
    data[32 * 17] ^= 1
    (folder / "leaf_hashes.bin").write_bytes(data)
    return None


def shorten_the_list(folder: Path) -> int | None:
    data = (folder / "leaf_hashes.bin").read_bytes()
    (folder / "leaf_hashes.bin").write_bytes(data[:-1])
    return None


def lengthen_the_list(folder: Path) -> int | None:
    data = (folder / "leaf_hashes.bin").read_bytes()
    (folder / "leaf_hashes.bin").write_bytes(data + b"x")
    return None


TAMPERINGS: list[Callable[[Path], int | None]] = [
    change_leaf,
    change_leaf_and_hash,
    change_leaf_and_every_hash,
    change_only_the_hash,
    remove,
    remove_and_renumber,
    remove_the_first,
    swap,
    swap_and_renumber,
    truncate,
    truncate_with_its_checkpoints,
    truncate_everything,
    cut_the_last_line,
    duplicate,
    duplicate_and_renumber,
    append,
    fork_signed_by_the_log,
    sign_anew,
    garble_a_line,
    nest_deeply,
    grow_a_line,
    spoil_the_base64,
    name_the_index_twice,
    write_beside_the_leaf,
    number_by_truth,
    drop_the_newest_checkpoint,
    swap_two_checkpoints,
    spoil_the_newest_signature,
    sign_the_newest_anew,
    spoil_the_list,
    shorten_the_list,
    lengthen_the_list,
]


BETWEEN: dict[Callable[[Path], int | None], int] = {
    change_leaf_and_every_hash: 32,
    fork_signed_by_the_log: 15,
    sign_anew: 15,
}
"""Where everything but the signatures was rewritten: the latest that the first bad one can be."""


Tampering = Callable[[Path], int | None]


def rename_a_cosigner(folder: Path) -> None:
    """The witness's word is there, under a name that nobody has."""
    _respell(folder, "witness.example/w1 ", "witness.example/w9 ")


def spoil_a_cosignature(folder: Path) -> None:
    path = note(folder, SIZE)
    path.write_text(path.read_text()[:-12] + "AAAAAAAAAA=\n")


def drop_the_witness_key(folder: Path) -> None:
    (folder / "witnesses.vkey").unlink()


def swap_the_cosignatures(folder: Path) -> None:
    """Each is the witness's own, over the other checkpoint."""
    notes = [note(folder, size).read_text().splitlines(keepends=True) for size in (33, SIZE)]
    notes[0][-1], notes[1][-1] = notes[1][-1], notes[0][-1]
    for size, lines in zip((33, SIZE), notes, strict=True):
        note(folder, size).write_text("".join(lines))


def _respell(folder: Path, old: str, new: str) -> None:
    path = note(folder, SIZE)
    path.write_text(path.read_text().replace(old, new))


COSIGNED_TAMPERINGS: list[Tampering] = [
    rename_a_cosigner,
    spoil_a_cosignature,
    drop_the_witness_key,
    swap_the_cosignatures,
]


def write_cosigned(folder: Path) -> Path:
    """A good export whose checkpoints a witness has cosigned."""
    LOG.write(folder)
    witness = cosigner()
    (folder / "witnesses.vkey").write_text(f"{witness.public.vkey}\n")
    for path in (folder / "checkpoints").iterdir():
        text = parse_note(path.read_bytes()).text
        path.write_text(path.read_text() + witness.line(text, 1_790_000_000))
    return folder


def write_rotated(folder: Path) -> Path:
    """A good export of a log that has changed its key: the first checkpoints bear the old one."""
    MemoryLog(LOG.leaves, [SIZE], (signer(2),)).write(folder)
    for size in (8, OLD):
        note(folder, size).write_text(LOG.note(size))
    both = MemoryLog(LOG.leaves, [33], (signer(2), signer(1)))
    note(folder, 33).write_text(both.note(33))
    (folder / "log.vkey").write_text(f"{signer(2).public.vkey}\n{signer(1).public.vkey}\n")
    return folder


GOOD: dict[str, tuple[Callable[[Path], Path], list[Tampering]]] = {
    "plain": (LOG.write, TAMPERINGS),
    "cosigned": (write_cosigned, [*TAMPERINGS, *COSIGNED_TAMPERINGS]),
    "rotated": (write_rotated, []),
    "excerpt": (write_excerpt, EXCERPT_TAMPERINGS),
}


def flip_a_bit(folder: Path, chance: random.Random) -> None:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    path = chance.choice(files)
    data = bytearray(path.read_bytes())
    bit = chance.randrange(len(data) * 8)
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def make_corpus(folder: Path, flips: int = 50) -> Iterator[tuple[Path, bool]]:
    """Write the corpus, one by one: the folder, and whether it is a good one."""
    chance = random.Random(20261125)
    for kind, (write, tamperings) in GOOD.items():
        good = write(folder / f"{kind}-good")
        yield good, True
        for tamper in tamperings:
            made = folder / f"{kind}-{tamper.__name__}"
            tamper(write(made))
            yield made, False
        for number in range(flips):
            made = shutil.copytree(good, folder / f"{kind}-flip{number}")
            flip_a_bit(made, chance)
            yield made, False


if __name__ == "__main__":
    print(sum(1 for _ in make_corpus(Path(sys.argv[1]))), "folders written")
