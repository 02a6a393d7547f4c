"""Faults as a night has them: each is what somebody or something else did, and says nothing.

A fault is put into a site that runs. `CALLS` is who answers the operator's telephone: at the other
end somebody mends what is theirs.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from deploy.machine.children import started_by
from deploy.machine.home import ROOT, write_private
from shared.runtime.auth import LocalIssuer
from tests.trial.site import Site

Fault = Callable[[Site], Awaitable[None]]
Call = Callable[[Site], Awaitable[str]]
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


async def setting(site: Site) -> None:
    """Somebody mistyped a setting of notify's, and then its process died."""
    file = site.home.settings / "notify.env"
    write_private(file, file.read_text() + "HARTLINE_NOTIFY_UNREAD_HOURS=two\n")
    site.send("notify", signal.SIGKILL)


async def frozen(site: Site) -> None:
    """Deadlines hangs: it is there, and answers nothing."""
    site.send("deadlines", signal.SIGSTOP)


async def database(site: Site) -> None:
    """PostgreSQL hangs with every backend."""
    server = site.machine.postgres.pid
    for pid in (server, *started_by(server)):
        os.kill(pid, signal.SIGSTOP)


async def partner(site: Site) -> None:
    """The FBI's server has lost its key: it refuses every notice."""
    known = json.loads(_agency_keys(site).read_text())
    write_private(site.home.path / "kept.json", json.dumps(known))
    left = {code: of for code, of in known.items() if code != "fbi"}
    write_private(_agency_keys(site), json.dumps(left))
    site.send("agencies", signal.SIGKILL)


async def stopped(site: Site) -> None:
    """The last shift stopped everything and went home."""
    body = {"reason": "Suspected leak, see ticket 0042", "everything": True}
    await site.ask("notify", "POST", "/v1/halts", body, scope="controls:halt")


async def paused(site: Site) -> None:
    """The last shift paused one agency and went home."""
    body = {"reason": "Their server is being moved", "agency_id": _agency(site, "fbi")}
    await site.ask("notify", "POST", "/v1/halts", body, scope="controls:halt")


async def poisoned(site: Site) -> None:
    """Another event under a number that was given out before."""
    await site.sql(
        "INSERT INTO intake.outbox (topic, subject, sequence, event_id, body) "
        "SELECT topic, subject, sequence, 'evt_forged', "
        "convert_to(replace(convert_from(body, 'UTF8'), event_id, 'evt_forged'), 'UTF8') "
        "FROM intake.outbox WHERE topic = 'referrals' AND subject = $1 LIMIT 1",
        site.referrals()[0],
    )


async def unreadable(site: Site) -> None:
    """A record on the bus that is no event."""
    await site.sql(
        "WITH head AS (UPDATE bus.heads SET next_offset = next_offset + 1 "
        "WHERE topic = 'referrals' RETURNING next_offset - 1 AS place) "
        'INSERT INTO bus.log (topic, "offset", key, body) '
        "SELECT 'referrals', place, 'nobody', 'no event'::bytea FROM head"
    )


async def witness(site: Site) -> None:
    """The witness at another agency hangs."""
    site.send("witness", signal.SIGSTOP)


async def sealer(site: Site) -> None:
    """The log's sealer, a process of its own, hangs."""
    site.send("audit-seal", signal.SIGSTOP)


async def misdirected(site: Site) -> None:
    """A police department says that the notice is not theirs."""
    for referral_id in site.referrals()[:1]:
        notices = await _notices(site, referral_id)
        [theirs] = [n for n in notices if n["role"] == "local_law_enforcement"]
        [of] = await site.sql(
            "SELECT agency_id FROM notify.notices WHERE notice_id = $1", theirs["notice_id"]
        )
        issuer = LocalIssuer(site.home.issuer_key, "hartline-one-machine")
        bearer = issuer.token(
            "records-desk", ["mailbox:acknowledge"], person=True, agency=of["agency_id"]
        )
        async with httpx.AsyncClient(trust_env=False, timeout=10.0) as client:
            answer = await client.post(
                f"http://127.0.0.1:{site.machine.ports.notify}"
                f"/v1/mailbox/notices/{theirs['notice_id']}/not-ours",
                json={"reason": "wrong_town"},
                headers={"Authorization": f"Bearer {bearer}"},
            )
        answer.raise_for_status()


async def expired(site: Site) -> None:
    """The authority to tell Ansonia's police is over."""
    yesterday = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()
    await _change(site, {"code": "ansonia_police", "authority_to": yesterday}, "MOU not renewed")


async def late(site: Site) -> None:
    """A call of yesterday is entered today: its clock has run out."""
    site.refer(hours_ago=13)


