"""The person on the night shift: the commands of docs/restore.md, printed with what they say."""

import asyncio
import sys
from collections.abc import Mapping

from deploy.machine.home import ROOT
from deploy.machine.machine import Machine
from tests.drill.page import Page


class WentWrong(Exception):
    """The drill cannot go on. The text says why."""


def say(*lines: str) -> None:
    for line in lines:
        print(f"    {line}" if line else "", flush=True)


class Operator:
    """Runs a service's commands with its environment on the machine."""

    def __init__(self, machine: Machine, page: Page) -> None:
        self._machine = machine
        self._page = page

    async def run(
        self,
        *command: str,
        expect: int | None = 0,
        within: float = 30.0,
        shown: int = 6,
        **environment: str,
    ) -> str:
        """`services.notify controls list` and the like; what it printed. `expect`: its exit code;
        None: whichever. Raises WentWrong."""
        self._page.check(("python", "-m", *command))
        say(f"$ python -m {' '.join(command)}")
        own = self._machine.environment(_whose(command[0]))
        code, out = await self._run(command, own | environment, within)
        lines = out.splitlines()
        say(*(f"  {line}" for line in lines[max(0, len(lines) - shown) :]))
        if expect is not None and code != expect:
            raise WentWrong(f"It ended with {code}, and {expect} was expected.")
        return out

    async def _run(
        self,
        command: tuple[str, ...],
        environment: Mapping[str, str],
        within: float,
    ) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *command),
            env=environment,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            out, _ = await asyncio.wait_for(process.communicate(), within)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise WentWrong(f"It had not ended after {within:.0f} s.") from None
        return process.returncode, out.decode(errors="replace")


def _whose(module: str) -> str:
    """The service whose settings a command runs with. The topics' ask for the bus alone, which
    everybody's name."""
    return module.removeprefix("services.") if module.startswith("services.") else "intake"
