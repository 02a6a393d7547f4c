"""What is still wrong when the operator says that it is over."""

import json
from pathlib import Path
from typing import Any

import httpx

from deploy.machine.home import ISSUER, Home
from deploy.machine.running import Running
from deploy.operations.asking import ask_all
from deploy.operations.doctor import examine
from deploy.operations.places import places
from deploy.operations.thresholds import thresholds
from services.notify.telling_checks import ON_CALL
from shared.runtime.auth import LocalIssuer
from shared.runtime.findings import Finding, Level

OVER = ("delivered", "superseded", "closed", "returned", "recalled")
REQUIRED = 5
_PATIENT = {"audit_unreconciled", "unread", "unacknowledged", "triage", "candidate"}
"""What comes round by itself, or is for the recipient's people: its alert says when it is late."""
_MOMENT = 2.0
"""Seconds: what is as old as this is under way."""


async def reckon(found: Running) -> list[str]:
    """A line for each thing that is wrong; none when every child's recipients have been told."""
    where = places(Home(Path(found.home)).settings, [])
    wrong = [f"doctor: {each.about}: {each.says}" for each in await examine(where) if counts(each)]
    limits = thresholds()
    for seen in await ask_all(where, checks=False):
        ages = seen.ages()
        old = {
            what: age
            for what, age in ages.items()
            if what in limits and age > (limits[what].seconds if what in _PATIENT else _MOMENT)
        }
        print(f"  {seen.service}: {len(ages) - len(old)} of {len(ages)} ages at zero", end="")
        print("".join(f"; {what} {age:.0f} s" for what, age in sorted(old.items())))
        wrong += [f"{seen.service}: {what} has waited {age:.0f} s" for what, age in old.items()]
    return wrong + await untold(found)


def counts(found: Finding) -> bool:
    """What is wrong now; and of the roster, what will be: tonight's mend may end into a hole."""
    return found.level is Level.ACT or (found.about == ON_CALL and found.level is Level.LOOK)


async def untold(found: Running) -> list[str]:
    """Every notice of every referral that intake has accepted, as notify tells of it."""
    calls = Path(found.home) / "referrals.jsonl"
    lines = calls.read_text().splitlines() if calls.exists() else []
    issuer = LocalIssuer(Home(Path(found.home)).issuer_key, ISSUER)
    bearer = issuer.token("reckoning", ["notices:read", "notices:read-all"])
    wrong, arrived = [], 0
    headers = {"Authorization": f"Bearer {bearer}"}
    async with httpx.AsyncClient(trust_env=False, timeout=10.0, headers=headers) as client:
        for referral_id in (json.loads(line)["referral_id"] for line in lines):
            notices = await _notices(client, found.ports["notify"], referral_id)
            told = {notice["role"] for notice in notices if notice["state"] == "delivered"}
            arrived += sum(notice["state"] == "delivered" for notice in notices)
            if len(told) < REQUIRED:
                wrong.append(f"{referral_id}: only {len(told)} of {REQUIRED} kinds were told")
            wrong += [
                f"{referral_id}: {notice['recipient']} is {notice['state']}"
                for notice in notices
                if notice["state"] not in OVER
                and not (notice["state"] == "refused" and notice["role"] in told)
            ]
    print(f"  {len(lines)} referrals, {arrived} notices arrived.")
    return wrong


async def _notices(client: httpx.AsyncClient, port: int, referral_id: str) -> list[dict[str, Any]]:
    try:
        answer = await client.get(f"http://127.0.0.1:{port}/v1/referrals/{referral_id}/notices")
    except httpx.HTTPError:
        return []
    return list(answer.json()["notices"]) if answer.status_code == 200 else []
