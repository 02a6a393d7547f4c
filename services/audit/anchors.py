"""What an export's entries are compared with: roots that trusted keys have signed.

Of the export itself nothing is believed but what such a key has signed; the reader's own
checkpoint is believed because the reader has kept it.
"""

import errno
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.audit.cosignature import WitnessKey, cosigned, parse_witness_vkey
from services.audit.note import (
    MAX_NOTE_BYTES,
    BadNote,
    Checkpoint,
    Note,
    PublicKey,
    Signature,
    UnknownSigner,
    open_checkpoint,
    parse_checkpoint,
    parse_note,
    parse_vkey,
)
from services.audit.turns import Turn, lost, turned

CHECKPOINTS = "checkpoints"
KEYS = "log.vkey"
WITNESSES = "witnesses.vkey"


class Unusable(Exception):
    """What was handed in cannot be judged: a missing folder, a wrong key. Nobody is accused."""


@dataclass
class Findings:
    """What is wrong, in words, and the first entry that is bad or unproven, as far as it shows.

    `remarks` are no faults: what a reader should know all the same.
    """

    sentences: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    first_bad: int | None = None
    latest: int | None = None

    def add(self, sentence: str, first_bad: int | None = None, latest: int | None = None) -> None:
        self.sentences.append(sentence)
        if first_bad is not None and (self.first_bad is None or first_bad < self.first_bad):
            self.first_bad = first_bad
            self.latest = first_bad if latest is None else latest


@dataclass(frozen=True)
class Trust:
    """What the reader brings from elsewhere. Without keys the export's own are taken."""

    held: bytes | None = None
    keys: Sequence[PublicKey] = ()
    witnesses: Sequence[WitnessKey] = ()


@dataclass
class Anchors:
    """Signed roots by tree size, and what each witness has cosigned: its largest, and each tree."""

    turns: Sequence[Turn] = ()
    roots: dict[int, bytes] = field(default_factory=dict)
    origins: set[str] = field(default_factory=set)
    witnessed: dict[WitnessKey, int] = field(default_factory=dict)
    vouched: set[tuple[WitnessKey, int, bytes]] = field(default_factory=set)
    count: int = 0
    passed_over: int = 0

    @property
    def largest(self) -> int:
        return max(self.roots, default=0)

    @property
    def origin(self) -> str:
        """The one under which the log goes on today."""
        ended = {turn.previous for turn in self.turns}
        return min(self.origins - ended, default=min(self.origins, default=""))

    def add(self, checkpoint: Checkpoint, findings: Findings) -> None:
        turn = turned(checkpoint.origin, self.turns)
        if turn is not None and checkpoint.size > turn.index:
            self._of_what_was_lost(checkpoint, turn, findings)
            return
        if turn is None:
            self.origins.add(checkpoint.origin)
        known = self.roots.setdefault(checkpoint.size, checkpoint.root)
        if known != checkpoint.root:
            findings.add(
                f"The log has forked: two different trees of {checkpoint.size} entries are signed.",
                max((size for size in self.roots if size < checkpoint.size), default=0),
            )

    def _of_what_was_lost(self, checkpoint: Checkpoint, turn: Turn, findings: Findings) -> None:
        sentence = lost(checkpoint, turn)
        if sentence is not None:
            findings.add(sentence, turn.index)
            return
        findings.remarks.append(
            f"Entries {turn.index} to {checkpoint.size - 1} of {checkpoint.origin} were lost in a "
            f"restore. Entry {turn.index} of this export says so and commits to the last "
            f"checkpoint of {turn.committed.size} entries; the ones before it are all here."
        )


def read_keys(path: Path, given: Sequence[PublicKey], findings: Findings) -> tuple[PublicKey, ...]:
    """The keys that the export names. Raises Unusable when there are none at all to go by."""
    if not path.is_file():
        if not given:
            raise Unusable(f"The export names no key ({KEYS}): give the log's key with --key.")
        return ()
    try:
        lines = read_small(path).decode().splitlines()
        found = tuple(parse_vkey(line) for line in lines if line.strip())
    except (BadNote, UnicodeDecodeError):
        found = ()
    if not found:
        findings.add(f"The key in {KEYS} is damaged: it is no key.")
    elif given and not set(given) & set(found):
        findings.add(f"{KEYS} names another key than the one you trust.")
    return found


def read_witnesses(path: Path, findings: Findings) -> tuple[WitnessKey, ...]:
    """The witnesses that the export names, if any."""
    if not path.is_file():
        return ()
    try:
        lines = read_small(path).decode().splitlines()
        return tuple(parse_witness_vkey(line) for line in lines if line.strip())
    except (BadNote, UnicodeDecodeError):
        findings.add(f"A key in {WITNESSES} is damaged: it is no key of a witness.")
        return ()


