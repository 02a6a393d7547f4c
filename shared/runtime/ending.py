"""The last words of a process that cannot go on, on stderr."""

import sys

from shared.runtime.ids import utc_now


def end(sentences: str, code: int, *, in_log: bool) -> int:
    """`code`, once they are said. `in_log`: to a log, where each line says when it was."""
    head = f"{utc_now():%Y-%m-%dT%H:%M:%SZ} " if in_log else ""
    for line in sentences.splitlines():
        sys.stderr.write(f"{head}{line}\n")
    return code
