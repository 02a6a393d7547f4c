"""Backup and restore, tried: `python -m tests.drill [--bus kafka] [--seconds 25] [--rate 2]`.

Referrals flow, a base backup is taken, the machine and its disk are lost in the middle of it, and
docs/restore.md is followed elsewhere, step by step, until the record reconciles to zero. Calls come
in all the while. Kafka, if it is the bus, outlives the database. What was lost is named. Exit code
0 only if nothing was lost for good, nothing went out while deliveries were held, and nothing went
out unrecorded.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from deploy.machine.machine import NotReady
from tests.chaos.agencies import MoodyAgencies
from tests.drill import before, restoring, verdict
from tests.drill.night import Night
from tests.drill.operator import WentWrong, say
from tests.drill.page import NotOnThePage, Page
from tests.drill.phone import Phone
from tests.drill.site import Site
from tests.support import machines
from tests.support.databases import in_memory


def main(args: argparse.Namespace) -> int:
    folder = Path(tempfile.mkdtemp(prefix="hartline-drill-", dir=in_memory()))
    site = Site(folder, args.archive, args.bus)
    try:
        return asyncio.run(asyncio.wait_for(drill(args, site), args.within))
    except (NotReady, WentWrong, NotOnThePage, TimeoutError) as problem:
        print(f"\ndrill: FAILED. {problem or f'Not over after {args.within:.0f} s.'}")
        return 1
    finally:
        site.close()
        if args.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


async def drill(args: argparse.Namespace, site: Site) -> int:
    print("Hartline on one machine, with an archive and a witness elsewhere.", flush=True)
    key = before.prepare(site)
    agencies = MoodyAgencies(site.here.home.agencies, seed=0)
    issuer = site.issuer()

    def token() -> str:
        return issuer.token("careline", ("referrals:create",))

    url = machines.url(site.here, "intake")
    await agencies.start(site.ports.agencies)
    try:
        async with aiohttp.ClientSession() as session:
            with Phone(url, token, site.folder / "phone", args.rate) as phone:
                night = Night(site, Page(), phone, agencies, session, keys=[key])
                try:
                    await before.until_lost(night, args.seconds, args.archive)
                    await restoring.restore(night)
                    findings = await verdict.reckon(night)
                finally:
                    for each in night.running:
                        await each.stop()
    finally:
        await agencies.close()
    print(f"\n{verdict.table(night, findings)}")
    print(f"\ndrill: {'passed' if findings.nothing else 'FAILED'}")
    return 0 if findings.nothing else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.drill", description=__doc__)
    parser.add_argument("--bus", choices=("postgresql", "kafka"), default="postgresql")
    parser.add_argument("--seconds", type=float, default=25, help="of load before the loss")
    parser.add_argument("--rate", type=float, default=2, help="calls per second")
    parser.add_argument("--archive", type=int, default=5, help="archive_timeout, seconds")
    parser.add_argument("--within", type=float, default=300, help="seconds for all of it")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs")
    began = time.monotonic()
    code = main(parser.parse_args())
    say(f"{time.monotonic() - began:.0f} s in all")
    sys.exit(code)
