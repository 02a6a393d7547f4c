"""The quick look at an export: is every byte as we write it, and is it what was signed?

It answers only yes or "look closer": the careful walk then names what is wrong. Whole blocks of
lines are taken apart at their quotation marks, hashed, and compared as one; a large export is
spread over the cores.
"""

import os
from binascii import Error as BinasciiError
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO

from services.audit.tlog import HASH_BYTES, Frontier, node_hash

_BLOCK_BYTES = 4 * 1024 * 1024
_MANY_BYTES = 64 * 1024 * 1024
_LEVEL = 12
_CHUNK = 1 << _LEVEL
_FIELDS = 10
_CONSTANT = {1: b"index", 3: b"leaf", 4: b":", 6: b",", 7: b"leaf_hash", 8: b":"}

Progress = Callable[[int], None]
"""Told, now and then, how many entries have been checked."""


@dataclass(frozen=True)
class Block:
    """Whole lines of the entries file, the first of which is entry `first`."""

    path: Path
    offset: int
    length: int
    first: int


def flawless(
    entries: Path, listed: Path, roots: Mapping[int, bytes], progress: Progress | None = None
) -> bool:
    """Whether `entries` is what was signed by every one of `roots` (by size) and no more, written
    exactly as we write it, and `listed`, if it is there, is the list of its hashes."""
    with _list(listed) as hashes, _workers(entries) as workers:
        tree = _Signed(roots)
        for found in _hashed(entries, workers):
            if found is None or (hashes is not None and hashes.read(len(found)) != found):
                return False
            if not tree.grow(found):
                return False
            if progress is not None:
                progress(tree.size)
        return tree.complete and (hashes is None or not hashes.read(1))


def _list(path: Path) -> AbstractContextManager[IO[bytes] | None]:
    return path.open("rb") if path.is_file() else nullcontext(None)


def _workers(path: Path) -> AbstractContextManager[ProcessPoolExecutor | None]:
    cores = min(8, os.cpu_count() or 1)
    if cores == 1 or path.stat().st_size < _MANY_BYTES:
        return nullcontext(None)
    return ProcessPoolExecutor(cores)


def _hashed(path: Path, workers: ProcessPoolExecutor | None) -> Iterator[bytes | None]:
    """The leaf hashes of each block, in order; None for one that is not as we write it."""
    if workers is None:
        yield from (None if block is None else leaf_hashes(block) for block in _blocks(path))
        return
    ahead: list[Future[bytes | None]] = []
    for block in _blocks(path):
        if block is None:
            break
        ahead.append(workers.submit(leaf_hashes, block))
        if len(ahead) > 16:
            yield ahead.pop(0).result()
    yield from (each.result() for each in ahead)
    if block is None:
        yield None


def _blocks(path: Path) -> Iterator[Block | None]:
    """The file in whole lines; None, and the end, where it does not consist of such."""
    offset = first = 0
    with path.open("rb") as file:
        while data := file.read(_BLOCK_BYTES):
            length = data.rfind(b"\n") + 1
            if not length:
                yield None
                return
            yield Block(path, offset, length, first)
            first += data.count(b"\n", 0, length)
            offset += length
            file.seek(offset)


def leaf_hashes(block: Block) -> bytes | None:
    """The leaf hashes of a block's entries, joined; None when a line is not as we write it."""
    with block.path.open("rb") as file:
        file.seek(block.offset)
        data = file.read(block.length)
    fields = data.split(b'"')
    count = len(fields) // _FIELDS
    if len(fields) != count * _FIELDS + 1 or not _framed(fields, count, block.first):
        return None
    encoded = fields[5::_FIELDS]
    try:
        leaves = [a2b_base64(each, strict_mode=True) for each in encoded]
    except BinasciiError:
        return None
    if not all(map(_canonical, leaves, encoded)):
        return None
    found = b"".join([sha256(b"\x00" + each).digest() for each in leaves])
    written = fields[9::_FIELDS]
    if {len(each) for each in written} != {2 * HASH_BYTES}:
        return None
    return found if b"".join(written) == found.hex().encode() else None


def _canonical(leaf: bytes, encoded: bytes) -> bool:
    """Whether what was decoded strictly would be encoded so: only its last bits can differ."""
    rest = len(leaf) % 3
    return not rest or b2a_base64(leaf[-rest:], newline=False) == encoded[-4:]


def _framed(fields: list[bytes], count: int, first: int) -> bool:
    """Whether everything around the values is what stands in each of our lines."""
    between = [b"{", *[b"}\n{"] * (count - 1), b"}\n"]
    return (
        fields[0::_FIELDS] == between
        and all(fields[at::_FIELDS] == [text] * count for at, text in _CONSTANT.items())
        and fields[2::_FIELDS] == [b":%d," % index for index in range(first, first + count)]
    )


class _Signed:
    """A tree that grows by many leaves at once and is compared with every root on its way."""

    def __init__(self, roots: Mapping[int, bytes]) -> None:
        self._roots = roots
        self._stops = sorted(roots)
        self._frontier = Frontier()
        self._right = self._at_stops()

    @property
    def size(self) -> int:
        return self._frontier.size

    @property
    def complete(self) -> bool:
        return self._right and not self._stops and bool(self._roots)

    def grow(self, hashes: bytes) -> bool:
        """False as soon as a root is wrong, or when there are more leaves than were signed."""
        start, end = 0, len(hashes)
        while start < end and self._right:
            if not self._stops:
                return False
            room = min(self._stops[0] - self.size, (end - start) // HASH_BYTES)
            taken = self._take(hashes, start, room)
            start += taken * HASH_BYTES
            self._right = self._at_stops()
        return self._right

    def _take(self, hashes: bytes, start: int, room: int) -> int:
        """Append up to `room` leaves: a whole aligned subtree if it fits, else up to the next."""
        aligned = self.size % _CHUNK
        if not aligned and room >= _CHUNK:
            self._append(_subtree(hashes[start : start + _CHUNK * HASH_BYTES]))
            return _CHUNK
        count = min(room, _CHUNK - aligned)
        end = start + count * HASH_BYTES
        self._frontier.extend(hashes[at : at + HASH_BYTES] for at in range(start, end, HASH_BYTES))
        return count

    def _append(self, right: bytes) -> None:
        """Append a perfect subtree of _CHUNK leaves."""
        frontier = self._frontier
        index = frontier.size >> _LEVEL
        while index & 1:
            right = node_hash(frontier.peaks.pop(), right)
            index >>= 1
        frontier.peaks.append(right)
        frontier.size += _CHUNK

    def _at_stops(self) -> bool:
        if self._stops and self._stops[0] == self.size:
            return self._frontier.root() == self._roots[self._stops.pop(0)]
        return True


def _subtree(hashes: bytes) -> bytes:
    """The root over a power of two of leaf hashes."""
    while len(hashes) > HASH_BYTES:
        pairs = range(0, len(hashes), 2 * HASH_BYTES)
        hashes = b"".join(
            [sha256(b"\x01" + hashes[at : at + 2 * HASH_BYTES]).digest() for at in pairs]
        )
    return hashes
