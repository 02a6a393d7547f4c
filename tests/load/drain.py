"""A partner comes back to what was held for it: `python -m tests.load.drain [--notices 10000]`.

While it is down (connections refused; or paused, with --held paused) referrals come in, and the
other four get theirs. Then it is back, and takes what was held: notices a second from its first to
its last, each found by its id, in notify's rows and at the partner. A notice that it took twice
came twice without need: it answers every one. Exit code 1 when one was lost or came twice.
"""

import argparse
import asyncio
import math
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import asyncpg

from deploy.machine.home import Ports
from deploy.machine.machine import Machine
from shared.runtime.db import plain_dsn
from tests.load import costs, referrals
from tests.load.arguments import add_bus, between, whole
from tests.load.openloop import throughput
from tests.load.phone import agency_of_kind, burst, calling
from tests.load.receiver import Receiver, listening, until
from tests.load.reporting import say, show, verdict
from tests.support import machines

FAN_OUT = 5
GOAL_PER_SECOND = 800.0
PARTNER = "fbi"
_TOGETHER = 32
_WARM_REFERRALS = 50
_SETTLE_SECONDS = 3.0


def main(args: argparse.Namespace) -> int:
    with machines.prepared(args.bus) as machine:
        report = asyncio.run(Drain(args, machine).run())
    show(report, _rows(report))
    wrong = ("refused", "never_held", "still_pending", "lost", "taken_twice")
    return 1 if any(report[each] for each in wrong) else 0


class Drain:
    """One run of it."""

    def __init__(self, args: argparse.Namespace, machine: Machine) -> None:
        self._args = args
        self._machine = machine
        self._receiver = Receiver()
        self._partner = agency_of_kind(machine, PARTNER)
        self._own_port = Ports.free().agencies

    async def run(self) -> dict[str, Any]:
        await self._move_partner()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(listening(self._receiver, self._machine.ports.agencies))
            async with listening(self._receiver, self._own_port):
                await stack.enter_async_context(machines.running(self._machine))
                say("the services are ready; warming up")
                await self._send(_WARM_REFERRALS, first=0, children=1, but=None)
                paused = await self._pause() if self._args.held == "paused" else None
            say(f"the partner is {self._args.held}")
            warm = set(self._receiver.taken[self._partner])
            each = self._args.children
            count = math.ceil(self._args.notices / each)
            expected = count * each
            refused = await self._send(count, first=1_000_000, children=each, but=self._partner)
            await asyncio.sleep(_SETTLE_SECONDS)
            held = await self._held()
            say(f"{len(held)} notices are held; the partner comes back")
            before, own, back = costs.cpu_seconds(self._machine), costs.own_seconds(), time.time()
            async with listening(self._receiver, self._own_port):
                if paused is not None:
                    await self._resume(paused)
                took = self._receiver.taken[self._partner]
                await until(
                    lambda: len(took) - len(warm) >= len(held),
                    self._args.within,
                    lambda: f"{len(took) - len(warm)} of {len(held)}",
                )
                await asyncio.sleep(_SETTLE_SECONDS)
                generator = {"generator": round(costs.own_seconds() - own, 2)}
                programs = costs.spent(before, costs.cpu_seconds(self._machine)) | generator
                left = await self._held()
            self._receiver.opened(self._machine.home.agencies)
        first_bytes = {id_: self._receiver.first_bytes[id_] for id_ in took if id_ not in warm}
        return {
            "bus": self._args.bus,
            "was": self._args.held,
            "refused": refused,
            "never_held": expected - refused * each - len(held),
            "still_pending": len(left),
            **drained(held, took, first_bytes, back),
            "cpu_seconds": programs,
        }

    async def _send(self, count: int, *, first: int, children: int, but: str | None) -> int:
        """Until everybody, or everybody but one, has its notices. How many were not taken."""
        receiver = self._receiver
        already = receiver.notices(but=but)
        body = partial(referrals.body, children=children)
        async with calling(self._machine, body) as send:
            sent = await burst(send, count, together=_TOGETHER, first=first)
        accepted = sum(each.status == 201 for each in sent)
        wanted = already + accepted * children * (FAN_OUT - (but is not None))
        say(f"{accepted} referrals of {children} children are accepted")
        await until(
            lambda: receiver.notices(but=but) >= wanted,
            self._args.within,
            lambda: f"the others still miss {wanted - receiver.notices(but=but)} notices",
        )
        return count - accepted

    async def _move_partner(self) -> None:
        """To a port of its own, at which connections can be refused."""
        async with _database(self._machine) as connection:
            await connection.execute(
                "UPDATE notify.agencies SET endpoint = $1 WHERE agency_id = $2",
                f"http://127.0.0.1:{self._own_port}/agency/{self._partner}",
                self._partner,
            )

    async def _held(self) -> set[str]:
        """The ids of its notices that are on their way."""
        async with _database(self._machine) as connection:
            rows = await connection.fetch(
                "SELECT notice_id FROM notify.deliveries WHERE agency_id = $1 "
                "AND state IN ('pending', 'attempting')",
                self._partner,
            )
        return {row["notice_id"] for row in rows}

    async def _pause(self) -> str:
        body = {"agency_id": self._partner, "reason": "Load run: held, then let go."}
        return str((await self._post("/v1/halts", body))["halt_id"])

    async def _resume(self, halt_id: str) -> None:
        await self._post(f"/v1/halts/{halt_id}/lift", {"reason": "Load run: let go."})

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        token = machines.token(self._machine, "controls:halt", "controls:lift")
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
            session.post(machines.url(self._machine, "notify") + path, json=body) as answer,
        ):
            answer.raise_for_status()
            return await answer.json()


