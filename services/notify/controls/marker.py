"""A mark outside the database: how far it has counted. A restored one has counted less far.

The count is committed first and written down afterwards, so a file is never ahead of a database
that has lost nothing.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from shared.runtime.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class Same:
    """The database knows at least what was written down."""


@dataclass(frozen=True, slots=True)
class Restored:
    """It has counted less far than was written down, or nobody can say."""


Finding = Same | Restored


def compare(counted: int, written: int | None) -> Finding:
    """`counted` by the database (0: never), `written` beside it (None: there is no file).

    A file that is gone proves nothing, so a database that has counted without it is held too.
    """
    if written is None:
        return Same() if counted == 0 else Restored()
    return Same() if counted >= written else Restored()


def read(path: Path) -> int | None:
    """What is written down. Raises Misconfigured when it is no number."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read ({error.strerror}).") from None
    if not text.strip().isdigit():
        raise Misconfigured(f"{path} must hold a number: see docs/runbook.md, Restoring.")
    return int(text)


def write(path: Path, count: int) -> None:
    """Written whole or not at all, and on the disk when this returns."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    with new.open("w") as file:
        file.write(f"{count}\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
