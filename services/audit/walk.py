"""The walk over an export's entries, in order, up to the first that is not what was signed.

The list of leaf hashes beside the entries is what was signed as far as it hashes up to a signed
root; so far it tells exactly which entry differs. Beyond, the signed roots say between which two
of them the first bad entry lies.
"""

import json
from binascii import Error as BinasciiError
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.audit.note import BadNote, decode_base64
from services.audit.tlog import HASH_BYTES, Frontier, leaf_hash

ENTRIES = "entries.ndjson"
LEAF_HASHES = "leaf_hashes.bin"
MAX_LINE_BYTES = 1024 * 1024

_CHUNK = 1024
_SEPARATOR = b'","leaf_hash":"'
_END = b'"}\n'
_NAMES = {"index", "leaf", "leaf_hash"}


class Fault(Exception):
    """The first entry that is not what was signed: `index`, or at the latest `latest`."""

    def __init__(self, index: int, sentence: str, latest: int | None = None) -> None:
        super().__init__(sentence)
        self.index = index
        self.latest = index if latest is None else latest


@dataclass(frozen=True)
class Walked:
    """`count` entries were read before the fault, if any; the first `proven` are what was signed.

    `list_differs`: where the list of hashes is not that of the entries, which were compared with
    the signed roots all the same.
    """

    count: int
    proven: int
    fault: Fault | None
    list_differs: int | None


class _Tree:
    """A tree that grows leaf by leaf and is compared with every signed root that it passes."""

    def __init__(self, roots: Mapping[int, bytes]) -> None:
        self._roots = roots
        self._stops = iter(sorted(roots))
        self._next = next(self._stops, None)
        self._frontier = Frontier()
        self._pending: list[bytes] = []
        self.matched = 0
        self.wrong: int | None = None
        if self._next == 0:
            self._compare()

    def append(self, leaf: bytes) -> None:
        pending = self._pending
        pending.append(leaf)
        if self._frontier.size + len(pending) == self._next:
            self._compare()
        elif len(pending) == _CHUNK:
            self._grow()

    def _grow(self) -> None:
        self._frontier.extend(self._pending)
        self._pending.clear()

    def _compare(self) -> None:
        self._grow()
        size = self._frontier.size
        if self._frontier.root() == self._roots[size]:
            self.matched = size
        elif self.wrong is None:
            self.wrong = size
        self._next = next(self._stops, None)


def walk(folder: Path, roots: Mapping[int, bytes]) -> Walked:
    """Compare an export's entries with the signed `roots`, by tree size."""
    path = folder / LEAF_HASHES
    listed_proven = _signed_prefix(_listed(path), roots)
    listed = _listed(path)
    tree = _Tree(roots)
    differs: int | None = None
    count = 0
    try:
        _check_root(tree)
        for line, expected in zip(_lines(folder / ENTRIES), listed, strict=False):
            found = _entry_hash(line, count)
            if found != expected and expected is not None:
                if count < listed_proven:
                    raise Fault(count, f"Entry {count} is not what was signed: it was changed.")
                differs = count if differs is None else differs
            tree.append(found)
            _check_root(tree)
            count += 1
    except Fault as fault:
        # What a wrong root leaves open, the list does not prove: the root outranks it.
        proven = (
            tree.matched if tree.wrong is not None else max(tree.matched, min(count, listed_proven))
        )
        return Walked(count, proven, fault, None)
    if differs is None and count >= max(roots, default=0) and next(listed):
        differs = count
    return Walked(count, max(tree.matched, min(count, listed_proven)), None, differs)


def _check_root(tree: _Tree) -> None:
    if tree.wrong == 0:
        raise Fault(0, "The checkpoint of the empty log does not have the root of an empty tree.")
    if tree.wrong is not None:
        raise Fault(tree.matched, _between(tree.matched, tree.wrong), tree.wrong - 1)


def _between(matched: int, wrong: int) -> str:
    if wrong == matched + 1:
        return f"Entry {matched} is not what was signed: it was changed, and its hash with it."
    return (
        f"The entries do not give the root that was signed over {wrong} entries: at least one of "
        f"the entries {matched} to {wrong - 1} was changed, and its hash with it."
    )


