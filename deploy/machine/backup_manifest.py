"""Is a base backup whole, by the manifest that PostgreSQL wrote with it?

What `pg_verifybackup` checks of the files; the wheel's own ends with a segmentation fault. Where
there is one that works, as in any packaged PostgreSQL, use it: it reads the write-ahead log, too.
"""

import hashlib
import json
from pathlib import Path

from deploy.machine.postgres_wheel import PostgresFailed

MANIFEST = "backup_manifest"
ALGORITHM = "SHA256"
_WRITTEN_BESIDE = ("pg_wal/", "postgresql.auto.conf")
"""What pg_basebackup adds or may change after the manifest, as pg_verifybackup knows it."""


def verify(folder: Path) -> int:
    """How many files are as they were. Raises PostgresFailed and names the first that is not."""
    raw = (folder / MANIFEST).read_bytes()
    body, _, last = raw.rstrip(b"\n").rpartition(b"\n")
    manifest = json.loads(raw)
    if hashlib.sha256(body + b"\n").hexdigest() != manifest["Manifest-Checksum"]:
        raise PostgresFailed(f"The manifest of {folder} was changed ({last[:20]!r} …).")
    listed = {each["Path"]: each for each in manifest["Files"]}
    for name, each in listed.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != each["Size"]:
            raise PostgresFailed(f"{path} is not there, or not as long as it was.")
        if each["Checksum-Algorithm"] != ALGORITHM or _digest(path) != each["Checksum"]:
            raise PostgresFailed(f"{path} is not what was backed up.")
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in {*listed, MANIFEST} and not _beside(name):
            raise PostgresFailed(f"{path} is not of this backup.")
    return len(listed)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _beside(name: str) -> bool:
    return name.startswith(_WRITTEN_BESIDE)
