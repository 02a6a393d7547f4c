"""What whoever is on duty cuts short."""

import subprocess
import sys

from deploy.machine.home import ROOT


def test_who_reads_no_further_is_shown_no_traceback() -> None:
    """Its reader is gone before the first line."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PRINTS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), said) == (0, b"")


_PRINTS = """
import sys, time
from deploy.machine import __main__ as launcher
launcher.main = lambda argv: [time.sleep(0.2), print("x" * 100_000)] and 2
sys.exit(launcher._piped([]))
"""