async def roster(site: Site) -> None:
    """The roster in force has nobody on call today."""
    today = datetime.now(UTC).date().weekday()
    others = ", ".join(day for n, day in enumerate(_DAYS) if abs(n - today) in (3, 4))
    pager = f"http://127.0.0.1:{site.pager_port}/page"
    file = site.home.path / "roster-of-last-week.yaml"
    file.write_text(
        f'people:\n  duty-ann: [{{kind: webhook, to: "{pager}"}}]\n'
        f"roles:\n  careline:\n    - {{days: [{others}], people: [duty-ann]}}\n"
        "otherwise: {role: careline}\nfallback: [duty-ann]\n"
    )
    argv = [sys.executable, "-m", "services.notify", "oncall", "import", str(file)]
    done = await asyncio.to_thread(
        subprocess.run,
        [*argv, "--by", "colleague", "--reason", "Winter plan"],
        env=site.machine.environment("notify"),
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    [proposal] = [word.rstrip(".") for word in done.stdout.split() if word.startswith("prp_")]
    await _approve(site, proposal)


async def unapproved(site: Site) -> None:
    """The FBI moved to another address, which was mistyped; the mend waits for a second person."""
    right = f"http://127.0.0.1:{site.machine.ports.agencies}/agency/{_agency(site, 'fbi')}"
    await _change(
        site, {"code": "fbi", "endpoint": right.replace("/agency/", "/agencies/")}, "Moved"
    )
    await _propose(site, {"code": "fbi", "endpoint": right}, "Address was mistyped")


FAULTS: tuple[Fault, ...] = (
    setting,
    frozen,
    database,
    partner,
    stopped,
    paused,
    poisoned,
    unreadable,
    witness,
    sealer,
    misdirected,
    expired,
    late,
    roster,
    unapproved,
)
"""By their number, from 1. The operator is told the number alone."""


async def _call_fbi(site: Site) -> str:
    kept = site.home.path / "kept.json"
    if not kept.exists():
        return "they find nothing wrong at their end."
    write_private(_agency_keys(site), kept.read_text())
    site.send("agencies", signal.SIGKILL)
    return "they have put their key back: it works again, and takes the next try."


async def _call_witness(site: Site) -> str:
    site.send("witness", signal.SIGKILL)
    return "they have started it anew: it works again."


async def _call_careline(site: Site) -> str:
    """They amend what somebody was refused of, so that it is planned anew, and nothing else."""
    amended = []
    for referral_id in site.referrals():
        notices = await _notices(site, referral_id)
        if untold(notices):
            await _amend(site, referral_id, max(int(each["version"]) for each in notices))
            amended.append(referral_id)
    if amended:
        return f"they have amended {', '.join(amended)}, and nothing else."
    return (
        "there is nothing to amend, for whoever was refused has been told. If a referral came late,"
        " it was on paper while their line was down, and typed in afterwards."
    )


def untold(notices: Sequence[dict[str, Any]]) -> bool:
    """Whether somebody was refused in the newest version, and nobody told of that child and role
    in any."""
    newest = max((int(each["version"]) for each in notices), default=0)
    told = {(n["child_id"], n["role"]) for n in notices if n["state"] == "delivered"}
    refused = {
        (n["child_id"], n["role"])
        for n in notices
        if n["state"] == "refused" and int(n["version"]) == newest
    }
    return bool(refused - told)


async def _amend(site: Site, referral_id: str, version: int) -> None:
    await site.ask(
        "intake",
        "PATCH",
        f"/v1/referrals/{referral_id}",
        {"reporter": {"phone": "000-000-0001"}},
        scope="referrals:amend",
        headers={"If-Match": f'"{version}"', "Content-Type": "application/merge-patch+json"},
    )


CALLS: dict[str, Call] = {
    "careline": _call_careline,
    "fbi": _call_fbi,
    "witness": _call_witness,
}
"""What they say that they did."""


async def _change(site: Site, change: dict[str, Any], reason: str) -> None:
    await _approve(site, await _propose(site, change, reason))


async def _propose(site: Site, change: dict[str, Any], reason: str) -> str:
    body = {"reason": reason, "changes": [change]}
    where = "/v1/directory/proposals"
    made = await site.ask("notify", "POST", where, body, scope="directory:propose")
    return str(made["proposal_id"])


async def _approve(site: Site, proposal: str) -> None:
    where, body = f"/v1/proposals/{proposal}/approve", {"decision": "Checked"}
    await site.ask("notify", "POST", where, body, who="second", scope="proposals:decide")


async def _notices(site: Site, referral_id: str) -> list[dict[str, Any]]:
    where = f"/v1/referrals/{referral_id}/notices"
    said = await site.ask("notify", "GET", where, scope="notices:read notices:read-all")
    return list(said["notices"])


def _agency_keys(site: Site) -> Path:
    return site.home.agencies / "private-keys.json"


def _agency(site: Site, code: str) -> str:
    return str(json.loads(_agency_keys(site).read_text())[code]["agency_id"])
