"""A base backup and an archive of the write-ahead log, and a cluster made of the two elsewhere.

The means are PostgreSQL's own (`pg_basebackup`, `archive_command`, `restore_command`);
docs/restore.md has them for a person.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from deploy.machine import backup_manifest
from deploy.machine.home import make_reachable
from deploy.machine.postgres import PostgresServer
from deploy.machine.postgres_wheel import system_user


class Vault:
    """The folder that holds both: on another disk than the server's, better in another building.

    Whoever can read it can read what the database holds: sealed content, roles, hashes.
    """

    def __init__(self, folder: Path) -> None:
        """Makes it, for the account that serves PostgreSQL."""
        self.folder = folder
        self.base = folder / "base"
        self.archive = folder / "archive"
        make_reachable(folder)
        for each in (self.base, self.archive):
            each.mkdir(mode=0o700, exist_ok=True)
            _give(each)

    def settings(self, every_seconds: int) -> Mapping[str, str]:
        """What the server needs to archive: each segment at once, flushed, and never overwritten;
        one that is not full after `every_seconds`, too. A second try of the same is no error."""
        kept, part = f"{self.archive}/%f", f"{self.archive}/.%f"
        return {
            "archive_mode": "on",
            "archive_timeout": str(every_seconds),
            "archive_command": (
                f'cmp -s "%p" "{kept}" || (test ! -e "{kept}" && cp "%p" "{part}" '
                f'&& sync "{part}" && mv "{part}" "{kept}" && sync "{self.archive}")'
            ),
        }

    def take(self, server: PostgresServer) -> int:
        """Copy the running cluster; how many bytes. Raises PostgresFailed."""
        server.tool(
            *("pg_basebackup", "--pgdata", str(self.base), "--checkpoint", "fast"),
            *("--manifest-checksums", backup_manifest.ALGORITHM),
        )
        backup_manifest.verify(self.base)
        return sum(path.stat().st_size for path in self.base.rglob("*") if path.is_file())

    def restore(self, server: PostgresServer) -> None:
        """Lay the base into the server's place, every file compared with the backup's manifest, and
        have it read the archive to its end when it starts. Raises PostgresFailed."""
        if server.data.exists():
            raise FileExistsError(f"{server.data} is there: a restore overwrites nothing.")
        shutil.copytree(self.base, server.data, symlinks=True)
        backup_manifest.verify(server.data)
        with (server.data / "postgresql.conf").open("a") as file:
            file.write("hot_standby = off\n")  # Ready means: as far as the archive goes.
            file.write(f'restore_command = \'cp "{self.archive}/%f" "%p"\'\n')
        (server.data / "recovery.signal").touch()
        _give(server.data)


def _give(folder: Path) -> None:
    """All of it to the account that serves PostgreSQL."""
    account = system_user()
    if account is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
