"""Child processes that end with their parent."""

import ctypes
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent(signum: signal.Signals) -> Callable[[], None]:
    """For `Popen(preexec_fn=…)`: Linux sends the child `signum` when its parent dies.

    The parent is the *thread* that starts the child: start children from the main thread.
    """

    def ask() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0)

    return ask
