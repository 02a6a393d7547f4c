"""A primary and its standbys with deploy/postgres's files, over sockets of this machine."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.machine.home import ROOT, make_reachable
from deploy.machine.postgres import PostgresServer

FOLDER = ROOT / "deploy" / "postgres"
_LINE = re.compile(r"^(\w+) = '?(.*?)'?$", re.MULTILINE)


def settings(*names: str) -> dict[str, str]:
    """Of the files, later ones first."""
    found: dict[str, str] = {}
    for name in names:
        found |= dict(_LINE.findall((FOLDER / name).read_text()))
    return found


def primary(home: Path) -> PostgresServer:
    """Started, and waiting for nobody yet: a standby is made from it first."""
    make_reachable(home)
    server = PostgresServer(home, {**settings("primary.conf"), "synchronous_standby_names": ""})
    server.start()
    return server


class Standby(PostgresServer):
    """A copy of a primary that follows it, made at its first start."""

    def __init__(self, home: Path, of: PostgresServer, name: str) -> None:
        super().__init__(home)
        self.name = name
        self._primary = of

    def _make(self) -> None:
        """By pg_basebackup, as the superuser, with the settings of standby.conf."""
        make_reachable(self.home)
        done = subprocess.run(
            [
                *(self._binary("pg_basebackup"), "--pgdata", str(self.data)),
                *("--dbname", self._conninfo(), "--checkpoint", "fast", "--wal-method", "stream"),
                *("--create-slot", "--slot", self.name),
            ],
            **self._as_account_of_folder(),
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        shutil.copy(self._primary.home / "superuser-password", self.home / "superuser-password")
        told: Mapping[str, str] = {
            **settings("standby.conf"),
            "primary_conninfo": self._conninfo(),
            "primary_slot_name": self.name,
        }
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{key} = '{value}'\n" for key, value in told.items())
        (self.data / "standby.signal").touch()
        self._give(self.data / "standby.signal")

    def _as_account_of_folder(self) -> dict[str, Any]:
        self._own_directory(self.data)
        return self._as_account()

    def _conninfo(self) -> str:
        password = (self._primary.home / "superuser-password").read_text()
        socket = self._primary._socket
        return (
            f"host={socket} port=5432 user=postgres password={password} dbname=postgres "
            f"application_name={self.name}"
        )
