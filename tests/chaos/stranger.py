"""The export in the hands of a stranger: in a folder with the verifier and nothing else of ours."""

import asyncio
import random
import shutil
import sys
import tempfile
from pathlib import Path

from services.audit.packing import write_verifier
from services.audit.walk import ENTRIES

_KEPT = "kept.note"
_WITHIN = 120.0


async def disagrees(export: Path, kept: bytes, seed: int) -> list[str]:
    """What the offline verifier says against `export`, and whether it misses a bit that is turned.

    `kept`: a checkpoint that somebody took down while the log still grew. It runs isolated (`-I`),
    with no environment and from another folder, so that nothing of ours can be imported.
    """
    with tempfile.TemporaryDirectory(prefix="stranger-") as empty:
        folder = Path(empty) / "export"
        await asyncio.to_thread(shutil.copytree, export, folder)
        write_verifier(folder)
        (Path(empty) / _KEPT).write_bytes(kept)
        code, said = await _verify(folder)
        wrong = [] if code == 0 else [f"the verifier ended with {code}: {said}"]
        _turn_a_bit(folder / ENTRIES, random.Random(seed))
        code, said = await _verify(folder)
        return wrong if code == 1 else [*wrong, f"a bit was turned, and it ended with {code}"]


async def _verify(folder: Path) -> tuple[int, str]:
    vkey = (folder / "log.vkey").read_text(encoding="utf-8").split()[0]
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(folder / "verify.py"),
        *("--key", vkey, "--checkpoint", str(folder.parent / _KEPT)),
        cwd=folder.parent,
        env={},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(running.communicate(), _WITHIN)
    return running.returncode or 0, " ".join(said.decode().split())


def _turn_a_bit(entries: Path, chance: random.Random) -> None:
    with entries.open("r+b") as file:
        size = file.seek(0, 2)
        at = chance.randrange(size)
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1 << chance.randrange(8)]))
