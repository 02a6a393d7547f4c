"""Judges an excerpt: some entries of the log, each with a tlog-proof of its own.

entries.ndjson holds the entries, in the order of their indexes; proofs/<index>.tlog-proof the proof
of each, whose checkpoint a trusted key must have signed. That entries are missing between them is
no fault: an excerpt is about one matter. What `about.json` lists must all be there.
"""

import json
from collections.abc import Sequence
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
from services.audit.evidence import Report, judge_witnesses, report
from services.audit.note import BadNote, Checkpoint, PublicKey
from services.audit.proofs import MAX_PROOF_BYTES, verify_proof
from services.audit.tlog import BadProof
from services.audit.walk import ENTRIES, MAX_LINE_BYTES, Fault, read_entry

PROOFS = "proofs"
ABOUT = "about.json"
_MOST_ABOUT = 16 * 1024 * 1024


def examine_excerpt(
    folder: Path,
    held: bytes | None = None,
    keys: Sequence[PublicKey] = (),
    witnesses: Sequence[WitnessKey] = (),
) -> Report:
    """Judge an excerpt as `examine` judges an export. Raises Unusable, OSError."""
    if not (folder / ENTRIES).is_file():
        raise Unusable(f"{folder} holds no {ENTRIES}: it is no excerpt of the audit log.")
    trust, findings = Trust(held, keys, witnesses), Findings()
    exported = read_keys(folder / KEYS, keys, findings)
    trusted = tuple(keys) or exported
    vouching = (*witnesses, *read_witnesses(folder / WITNESSES, findings))
    named = Keys(trusted, exported, vouching)
    anchors = read_anchors(folder / CHECKPOINTS, named, (), findings)
    kept = read_held(trust, trusted, anchors, findings)
    if kept is not None and kept.size in anchors.roots:
        anchors.add(kept, findings)
    elif kept is not None:
        findings.remarks.append(
            f"The checkpoint you hold is of {kept.size} entries. An excerpt cannot show that its "
            f"own continues it: ask for /v1/checkpoint/since/{kept.size}, or for the whole log."
        )
    judge_witnesses(trust, anchors, findings)
    found = _entries(folder, trusted, anchors, witnesses, findings)
    _complete(folder, found, findings)
    return report(trust, trusted, anchors, findings, kept, len(found), len(found), whole=False)


def _entries(
    folder: Path,
    keys: Sequence[PublicKey],
    anchors: Anchors,
    witnesses: Sequence[WitnessKey],
    findings: Findings,
) -> list[int]:
    """The indexes whose entries were read; what is wrong with one goes to the findings."""
    found: list[int] = []
    with (folder / ENTRIES).open("rb") as file:
        while line := file.readline(MAX_LINE_BYTES + 1):
            if len(line) > MAX_LINE_BYTES:
                findings.add(f"Line {len(found) + 1} of {ENTRIES} is too long for an entry.")
                break
            try:
                index, leaf = read_entry(line)
            except Fault as fault:
                findings.add(str(fault), fault.index if fault.index >= 0 else None)
                break
            try:
                if found and index <= found[-1]:
                    raise Fault(index, f"Entry {index} stands a second time, or out of order.")
                tree = _proved(folder / PROOFS, index, leaf, keys, anchors.roots)
                _vouched(index, tree, anchors, witnesses)
            except Fault as fault:
                findings.add(str(fault), fault.index)
            found.append(index)
    return found


def _proved(
    folder: Path, index: int, leaf: bytes, keys: Sequence[PublicKey], roots: dict[int, bytes]
) -> Checkpoint:
    """The checkpoint that vouches for the entry. Raises Fault."""
    path = folder / f"{index}.tlog-proof"
    if not path.is_file():
        raise Fault(index, f"Entry {index} has no proof: {PROOFS}/{path.name} is missing.")
    with path.open("rb") as file:
        data = file.read(MAX_PROOF_BYTES + 1)
    try:
        shown, checkpoint = verify_proof(data, leaf, keys)
    except (BadProof, BadNote) as error:
        raise Fault(
            index, f"Entry {index} is not proved by {PROOFS}/{path.name}: {error}."
        ) from None
    if shown != index:
        raise Fault(index, f"{PROOFS}/{path.name} is the proof of entry {shown}.")
    _agrees(index, checkpoint, roots)
    return checkpoint


def _vouched(
    index: int, tree: Checkpoint, anchors: Anchors, witnesses: Sequence[WitnessKey]
) -> None:
    """Raises Fault unless who is trusted as a witness has cosigned this very tree: what it said
    of another one proves nothing of this entry. One that has cosigned nothing is named once."""
    for key in witnesses:
        if key in anchors.witnessed and (key, tree.size, tree.root) not in anchors.vouched:
            raise Fault(
                index,
                f"Entry {index} is proved under a checkpoint of {tree.size} entries that the "
                f"witness {key.name}, whom you trust, has not cosigned.",
            )


def _agrees(index: int, checkpoint: Checkpoint, roots: dict[int, bytes]) -> None:
    known = roots.get(checkpoint.size)
    if known is not None and known != checkpoint.root:
        raise Fault(
            index,
            f"The log has forked: the proof of entry {index} is of another tree of "
            f"{checkpoint.size} entries than the checkpoint.",
        )


def _complete(folder: Path, found: Sequence[int], findings: Findings) -> None:
    """Every entry that the excerpt says it holds, and every proof in it, has its counterpart."""
    listed = _listed(folder / ABOUT, findings)
    for index in sorted(set(listed) - set(found)):
        findings.add(f"Entry {index} is missing from the excerpt, which lists it.", index)
    for index in sorted(set(found) - set(listed)):
        findings.add(f"Entry {index} was added to the excerpt: its list does not hold it.", index)
    names = {f"{index}.tlog-proof" for index in found}
    for path in sorted((folder / PROOFS).iterdir()):
        if path.name not in names:
            findings.add(f"{PROOFS}/{path.name} belongs to no entry of the excerpt.")


def _listed(path: Path, findings: Findings) -> list[int]:
    if not path.is_file():
        findings.add(f"{ABOUT} is missing: what the excerpt should hold cannot be told.")
        return []
    with path.open("rb") as file:
        data = file.read(_MOST_ABOUT + 1)
    try:
        entries = json.loads(data)["entries"]
    except (ValueError, KeyError, TypeError, RecursionError):
        entries = None
    if not isinstance(entries, list) or not all(type(each) is int for each in entries):
        findings.add(f"{ABOUT} is damaged: it lists no entries.")
        return []
    return entries