@dataclass(frozen=True)
class Keys:
    """Keys of logs and of witnesses: those that are believed, and all that the export names."""

    trusted: Sequence[PublicKey]
    exported: Sequence[PublicKey]
    witnesses: Sequence[WitnessKey]

    def strangers(self, note: Note) -> list[Signature]:
        """Signatures of a note by nobody whom the reader or the export names."""
        named = {(key.name, key.key_id) for key in (*self.trusted, *self.exported)}
        named |= {(key.name, key.key_id) for key in self.witnesses}
        return [each for each in note.signatures if (each.name, each.key_id) not in named]


def read_anchors(folder: Path, keys: Keys, turns: Sequence[Turn], findings: Findings) -> Anchors:
    """Every checkpoint of the folder that a trusted key has signed."""
    anchors = Anchors(turns)
    passed_over: list[str] = []
    for path in sorted(folder.glob("*.note")) if folder.is_dir() else ():
        name = f"{CHECKPOINTS}/{path.name}"
        try:
            _read_anchor(path, name, keys, anchors, findings)
        except UnknownSigner as error:
            passed_over.append(f"{name} cannot be believed: {error}.")
        except BadNote as error:
            findings.add(f"{name} cannot be believed: {error}.")
    _pass_over(passed_over, anchors, findings)
    if not anchors.roots:
        findings.add("The export holds no checkpoint that can be believed.", 0)
    if len(anchors.origins) > 1:
        findings.add("The checkpoints name more than one log.")
    return anchors


def _read_anchor(path: Path, name: str, keys: Keys, anchors: Anchors, findings: Findings) -> None:
    """Raises UnknownSigner for one that only another key of the export has signed."""
    data = read_small(path)
    note = parse_note(data)
    for line in keys.strangers(note):
        findings.add(f"{name} bears a signature of {line.name}, whom nothing here names.")
    checkpoint = open_checkpoint(data, keys.trusted)
    words = cosigned(note, keys.witnesses)
    if path.name != f"{checkpoint.size:020d}.note":
        findings.add(f"{name} holds the checkpoint of {checkpoint.size} entries.")
    anchors.add(checkpoint, findings)
    anchors.count += 1
    for word in words:
        anchors.witnessed[word.key] = max(anchors.witnessed.get(word.key, 0), checkpoint.size)
        anchors.vouched.add((word.key, checkpoint.size, checkpoint.root))


def _pass_over(sentences: Sequence[str], anchors: Anchors, findings: Findings) -> None:
    """Checkpoints of other keys than those trusted: of earlier keys of the log, they accuse
    nobody while there are others."""
    if not anchors.roots:
        for sentence in sentences:
            findings.add(sentence)
    elif sentences:
        anchors.passed_over = len(sentences)
        findings.remarks.append(
            f"{len(sentences)} checkpoint(s) are signed by other keys of the export than those "
            "you trust, and were not looked at."
        )


def read_held(
    trust: Trust, keys: Sequence[PublicKey], anchors: Anchors, findings: Findings
) -> Checkpoint | None:
    """The reader's own checkpoint. Without a trusted key it is believed as it is: the reader has
    kept it, while the export's key came with the export."""
    if trust.held is None:
        return None
    try:
        held = open_checkpoint(trust.held, keys)
    except UnknownSigner as error:
        if trust.keys:
            raise Unusable(f"The checkpoint you hold is of no use: {error}.") from None
        findings.add(
            f"The checkpoint you hold was signed by another key than this export: {error}. Either "
            "the export was signed anew, or your checkpoint is of another log."
        )
        held = _believe(trust.held)
    except BadNote as error:
        raise Unusable(f"The checkpoint you hold is of no use: {error}.") from None
    known = anchors.origins | {turn.previous for turn in anchors.turns}
    if anchors.origins and held.origin not in known:
        raise Unusable(
            f"The checkpoint you hold is of the log {held.origin}, and the export is of "
            f"{anchors.origin}: they cannot be compared."
        )
    return held


def _believe(data: bytes) -> Checkpoint:
    try:
        return parse_checkpoint(parse_note(data).text)
    except BadNote as error:
        raise Unusable(f"The checkpoint you hold is of no use: {error}.") from None


def read_small(path: Path) -> bytes:
    """A small file, whole; of a larger one as much as shows that it is too large. Raises OSError,
    also for what is no file: a pipe would be waited for without end."""
    if not path.is_file():
        raise OSError(errno.EINVAL, "it is no ordinary file", str(path))
    with path.open("rb") as file:
        return file.read(MAX_NOTE_BYTES + 1)
