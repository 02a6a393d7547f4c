"""The witness at another agency, as a process of its own with a folder that outlives ours."""

import subprocess
import sys
import time
from pathlib import Path

from deploy.machine.home import ROOT
from deploy.machine.ports import is_free

_COMMAND = (sys.executable, "-m", "services.audit.witness")
_SECONDS = 10.0


class WitnessProcess:
    """`watch` begins; with a further key, it begins anew."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        made = subprocess.run(
            [*_COMMAND, "make", str(folder), "witness.example/drill"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        self.vkey = made.stdout.strip()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def line(self) -> str:
        """As HARTLINE_AUDIT_WITNESSES has it."""
        return f"http://127.0.0.1:{self._port} {self.vkey}\n"

    def watch(self, log_vkey: str) -> None:
        """This log too, from now on."""
        self.stop()
        with (self._folder / "logs.vkey").open("a") as file:
            file.write(f"{log_vkey}\n")
        self._process = subprocess.Popen(
            [*_COMMAND, "run", str(self._folder), "--port", str(self._port)],
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + _SECONDS
        while is_free(self._port):
            if time.monotonic() > deadline:
                raise RuntimeError("The witness did not start.")
            time.sleep(0.05)

    def last(self) -> Path:
        """The newest checkpoint that it cosigned."""
        return max((self._folder / "last").glob("*.note"), key=lambda path: path.stat().st_mtime)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None
