"""Every sample agency in one process: receives, verifies, opens, stores, and only then says 200.

    python -m deploy.machine.agencies FOLDER PORT [HOST]

FOLDER holds private-keys.json, senders.txt (`whpk_…`, one a line) and received.jsonl. `GET
/received` is for the demonstration alone: a real agency shows nobody what it got.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from deploy.machine.samples import private_keys
from deploy.machine.webhooks import Opened, Refused, open_notice, parse_public_key

_LARGEST = 8 * 1024 * 1024


class Journal:
    """What was received, on disk before it is answered; concurrent receipts share one fsync."""

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "a+b")
        self._file.seek(0)
        self.receipts: dict[str, dict[str, Any]] = {}
        whole, _, half = self._file.read().rpartition(b"\n")
        for line in whole.splitlines():
            self._remember(json.loads(line))
        if half:  # A crash in the middle of a line, so before its 200.
            self._file.truncate(len(whole) + 1 if whole else 0)
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def keep(self, receipt: dict[str, Any]) -> None:
        """Returns when the receipt is durable. One notice id is kept once."""
        if known := self.receipts.get(receipt["notice_id"]):
            known["times"] += 1
            return
        line = json.dumps(receipt, ensure_ascii=False).encode() + b"\n"
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((line, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await done
        self._remember(receipt)

    def _remember(self, receipt: dict[str, Any]) -> None:
        form = receipt["form"]
        facts = {key: form.get(key) for key in ("kind", "version", "referral_number")}
        facts |= {key: receipt[key] for key in ("notice_id", "agency_id", "at")}
        child = (form.get("child") or {}).get("child_id")
        facts |= {"role": form["recipient"]["role"], "child_id": child, "times": 1}
        self.receipts[receipt["notice_id"]] = facts

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await asyncio.to_thread(self._flush, b"".join(line for line, _ in batch))
            for _, done in batch:
                done.set_result(None)

    def _flush(self, lines: bytes) -> None:
        self._file.write(lines)
        self._file.flush()
        os.fdatasync(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def current(self) -> set[str]:
        """The notices that hold the highest version that their agency has of their child."""
        highest: dict[tuple[object, ...], dict[str, Any]] = {}
        for receipt in self.receipts.values():
            about = (receipt["agency_id"], receipt["referral_number"], receipt["child_id"])
            if about not in highest or receipt["version"] > highest[about]["version"]:
                highest[about] = receipt
        return {receipt["notice_id"] for receipt in highest.values()}


class Agencies:
    """The HTTP side: `/agency/<agency_id>` for each of them."""

    def __init__(self, folder: Path) -> None:
        self._keys = private_keys(folder)
        lines = (folder / "senders.txt").read_text().split()
        self._senders = [parse_public_key(line) for line in lines]
        self._journal = Journal(folder / "received.jsonl")
        self._refused: Counter[str] = Counter()

    def app(self) -> web.Application:
        app = web.Application(client_max_size=_LARGEST)
        app.on_cleanup.append(self._close)
        app.router.add_post("/agency/{agency_id}", self.receive)
        app.router.add_get("/received", self.received)
        app.router.add_get("/readyz", self.ready)
        return app

    async def receive(self, request: web.Request) -> web.Response:
        """A notice for one agency. 200 means: verified, opened and stored, or stored before."""
        agency_id = request.match_info["agency_id"]
        key = self._keys.get(agency_id)
        if key is None:
            return self._refuse(Refused(404, "no such agency"))
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        match open_notice(headers, body, agency_id, key, self._senders, time.time()):
            case Refused() as refused:
                return self._refuse(refused)
            case Opened(notice_id, form):
                at = datetime.now(UTC).isoformat()
                receipt = {"notice_id": notice_id, "agency_id": agency_id, "at": at, "form": form}
                await self._journal.keep(receipt)
                return web.Response()

    async def _close(self, _: web.Application) -> None:
        self._journal.close()

    def _refuse(self, refused: Refused) -> web.Response:
        self._refused[refused.reason] += 1
        return web.Response(status=refused.status)

    async def received(self, request: web.Request) -> web.Response:
        """Who got what, when; `?referral=NUMBER` for one referral. No content."""
        number, current = request.query.get("referral"), self._journal.current()
        receipts = [
            {**receipt, "current": receipt["notice_id"] in current}
            for receipt in self._journal.receipts.values()
            if number in (None, receipt["referral_number"])
        ]
        return web.json_response({"received": receipts, "refused": dict(self._refused)})

    async def ready(self, _: web.Request) -> web.Response:
        return web.json_response({"agencies": len(self._keys)})


async def serve(folder: Path, port: int, host: str = "127.0.0.1") -> None:
    """Until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    runner = web.AppRunner(Agencies(folder).app(), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        await stop.wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:4]))
