"""The evidence package: what the log holds about one matter, to be verified by a stranger.

entries.ndjson            the entries, in order: index, leaf (its exact bytes, base64), leaf_hash
proofs/<index>.tlog-proof a C2SP tlog-proof of each
checkpoints/<size>.note   the checkpoint of the proofs, with the witnesses' cosignatures
log.vkey witnesses.vkey   the public keys
about.json                the subject, and the indexes that must all be there
verify.py verifier/       the offline verifier; README.txt says how to use it
"""

import json
import os
import re
from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from services.audit import cosignature_store, reading, recovering_store, store, tlog
from services.audit.appending import Appending
from services.audit.excerpt import ABOUT, PROOFS
from services.audit.export import check_new, entry_line, write_checkpoint, write_keys
from services.audit.leaf import Asked
from services.audit.note import PublicKey
from services.audit.proofs import format_proof
from services.audit.reading import Reader
from services.audit.store import Entry, StoredCheckpoint
from services.audit.traces import as_subject
from services.audit.verify import FILES
from services.audit.walk import ENTRIES
from shared.runtime.db import Database, Session
from shared.runtime.errors import Misconfigured
from shared.runtime.ids import utc_now

_SUBJECT = re.compile(r"(ref|cal|chd|dsc|ntc)_[0-9a-f]{32}", re.ASCII)
_PAGE = 100_000


async def pack(db: Database, subject: str, directory: Path, keys: Sequence[PublicKey]) -> int:
    """Write the package to a new folder; how many entries it holds.

    That it was made is itself an entry, in the log first, and in the accounting of every child that
    is named. Raises Misconfigured when the folder
    exists, the subject is no id, or there is nothing about it under a checkpoint.
    """
    partial = directory.with_name(f"{directory.name}.partial")
    check_new(directory, partial)
    if not _SUBJECT.fullmatch(subject):
        raise Misconfigured("That is no id of a referral, call, child, notice or disclosure.")
    who = Reader(f"os-user:{os.getuid()}", person=True)
    entries = await _about(db, subject)
    appending = Appending(db)
    for of in [as_subject(each) for each in reading.named_in(entries)] or [{}]:
        await appending.append(reading.read_of(who, Asked.EVIDENCE, subject, of))
    if not entries:
        raise Misconfigured(f"The log holds nothing about {subject} under a signed checkpoint.")
    (partial / PROOFS).mkdir(parents=True)
    (partial / "checkpoints").mkdir()
    async with db.transaction() as session:
        await write_keys(session, partial, keys)
        checkpoint = await _checkpoint(session, entries[-1].index)
        write_checkpoint(partial, checkpoint, ())
        await _write_proofs(session, partial, entries, checkpoint)
    _write_entries(partial, subject, entries)
    write_verifier(partial)
    _write_readme(partial, subject, entries, checkpoint, utc_now())
    partial.rename(directory)
    return len(entries)


async def _about(db: Database, subject: str) -> list[Entry]:
    """Every entry whose leaf names the subject. Ids are 128 random bits: to find one is to find
    it. Page by page, for this walks the whole log."""
    async with db.transaction() as session:
        latest = await store.latest_checkpoint(session)
    found: list[Entry] = []
    for start in range(0, latest.size if latest else 0, _PAGE):
        async with db.transaction() as session:
            end = min(start + _PAGE, latest.size if latest else 0)
            found += await recovering_store.entries_naming(session, subject, start, end)
    return found


async def _checkpoint(session: Session, last: int) -> StoredCheckpoint:
    """The newest one that a witness has cosigned, if it is over the last entry; else the newest."""
    cosigned = await cosignature_store.latest_cosigned(session)
    if cosigned is not None and cosigned.size > last:
        return cosigned
    latest = await store.latest_checkpoint(session)
    if latest is None:
        raise Misconfigured("There is no checkpoint yet: start the role seal, then try again.")
    return await cosignature_store.with_lines(session, latest)


async def _write_proofs(
    session: Session, folder: Path, entries: Sequence[Entry], checkpoint: StoredCheckpoint
) -> None:
    for entry in entries:
        spans = tlog.inclusion_spans(entry.index, checkpoint.size)
        nodes = await store.hashes_of(session, tlog.nodes_of(spans))
        proof = format_proof(entry.index, tlog.hash_spans(spans, nodes), checkpoint.note)
        (folder / PROOFS / f"{entry.index}.tlog-proof").write_text(proof, encoding="utf-8")


def _write_entries(folder: Path, subject: str, entries: Sequence[Entry]) -> None:
    (folder / ENTRIES).write_bytes(b"".join(entry_line(entry) for entry in entries))
    about = {"subject": subject, "entries": [entry.index for entry in entries]}
    (folder / ABOUT).write_text(json.dumps(about) + "\n", encoding="utf-8")


def write_verifier(folder: Path) -> None:
    """The offline verifier's own files, and a program that starts them with nothing else."""
    package = folder / "verifier" / "services" / "audit"
    package.mkdir(parents=True)
    for place in (package.parent, package):
        (place / "__init__.py").touch()
    ours = files("services.audit")
    for name in FILES:
        (package / f"{name}.py").write_bytes((ours / f"{name}.py").read_bytes())
    (folder / "verify.py").write_text(_LAUNCHER, encoding="utf-8")


def _write_readme(
    folder: Path,
    subject: str,
    entries: Sequence[Entry],
    checkpoint: StoredCheckpoint,
    now: datetime,
) -> None:
    text = (files("services.audit") / "evidence_readme.txt").read_text(encoding="utf-8")
    filled = text.format(
        subject=subject,
        count=len(entries),
        first=entries[0].index,
        last=entries[-1].index,
        size=checkpoint.size,
        signed_at=f"{checkpoint.signed_at:%Y-%m-%d %H:%M:%S} UTC",
        made_at=f"{now:%Y-%m-%d %H:%M:%S} UTC",
        checkpoint=checkpoint.note,
        keys=(folder / "log.vkey").read_text(encoding="utf-8"),
    )
    (folder / "README.txt").write_text(filled, encoding="utf-8")


_LAUNCHER = '''"""python3 -I verify.py [--key VKEY] [--witness VKEY] [--checkpoint NOTE]

Verifies the folder that it lies in. Needs Python 3.11 or newer and `cryptography`.
"""

import sys
from pathlib import Path


def unable(sentence):
    print("Not judged: " + sentence)
    sys.exit(2)


if sys.version_info < (3, 11):
    unable("this needs Python 3.11 or newer.")
sys.dont_write_bytecode = True
here = Path(__file__).resolve().parent
sys.path.insert(0, str(here / "verifier"))

try:
    from services.audit.verify import main
except ImportError as error:
    unable(str(error.name) + " cannot be used. Install the Python package cryptography.")

sys.exit(main([str(here), *sys.argv[1:]]))
'''
