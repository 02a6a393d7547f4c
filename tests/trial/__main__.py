"""Whether the book is enough: a run with a fault that an operator finds and mends by docs/ alone.

make trial FAULT=3     start it and break it (1 to 15); where one runs: break that too
make trial CALL=WHO    telephone who mends what is theirs: careline, fbi, witness
make trial END=1       say what is still wrong, and stop it; exit code 0: nothing is
make trial CHECK=1     the same, and it goes on

The operator has the docs, `make doctor`, `make status`, and what the pager says in this terminal.
"""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.machine import running as runs
from deploy.machine.machine import NotReady
from deploy.machine.running import Running
from shared.runtime.errors import Misconfigured
from tests.trial.faults import CALLS, FAULTS
from tests.trial.reckoning import reckon
from tests.trial.site import Site

_BEFORE, _AFTER = 2, 2
"""Referrals of an ordinary evening, and with the fault."""
_PATIENCE = 30.0
_START_SECONDS = 240.0


def main(args: argparse.Namespace) -> int:
    found = runs.current(runs.base())
    if args.end or args.check:
        return end(found, stop=args.end)
    wanted = args.call or args.fault
    if found is not None:
        return hand_over(found, str(wanted))
    if args.fault is None:
        print("Nothing runs: make trial FAULT=3 starts it.")
        return 2
    folder = Path(tempfile.mkdtemp(prefix="hartline-trial-"))
    site = Site(folder)
    try:
        with runs.lock(runs.base()):
            site.prepare()
            runs.remember(runs.base(), site.machine)
            asyncio.run(trial(site, args.fault))
    except NotReady as problem:
        print(f"No fault is in: {problem}")
        return 1
    finally:
        runs.forget(runs.base())
        site.machine.stop_servers()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def end(found: Running | None, *, stop: bool) -> int:
    if found is None:
        print("Nothing is running.")
        return 2
    wrong = asyncio.run(reckon(found))
    print("\n".join([*wrong, "", f"trial: {'NOT mended' if wrong else 'mended'}"]))
    if stop:
        runs.stop(runs.base())
    return 1 if wrong else 0


def hand_over(found: Running, wanted: str) -> int:
    """To the process that runs it. Raises Misconfigured when it is no trial."""
    order, said = Path(found.home) / "order", Path(found.home) / "said"
    if not (Path(found.home) / "witnesses").exists():
        raise Misconfigured("What runs is no trial: `make down` stops it.")
    said.unlink(missing_ok=True)
    order.write_text(wanted)
    deadline = time.monotonic() + _PATIENCE
    while order.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    if not said.exists():
        print("Nobody has answered yet: what they say will be in the terminal of the run.")
        return 1
    print(said.read_text())
    return 0


async def trial(site: Site, fault: int) -> None:
    """Until `--end`, Ctrl-C or `make down`."""
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    pager = await site.listen()
    try:
        async with running(site):
            for _ in range(_BEFORE):
                site.refer()
            await asyncio.gather(*site.tasks)
            await asyncio.sleep(2.0)
            print(await put(site, str(fault)), flush=True)
            while not stop.is_set():
                await obey(site)
                await asyncio.sleep(0.3)
            for task in site.tasks:
                task.cancel()
    finally:
        await pager.cleanup()


@asynccontextmanager
async def running(site: Site) -> AsyncIterator[None]:
    """Until it is left; a busy machine may take minutes to be ready."""
    stop = asyncio.Event()
    task = asyncio.create_task(site.machine.run(stop))
    try:
        await site.machine.wait_ready(_START_SECONDS)
        yield
    finally:
        stop.set()
        await task


async def put(site: Site, order: str) -> str:
    """A fault by its number, with referrals on top of it; or a call by its name. What is said."""
    at = time.strftime("%H:%M:%S")
    if order in CALLS:
        return f"{order}, at {at}: {await CALLS[order](site)}"
    await FAULTS[int(order) - 1](site)
    for _ in range(_AFTER):
        site.refer()
    return f"Fault {order} is in, at {at}. Settings, logs and keys are in {site.home.path}."


async def obey(site: Site) -> None:
    """What is ordered from another terminal; it is answered there, and here."""
    order = site.home.path / "order"
    if not order.exists():
        return
    wanted = order.read_text()
    try:
        said = await put(site, wanted)
    except Exception as error:
        traceback.print_exc()  # The operator's run goes on: what is broken so far, stays so.
        said = f"{wanted}: the line is dead ({type(error).__name__}); try again."
    print(said, flush=True)
    (site.home.path / "said").write_text(said)
    order.unlink()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="./hartline -m tests.trial",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("fault", nargs="?", type=int, choices=range(1, len(FAULTS) + 1))
    parser.add_argument("--call", choices=sorted(CALLS))
    parser.add_argument("--end", action="store_true")
    parser.add_argument("--check", action="store_true")
    sys.exit(main(parser.parse_args()))
