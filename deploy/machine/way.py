"""One synthetic referral through the whole way, and who got what after how many milliseconds."""

import asyncio
import base64
import json
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from deploy.machine.stack import Stack
from services.audit.evidence import examine
from services.audit.proofs import verify_proof

REQUIRED_ROLES = (
    "local_law_enforcement",
    "hart_lead_statewide",
    "fbi",
    "chief_states_attorney",
    "mdt",
)
_SCOPES = ("referrals:create", "notices:read", "clocks:read", "audit:read")
_WITHIN_SECONDS = 30.0

REFERRAL: Mapping[str, Any] = {
    "trigger": "careline",
    "source_type": "school",
    "synthetic": True,
    "reporter": {"anonymous": False, "name": "Example Reporter"},
    "children": [
        {
            "name": "Test Child One",
            "age_years": 15,
            "residence_town": "Ansonia",
            "incident_towns": ["Ansonia"],
            "ht_type": "sex",
            "reasons_for_suspicion": "A synthetic example; no real person.",
        }
    ],
}


@dataclass(frozen=True)
class Walked:
    """What became of it. `problems` is empty when everybody verified and every proof holds."""

    number: str
    notices: list[dict[str, Any]]
    receipts: list[dict[str, Any]]
    clocks: list[dict[str, Any]]
    proofs: int
    accepted_at: datetime
    problems: list[str]


async def walk(stack: Stack) -> Walked:
    """Post a referral and follow it until all is told and logged, 30 seconds at most."""
    token = stack.issuer().token("one-machine", _SCOPES, person=True)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(headers=headers, trust_env=False, timeout=10) as client:
        body = {**REFERRAL, "received_at": datetime.now(UTC).isoformat()}
        answer = await client.post(
            f"{stack.url('intake')}/v1/referrals",
            json=body,
            headers={"Idempotency-Key": secrets.token_hex(16)},
        )
        accepted_at = datetime.now(UTC)
        answer.raise_for_status()
        referral = answer.json()
        follow = _Follow(stack, client, referral)
        deadline = asyncio.get_running_loop().time() + _WITHIN_SECONDS
        problems = await follow.problems()
        while problems and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.1)
            problems = await follow.problems()
        while not problems:
            problems = await follow.unproved()
            if not problems or asyncio.get_running_loop().time() > deadline:
                break
            problems = await asyncio.sleep(0.5, [])
        return Walked(
            referral["number"],
            follow.notices,
            follow.receipts,
            follow.clocks,
            follow.proofs,
            accepted_at,
            problems,
        )


class _Follow:
    """Asks every service what it knows of one referral."""

    def __init__(
        self, stack: Stack, client: httpx.AsyncClient, referral: Mapping[str, Any]
    ) -> None:
        self._stack = stack
        self._client = client
        self._id = referral["referral_id"]
        self._number = referral["number"]
        self.notices: list[dict[str, Any]] = []
        self.receipts: list[dict[str, Any]] = []
        self.clocks: list[dict[str, Any]] = []
        self.proofs = 0

    async def problems(self) -> list[str]:
        """What is still missing, in words."""
        received = await self._get("agencies", f"/received?referral={self._number}")
        self.receipts = received.get("received", [])
        answer = await self._get("notify", f"/v1/referrals/{self._id}/notices")
        self.notices = answer.get("notices", [])
        answer = await self._get("deadlines", f"/v1/referrals/{self._id}/clocks")
        self.clocks = answer.get("clocks", [])
        got = {receipt["role"] for receipt in self.receipts}
        missing = [f"{role} has verified no notice" for role in REQUIRED_ROLES if role not in got]
        missing += [
            f"the notice to {notice['recipient']} is {notice['state']}"
            for notice in self.notices
            if notice["state"] != "delivered"
        ]
        if not any(clock["state"] == "satisfied" for clock in self.clocks):
            missing.append("no clock is satisfied yet")
        return missing

    async def unproved(self) -> list[str]:
        """What of the receipts the exported log does not prove.

        1. Export the log and verify the whole of it offline.
        2. Ask for the inclusion proof of each attempt, and verify it with the leaf and the key.
        """
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "export"
            await self._stack.run("services.audit", "export", str(folder))
            report = await asyncio.to_thread(examine, folder)
            leaves = _leaves(folder)
        attempted = {
            leaf["notice_id"]: index
            for index, leaf in enumerate(map(json.loads, leaves))
            if leaf["kind"] == "attempted"
        }
        problems = [f"the exported log does not verify: {each}" for each in report.sentences]
        self.proofs = 0
        for receipt in self.receipts:
            index = attempted.get(receipt["notice_id"])
            if index is None:
                problems.append(f"the log does not hold the notice to {receipt['role']}")
                continue
            url = f"{self._stack.url('audit')}/v1/entries/{index}/proof"
            proof = (await self._client.get(url)).content
            verify_proof(proof, leaves[index], report.keys)
            self.proofs += 1
        return problems

    async def _get(self, service: str, path: str) -> dict[str, Any]:
        try:
            answer = await self._client.get(self._stack.url(service) + path)
        except httpx.HTTPError:
            return {}
        found: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
        return found


def _leaves(folder: Path) -> list[bytes]:
    with (folder / "entries.ndjson").open() as lines:
        return [base64.b64decode(json.loads(line)["leaf"]) for line in lines]


def show(walked: Walked) -> str:
    """The table that a person looks at."""
    received = {receipt["notice_id"]: receipt for receipt in walked.receipts}
    lines = [f"Referral {walked.number}: who got what, after how many milliseconds", ""]
    lines.append(f"  {'recipient':<46}{'role':<24}{'after':>9}  verified")
    for notice in sorted(walked.notices, key=lambda each: str(each["role"])):
        receipt = received.get(notice["notice_id"])
        after = "-" if receipt is None else f"{_milliseconds(walked, receipt):.0f} ms"
        verified = "no" if receipt is None else "yes"
        lines.append(f"  {notice['recipient']:<46}{notice['role']:<24}{after:>9}  {verified}")
        lines.append(f"      {notice['because']}")
    lines.append("")
    for clock in walked.clocks:
        lines.append(f"  clock {clock['policy']}: {clock['state']}, due {clock['due_at']}")
    lines += ["", f"  {walked.proofs} disclosures in the log, each with a proof that verifies."]
    lines += [f"  PROBLEM: {problem}" for problem in walked.problems]
    return "\n".join(lines)


def _milliseconds(walked: Walked, receipt: dict[str, Any]) -> float:
    return (datetime.fromisoformat(receipt["at"]) - walked.accepted_at).total_seconds() * 1000
