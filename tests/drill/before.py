"""Before the page begins: an ordinary evening with a backup, and then the loss."""

import asyncio
import subprocess
import sys
import time

from deploy.machine.home import ROOT
from deploy.machine.machine import SERVICES, Machine
from tests.drill import restored
from tests.drill.night import Night
from tests.drill.operator import WentWrong, say
from tests.drill.site import OLD_ORIGIN, Running, Site

_READY_SECONDS = 120.0
_LATE = 0.8
"""Of the archive's interval: the disk is lost that long after a segment came, near the worst."""


def prepare(site: Site) -> str:
    """Start PostgreSQL with its archive, put the keys into the safe, have the witness watch. The
    public key of the audit log."""
    site.here.prepare()
    site.fill_safe()
    key = log_key(site.here, OLD_ORIGIN)
    site.witness.watch(key)
    return key


def log_key(machine: Machine, origin: str) -> str:
    """The public key of the audit log under this name."""
    command = [sys.executable, "-m", "services.audit", "key"]
    environment = machine.environment("audit") | {"HARTLINE_AUDIT_ORIGIN": origin}
    done = subprocess.run(
        command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


async def until_lost(night: Night, seconds: float, archive_seconds: float) -> None:
    """Load for that long, a base backup in the middle of its first half; then the loss."""
    site = night.site
    running = Running(site.here, *SERVICES)
    try:
        await site.here.wait_ready(_READY_SECONDS)
        night.phone.begin()
        began = time.time()
        await _reached(began + seconds / 4)
        size = await asyncio.to_thread(site.vault.take, site.here.postgres)
        night.at.backup = time.time()
        say(f"Base backup under load: {size / 1e6:.0f} MB in the vault.")
        await _reached(began + seconds)
        await _segment_came(site, archive_seconds)
        await asyncio.sleep(_LATE * archive_seconds / 2)
        if site.brokers is not None:
            running.freeze("deadlines")  # So that the brokers hold what it has not read.
        await asyncio.sleep(_LATE * archive_seconds / 2)
        running.lose()
        night.at.lost = time.time()
    except BaseException:
        await running.stop()
        raise
    await running.stop()
    if site.here.postgres.data.exists():
        raise WentWrong("The disk is not lost.")
    say(
        f"LOST: the machine and its disk, {night.at.lost - night.at.backup:.0f} s after the "
        f"backup. {len(night.phone.acknowledged)} referrals had their 201, "
        f"{len(night.agencies.arrivals)} notices had arrived."
    )


async def _reached(at: float) -> None:
    await asyncio.sleep(max(0.0, at - time.time()))


async def _segment_came(site: Site, archive_seconds: float) -> None:
    """To lose the disk just after that would measure luck."""
    dsn = site.here.postgres.superuser_dsn()
    known, _ = await restored.archived(dsn)
    deadline = time.time() + 4 * archive_seconds + 10
    while (await restored.archived(dsn))[0] == known:
        if time.time() > deadline:
            raise WentWrong("No segment came into the archive.")
        await asyncio.sleep(0.1)
