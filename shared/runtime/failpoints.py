"""Named places at which a test run may kill the process.

`HARTLINE_FAILPOINT_DIR` names a directory; a file called after a fail point arms it once: the
next process that passes removes the file and dies by SIGKILL. Unset, which is everywhere but
in tests (production refuses to start with it), a fail point costs one comparison.
"""

import os
import signal
from pathlib import Path

_DIRECTORY = os.environ.get("HARTLINE_FAILPOINT_DIR")


def armed() -> bool:
    """Whether this process runs under a test harness at all."""
    return _DIRECTORY is not None


def failpoint(name: str) -> None:
    """Die here, at once and without cleaning up, if the harness armed `name`."""
    if _DIRECTORY is None:
        return
    try:
        (Path(_DIRECTORY) / name).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
