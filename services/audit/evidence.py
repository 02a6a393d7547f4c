"""Judges an exported folder. Standard library, `cryptography` and our hashing; nothing else.

It believes only checkpoints that a trusted key has signed and the one that the reader holds; their
roots are what the entries are compared with.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.audit.note import (
    MAX_NOTE_BYTES,
    BadNote,
    Checkpoint,
    PublicKey,
    UnknownSigner,
    open_checkpoint,
    parse_checkpoint,
    parse_note,
    parse_vkey,
)
from services.audit.walk import ENTRIES, LEAF_HASHES, Walked, walk

CHECKPOINTS = "checkpoints"
KEYS = "log.vkey"


class Unusable(Exception):
    """What was handed in cannot be judged: a missing folder, a wrong key. Nobody is accused."""


@dataclass
class Findings:
    """What is wrong, in words, and the first entry that is bad or unproven, as far as it shows."""

    sentences: list[str] = field(default_factory=list)
    first_bad: int | None = None
    latest: int | None = None

    def add(self, sentence: str, first_bad: int | None = None, latest: int | None = None) -> None:
        self.sentences.append(sentence)
        if first_bad is not None and (self.first_bad is None or first_bad < self.first_bad):
            self.first_bad = first_bad
            self.latest = first_bad if latest is None else latest


@dataclass(frozen=True)
class Report:
    """The judgement on a folder. No sentence: it is what the log signed.

    The first bad entry is `first_bad`, or one after it up to `latest` when no more can be told.
    """

    origin: str
    entries: int
    checkpoints: int
    keys: tuple[PublicKey, ...]
    keys_given: bool
    held: Checkpoint | None
    sentences: tuple[str, ...]
    first_bad: int | None
    latest: int | None
    proven: int


@dataclass
class _Anchors:
    """Signed roots by tree size."""

    roots: dict[int, bytes] = field(default_factory=dict)
    origins: set[str] = field(default_factory=set)
    count: int = 0

    @property
    def largest(self) -> int:
        return max(self.roots, default=0)

    def add(self, checkpoint: Checkpoint, findings: Findings) -> None:
        known = self.roots.setdefault(checkpoint.size, checkpoint.root)
        self.origins.add(checkpoint.origin)
        if known != checkpoint.root:
            findings.add(
                f"The log has forked: two different trees of {checkpoint.size} entries are signed.",
                max((size for size in self.roots if size < checkpoint.size), default=0),
            )


def examine(folder: Path, held: bytes | None = None, keys: Sequence[PublicKey] = ()) -> Report:
    """Judge `folder`. `held`: a checkpoint kept elsewhere; `keys`: trusted keys of the log.

    Without `keys` the export's own are taken, which proves no more than that it agrees with
    itself and with `held`. Raises Unusable, OSError.
    """
    if not (folder / ENTRIES).is_file():
        raise Unusable(f"{folder} holds no {ENTRIES}: it is not an export of the audit log.")
    findings = Findings()
    exported = _exported_keys(folder / KEYS, keys, findings)
    trusted = tuple(keys) or exported
    anchors = _anchors(folder / CHECKPOINTS, trusted, findings)
    kept = _held(held, trusted, bool(keys), anchors, findings)
    if len(anchors.origins) > 1:
        findings.add("The checkpoints name more than one log.")
    walked = walk(folder, anchors.roots)
    _judge(walked, anchors, findings)
    return Report(
        origin=min(anchors.origins, default=""),
        entries=walked.count,
        checkpoints=anchors.count,
        keys=trusted,
        keys_given=bool(keys),
        held=kept,
        sentences=tuple(findings.sentences),
        first_bad=findings.first_bad,
        latest=findings.latest,
        proven=walked.proven,
    )


def _exported_keys(
    path: Path, given: Sequence[PublicKey], findings: Findings
) -> tuple[PublicKey, ...]:
    if not path.is_file():
        if not given:
            raise Unusable(f"The export names no key ({KEYS}): give the log's key with --key.")
        return ()
    try:
        lines = _read(path).decode().splitlines()
        found = tuple(parse_vkey(line) for line in lines if line.strip())
    except (BadNote, UnicodeDecodeError):
        found = ()
    if not found:
        findings.add(f"The key in {KEYS} is damaged: it is no key.")
    elif given and not set(given) & set(found):
        findings.add(f"{KEYS} names another key than the one you trust.")
    return found


def _anchors(folder: Path, keys: Sequence[PublicKey], findings: Findings) -> _Anchors:
    anchors = _Anchors()
    for path in sorted(folder.glob("*.note")) if folder.is_dir() else ():
        name = f"{CHECKPOINTS}/{path.name}"
        try:
            checkpoint = open_checkpoint(_read(path), keys)
        except BadNote as error:
            findings.add(f"{name} cannot be believed: {error}.")
            continue
        if path.name != f"{checkpoint.size:020d}.note":
            findings.add(f"{name} holds the checkpoint of {checkpoint.size} entries.")
        anchors.add(checkpoint, findings)
        anchors.count += 1
    if not anchors.roots:
        findings.add("The export holds no checkpoint that can be believed.", 0)
    return anchors


def _held(
    data: bytes | None,
    keys: Sequence[PublicKey],
    keys_given: bool,
    anchors: _Anchors,
    findings: Findings,
) -> Checkpoint | None:
    """The reader's own checkpoint. Without a trusted key it is believed as it is: the reader has
    kept it, while the export's key came with the export."""
    if data is None:
        return None
    try:
        held = open_checkpoint(data, keys)
    except UnknownSigner as error:
        if keys_given:
            raise Unusable(f"The checkpoint you hold is of no use: {error}.") from None
        findings.add(
            f"The checkpoint you hold was signed by another key than this export: {error}. Either "
            "the export was signed anew, or your checkpoint is of another log."
        )
        held = _believe(data)
    except BadNote as error:
        raise Unusable(f"The checkpoint you hold is of no use: {error}.") from None
    if anchors.origins and held.origin not in anchors.origins:
        raise Unusable(
            f"The checkpoint you hold is of the log {held.origin}, and the export is of "
            f"{min(anchors.origins)}: they cannot be compared."
        )
    anchors.add(held, findings)
    return held


def _believe(data: bytes) -> Checkpoint:
    try:
        return parse_checkpoint(parse_note(data).text)
    except BadNote as error:
        raise Unusable(f"The checkpoint you hold is of no use: {error}.") from None


def _judge(walked: Walked, anchors: _Anchors, findings: Findings) -> None:
    count, signed = walked.count, anchors.largest
    if walked.fault is not None:
        findings.add(str(walked.fault), walked.fault.index, walked.fault.latest)
    elif count < signed:
        findings.add(
            f"Entry {count} is missing: the export ends before it, and {signed} entries were "
            "signed.",
            count,
        )
    elif count > signed and anchors.roots:
        findings.add(
            f"Entry {signed} and what follows lie under no checkpoint that can be believed: they "
            "were added, or their checkpoint was changed.",
            signed,
        )
    if walked.list_differs is not None and count <= signed:
        findings.add(
            f"{LEAF_HASHES} is damaged at entry {walked.list_differs}; the entries themselves "
            "were compared with the signed roots."
        )


def _read(path: Path) -> bytes:
    """A small file, whole; of a larger one as much as shows that it is too large."""
    with path.open("rb") as file:
        return file.read(MAX_NOTE_BYTES + 1)
