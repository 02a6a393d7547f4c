"""Two `make up` begun in one moment would find the same ports free: one begins after the other."""

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Among the processes that test here. Leave it once what began has its ports."""
    with (Path(tempfile.gettempdir()) / "hartline-tests-up").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