@asynccontextmanager
async def _database(machine: Machine) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(plain_dsn(machine.dsns["notify"].owner))
    try:
        yield connection
    finally:
        await connection.close()


def drained(
    held: set[str], took: Counter[str], first_bytes: dict[str, float], back: float
) -> dict[str, Any]:
    """What became of the notices held, by id. `first_bytes`: of those taken after `back`."""
    times = sorted(at for id_, at in first_bytes.items() if id_ in held)
    span = times[-1] - times[0] if times else 0.0
    return {
        "held": len(held),
        "taken": len(times),
        "lost": len(held - set(took)),
        "taken_twice": sum(took[id_] > 1 for id_ in held),
        "notices_per_second": round((len(times) - 1) / span, 1) if span > 0 else 0.0,
        "notices_per_second_middle": throughput(times),
        "goal_notices_per_second": GOAL_PER_SECOND,
        "back_to_first_seconds": round(times[0] - back, 2) if times else None,
        "back_to_last_seconds": round(times[-1] - back, 2) if times else None,
    }


def _rows(report: dict[str, Any]) -> list[tuple[str, object]]:
    fast, middle = report["notices_per_second"], report["notices_per_second_middle"]
    counts = "{held} / {taken} / {lost} / {taken_twice}".format(**report)
    back = "{back_to_first_seconds} s / {back_to_last_seconds} s".format(**report)
    seconds = (report["back_to_last_seconds"] or 0) - (report["back_to_first_seconds"] or 0)
    cpu = "  ".join(
        f"{name} {spent}" + (f" ({100 * spent / seconds:.0f} %)" if seconds > 0 else "")
        for name, spent in report["cpu_seconds"].items()
    )
    return [
        ("held / taken / lost / taken twice", counts),
        (
            "notices per second",
            f"{fast} ({middle} in the middle); goal ≥ {GOAL_PER_SECOND:g}: "
            f"{verdict(fast >= GOAL_PER_SECOND)}",
        ),
        ("from back to the first / last", back),
        ("CPU seconds (of a core)", cpu),
    ]


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.load.drain", description=__doc__)
    add_bus(parser)
    parser.add_argument("--notices", type=whole(10, 100_000), default=10_000)
    parser.add_argument(
        "--children", type=whole(1, 20), default=10, help="of a referral, a notice each"
    )
    parser.add_argument("--held", choices=("down", "paused"), default="down")
    parser.add_argument(
        "--within", type=between(1, 3600), default=600, help="seconds to wait for what is due"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(arguments().parse_args()))
