"""The partner kit's receivers as processes: one per language, built once, started, killed."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from deploy.machine.home import ROOT
from deploy.machine.ports import free_ports, is_free
from tests.support.receiver import Behaviour, Request, answer

KIT = ROOT / "clients" / "receivers"
LANGUAGES = ("python", "node", "go", "java")
_MISSING = {
    "node": "Node 20 or newer is missing (nodejs.org, or the system's package nodejs)",
    "go": "Go 1.22 or newer is missing (go.dev/dl, or the system's package golang)",
    "java": "a Java 17 JDK is missing (adoptium.net, or the system's package openjdk-17-jdk)",
}
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/go/bin"])


def tool(name: str, language: str) -> str:
    """Its path. Skips, and fails when CI=true, where the language is not installed."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        pytest.skip(f"Not run for {language}: {_MISSING[language]}.")
    return found


@cache
def command(language: str, folder: Path) -> tuple[str, ...]:
    """How its receiver is started. Built in `folder`, once, where there is something to build."""
    if language == "python":
        return (sys.executable, str(KIT / "python" / "receiver.py"))
    if language == "node":
        return (tool("node", "node"), str(KIT / "node" / "receiver.mjs"))
    if language == "go":
        built = str(folder / "receiver")
        _build([tool("go", "go"), "build", "-o", built, "."], KIT / "go")
        return (built,)
    _build(
        [tool("javac", "java"), "-Werror", "-Xlint:all", "-d", str(folder), "Receiver.java"],
        KIT / "java",
    )
    return (tool("java", "java"), "-XX:TieredStopAtLevel=1", "-cp", str(folder), "Receiver")


def _build(words: list[str], where: Path) -> None:
    environment = {**os.environ, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    done = subprocess.run(
        words, cwd=where, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr


@dataclass
class PartnerReceiver:
    """One receiver process, its folder, and what it has kept there."""

    start_words: tuple[str, ...]
    folder: Path
    config: Mapping[str, Any]
    port: int = field(default_factory=lambda: free_ports(1)[0])
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        config = {"folder": "received", "listen": f"127.0.0.1:{self.port}", **self.config}
        path = self.folder / "receiver.json"
        path.write_text(json.dumps(config))
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*self.start_words, str(path)], stderr=log)
        until = time.monotonic() + 20
        while is_free(self.port):
            assert self.process.poll() is None, self.log
            assert time.monotonic() < until, "it does not listen"
            time.sleep(0.02)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def received(self) -> Path:
        return self.folder / "received"

    def kept(self, notice_id: str) -> dict[str, Any] | None:
        path = self.received / "notices" / f"{notice_id}.json"
        if not path.exists():
            return None
        form: dict[str, Any] = json.loads(path.read_bytes())
        return form

    def standing(self, notice_id: str) -> list[str]:
        """The standing of each line about this notice: one line, if all is well."""
        lines = (self.received / "standing.tsv").read_text().splitlines()
        return [line.split("\t")[0] for line in lines if line.endswith(notice_id)]

    async def forward(self, request: Request, **changes: str | bytes) -> int:
        """Hand it a request, or what became of it on the way; its status."""
        body = changes.pop("body", request.body)
        headers = request.headers | {
            name.replace("_", "-"): str(value) for name, value in changes.items()
        }
        return (await _post(self.port, headers, body if isinstance(body, bytes) else b""))[0]

    async def ask(self, request: Request) -> tuple[int, bytes]:
        """Its status and its answer, without spaces."""
        status, said = await _post(self.port, request.headers, request.body)
        return status, said.replace(b" ", b"")

    def through(self, **changes: str | bytes) -> Behaviour:
        """What a line to it does that alters requests so."""

        async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
            status = await self.forward(request, **changes)
            await answer(status)(request, writer)

        return behave


async def _post(port: int, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        sent = {"host": "town", **headers, "content-length": str(len(body)), "connection": "close"}
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        writer.write(f"POST /hook HTTP/1.1\r\n{head}\r\n".encode() + body)
        await writer.drain()
        answered, _, said = (await reader.read()).partition(b"\r\n\r\n")
        if not answered:
            raise ConnectionError("it hung up")
        return int(answered.split()[1]), said
    finally:
        writer.close()


@contextmanager
def running(
    language: str, built: Path, folder: Path, config: Mapping[str, Any]
) -> Iterator[PartnerReceiver]:
    receiver = PartnerReceiver(command(language, built), folder, config)
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.kill()