def _signed_prefix(listed: Iterator[bytes | None], roots: Mapping[int, bytes]) -> int:
    """How many of the listed leaf hashes hash up to a signed root: those are what was signed."""
    tree = _Tree(roots)
    for leaf in listed:
        if not leaf or len(leaf) != HASH_BYTES:
            break
        tree.append(leaf)
    return tree.matched


def _listed(path: Path) -> Iterator[bytes | None]:
    """The hashes of leaf_hashes.bin, then empty bytes for ever; None for ever without the file."""
    if path.is_file():
        with path.open("rb") as file:
            while block := file.read(HASH_BYTES * _CHUNK):
                for start in range(0, len(block), HASH_BYTES):
                    yield block[start : start + HASH_BYTES]
        while True:
            yield b""
    while True:
        yield None


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE_BYTES + 1):
            yield line


def _entry_hash(line: bytes, index: int) -> bytes:
    """The hash of the leaf on the line of entry `index`. Raises Fault."""
    prefix = b'{"index":%d,"leaf":"' % index
    middle = len(line) - len(_END) - 2 * HASH_BYTES
    start = middle - len(_SEPARATOR)
    plain = line.startswith(prefix) and line.endswith(_END) and line[start:middle] == _SEPARATOR
    if plain and start >= len(prefix):
        encoded, written = line[len(prefix) : start], line[middle : -len(_END)]
        try:
            leaf = a2b_base64(encoded, strict_mode=True)
        except BinasciiError:
            leaf = b""
        found = leaf_hash(leaf)
        if found.hex().encode() == written and b2a_base64(leaf, newline=False) == encoded:
            return found
    return _explained(line, index)


def read_entry(line: bytes) -> tuple[int, bytes]:
    """Index and leaf of a line that stands alone. Raises Fault, whose index is -1 when none can
    be read."""
    entry = _object(line, -1)
    index = entry.get("index")
    if type(index) is not int or index < 0:
        raise Fault(-1, "A line of the entries has no index.")
    _nothing_more(entry, index)
    try:
        leaf = decode_base64(str(entry.get("leaf")))
    except BadNote:
        raise Fault(index, f"Entry {index} is damaged: its leaf is not base64.") from None
    if entry.get("leaf_hash") != leaf_hash(leaf).hex():
        raise Fault(index, f"Entry {index} was changed: its leaf does not have its hash.")
    return index, leaf


def _explained(line: bytes, index: int) -> bytes:
    """The slow way, for a line that is not as we write it: what is wrong with it, if anything."""
    if len(line) > MAX_LINE_BYTES:
        raise Fault(index, f"Entry {index} is damaged: its line is too long for an entry.")
    entry = _object(line, index)
    there = entry.get("index")
    if type(there) is not int or there < 0:
        raise Fault(index, f"Entry {index} is damaged: its line has no index.")
    if there > index:
        raise Fault(index, f"Entry {index} is missing or was moved: entry {there} is in its place.")
    if there < index:
        raise Fault(index, f"Entry {index} is missing: entry {there} stands there a second time.")
    _nothing_more(entry, index)
    try:
        leaf = decode_base64(str(entry.get("leaf")))
    except BadNote:
        raise Fault(index, f"Entry {index} is damaged: its leaf is not base64.") from None
    if entry.get("leaf_hash") != leaf_hash(leaf).hex():
        raise Fault(index, f"Entry {index} was changed: its leaf does not have its hash.")
    return leaf_hash(leaf)


def _nothing_more(entry: Mapping[str, Any], index: int) -> None:
    """What stands beside the leaf was never signed, and a reader might take it for the record."""
    if entry.keys() - _NAMES:
        raise Fault(index, f"Entry {index} was added to: its line holds what nobody signed.")


def _object(line: bytes, index: int) -> dict[str, Any]:
    try:
        entry = json.loads(line, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        entry = None
    if not isinstance(entry, dict):
        which = f"Entry {index} is damaged: line {index + 1}" if index >= 0 else "A line"
        raise Fault(index, f"{which} cannot be read.")
    return entry


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object in which no name comes twice."""
    entry = dict(pairs)
    if len(entry) != len(pairs):
        raise ValueError("a name comes twice")
    return entry
