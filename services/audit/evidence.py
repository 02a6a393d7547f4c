"""Judges an exported folder. Standard library, `cryptography` and our hashing; nothing else.

It believes only checkpoints that a trusted key has signed and the one that the reader holds; their
roots are what the entries are compared with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.audit.anchors import (
    CHECKPOINTS,
    KEYS,
    WITNESSES,
    Anchors,
    Findings,
    Keys,
    Trust,
    Unusable,
    read_anchors,
    read_held,
    read_keys,
    read_witnesses,
)
from services.audit.cosignature import WitnessKey
from services.audit.note import Checkpoint, PublicKey
from services.audit.quick import Progress, flawless
from services.audit.turns import TURNS, read_turns
from services.audit.walk import ENTRIES, LEAF_HASHES, Walked, walk


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
    remarks: tuple[str, ...]
    witnessed: tuple[tuple[WitnessKey, int], ...]
    first_bad: int | None
    latest: int | None
    proven: int
    whole: bool = True


def examine(
    folder: Path,
    held: bytes | None = None,
    keys: Sequence[PublicKey] = (),
    witnesses: Sequence[WitnessKey] = (),
    progress: Progress | None = None,
) -> Report:
    """Judge `folder`. `held`: a checkpoint kept elsewhere; `keys`: trusted keys of the log.

    Without `keys` the export's own are taken, which proves no more than that it agrees with
    itself and with `held`. Raises Unusable, OSError.
    """
    if not (folder / ENTRIES).is_file():
        raise Unusable(f"{folder} holds no {ENTRIES}: it is not an export of the audit log.")
    trust, findings = Trust(held, keys, witnesses), Findings()
    exported = read_keys(folder / KEYS, keys, findings)
    trusted = tuple(keys) or exported
    vouching = (*witnesses, *read_witnesses(folder / WITNESSES, findings))
    turns, sound = read_turns(folder, folder / ENTRIES)
    if not sound:
        findings.add(f"{TURNS} is damaged: it names entries that are no turns of the log.")
    named = Keys(trusted, exported, vouching)
    anchors = read_anchors(folder / CHECKPOINTS, named, turns, findings)
    kept = read_held(trust, trusted, anchors, findings)
    if kept is not None:
        anchors.add(kept, findings)
    judge_witnesses(trust, anchors, findings)
    walked = _walked(folder, anchors, progress)
    _judge(walked, anchors, findings)
    return report(trust, trusted, anchors, findings, kept, walked.count, walked.proven)


def report(
    trust: Trust,
    keys: Sequence[PublicKey],
    anchors: Anchors,
    findings: Findings,
    held: Checkpoint | None,
    entries: int,
    proven: int,
    *,
    whole: bool = True,
) -> Report:
    return Report(
        origin=anchors.origin,
        entries=entries,
        checkpoints=anchors.count,
        keys=tuple(keys),
        keys_given=bool(trust.keys),
        held=held,
        sentences=tuple(findings.sentences),
        remarks=tuple(findings.remarks),
        witnessed=tuple(anchors.witnessed.items()),
        first_bad=findings.first_bad,
        latest=findings.latest,
        proven=proven,
        whole=whole,
    )


def judge_witnesses(trust: Trust, anchors: Anchors, findings: Findings) -> None:
    """A witness whom the reader names must have vouched for something here."""
    for key in trust.witnesses:
        if key not in anchors.witnessed:
            findings.add(
                f"The witness {key.name} ({key.key_id.hex()}), whom you trust, has cosigned none "
                "of these checkpoints."
            )


def _walked(folder: Path, anchors: Anchors, progress: Progress | None) -> Walked:
    """The quick look when all is well; otherwise the walk that names what is wrong."""
    if flawless(folder / ENTRIES, folder / LEAF_HASHES, anchors.roots, progress):
        return Walked(anchors.largest, anchors.largest, None, None)
    return walk(folder, anchors.roots)


def _judge(walked: Walked, anchors: Anchors, findings: Findings) -> None:
    count, signed = walked.count, anchors.largest
    if walked.fault is not None:
        findings.add(str(walked.fault), walked.fault.index, walked.fault.latest)
    elif count < signed:
        findings.add(
            f"Entry {count} is missing: the export ends before it, and {signed} entries were "
            "signed.",
            count,
        )
    elif count > signed and anchors.roots and anchors.passed_over:
        findings.add(
            f"Entry {signed} and what follows are signed only by keys of the export that you did "
            "not give: later keys of the log, or those of whoever added the entries. If you have "
            "a later key from elsewhere, give it with --key too.",
            signed,
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
