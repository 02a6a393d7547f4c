"""One synthetic referral through everything, and what became of it, shown as a table.

It asks as the Careline's phone system, an operator and a compliance officer would, over HTTP. The
two things it takes from elsewhere are what was received (from the sample agencies) and which
disclosures the senders themselves recorded (from their tables): the log must hold each of them.
"""

import asyncio
import base64
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import asyncpg
import httpx

from deploy.machine.home import ISSUER
from deploy.machine.machine import Machine
from services.audit.note import PublicKey, Signer
from services.audit.proofs import verify_proof
from services.audit.settings import AuditSettings
from services.audit.tlog import BadProof
from shared.runtime import keys
from shared.runtime.auth import LocalIssuer

REQUIRED = ("local_law_enforcement", "hart_lead_statewide", "fbi", "chief_states_attorney", "mdt")
"""Whom a Careline referral must reach (DCF policy 21-14)."""
SCOPES = (
    "referrals:create referrals:amend referrals:status notices:read notices:read-all tasks:read "
    "clocks:read audit:read"
)
_POLL_SECONDS = 0.02
T = TypeVar("T")


@dataclass
class Result:
    """What became of the referral. `problems` is empty when all is as it must be."""

    referral_id: str = ""
    number: str = ""
    accepted_ms: float = 0.0
    notices: list[dict[str, Any]] = field(default_factory=list)
    """As notify tells them, each with `ms` from the caller's POST to the agency's receipt."""
    clocks: list[dict[str, Any]] = field(default_factory=list)
    disclosures: int = 0
    proofs: int = 0
    """Log entries of these disclosures whose inclusion proof verified offline."""
    log_size: int = 0
    problems: list[str] = field(default_factory=list)


def sample_referral(now: datetime) -> dict[str, Any]:
    """A referral about nobody: one invented child in Ansonia."""
    return {
        "trigger": "careline",
        "received_at": now.isoformat(timespec="seconds"),
        "source_type": "school",
        "synthetic": True,
        "reporter": {"anonymous": False, "name": "Example Person", "phone": "000-000-0000"},
        "children": [
            {
                "name": "Test Child One",
                "age_years": 15,
                "residence_town": "Ansonia",
                "incident_towns": ["Ansonia"],
                "ht_type": "sex",
                "reasons_for_suspicion": "Synthetic referral of the one-machine run.",
            }
        ],
    }


class Way:
    """Posts one referral and follows it. `patience` bounds, in seconds, each thing waited for."""

    def __init__(self, machine: Machine, *, patience: float = 30.0) -> None:
        self._machine = machine
        self._patience = patience
        issuer = LocalIssuer(machine.home.issuer_key, ISSUER)
        token = issuer.token("one-machine-run", SCOPES.split())
        headers = {"Authorization": f"Bearer {token}"}
        self._client = httpx.AsyncClient(headers=headers, trust_env=False, timeout=10.0)
        self.result = Result()

    async def go(self) -> Result:
        """The whole way. Never raises for what Hartline does wrong: that is in `problems`."""
        async with self._client:
            steps = (self._post, self._follow_notices, self._follow_clocks, self._prove)
            for step in steps:
                try:
                    await step()
                except (httpx.HTTPError, KeyError, ValueError) as error:
                    self._wrong(f"{step.__name__.strip('_')} failed: {error or type(error)}")
                    break
        return self.result

    async def _post(self) -> None:
        began, now = time.perf_counter(), datetime.now(UTC)
        answer = await self._client.post(
            f"{self._url('intake')}/v1/referrals",
            json=sample_referral(now),
            headers={"Idempotency-Key": secrets.token_hex(16)},
        )
        answer.raise_for_status()
        body = answer.json()
        self.result.accepted_ms = (time.perf_counter() - began) * 1000
        self.result.referral_id, self.result.number = body["referral_id"], body["number"]
        self._posted_at = now

    async def _follow_notices(self) -> None:
        """Every notice delivered, as notify says, and received, as the agency says."""
        notices = await self._until(self._notices, _all_delivered)
        receipts = {receipt["notice_id"]: receipt for receipt in await self._receipts()}
        for notice in notices:
            receipt = receipts.get(notice["notice_id"])
            if receipt is None or not receipt["current"]:
                self._wrong(f"{notice['recipient']} has not verified its notice")
            else:
                at = datetime.fromisoformat(receipt["at"])
                notice["ms"] = (at - self._posted_at).total_seconds() * 1000
        reached = {notice["role"] for notice in notices if "ms" in notice}
        for role in REQUIRED:
            if role not in reached:
                self._wrong(f"nobody was told as {role}")
        self.result.notices = notices

    async def _follow_clocks(self) -> None:
        self.result.clocks = await self._until(self._clocks, _all_satisfied)
        if not _all_satisfied(self.result.clocks):
            self._wrong("not every duty to tell is satisfied")

    async def _prove(self) -> None:
        """Every disclosure that a sender recorded is in the log, each entry with its proof."""
        disclosures = await self._recorded()
        self.result.disclosures = len(disclosures)
        indexes: list[int] = []
        for disclosure_id in disclosures:
            entries = await self._until(lambda one=disclosure_id: self._entries(one), bool)  # type: ignore[misc]
            if not entries:
                self._wrong("a disclosure is not in the log")
            indexes += [entry["index"] for entry in entries]
        log_keys = log_public_keys(self._machine)
        for index in indexes:
            await self._verify(index, log_keys)

    async def _verify(self, index: int, log_keys: Sequence[PublicKey]) -> None:
        url = f"{self._url('audit')}/v1/entries/{index}"
        entry = (await self._client.get(url)).raise_for_status().json()
        leaf = base64.b64decode(entry["leaf"])

        async def proof() -> bytes:
            answer = await self._client.get(f"{url}/proof")
            return answer.content if answer.status_code == 200 else b""

        try:
            found, checkpoint = verify_proof(await self._until(proof, bool), leaf, log_keys)
        except BadProof as error:
            self._wrong(f"entry {index} of the log is not proven: {error}")
            return
        if found != index or self.result.referral_id.encode() not in leaf:
            self._wrong(f"entry {index} of the log is another one's")
            return
        self.result.proofs += 1
        self.result.log_size = checkpoint.size

    async def _recorded(self) -> list[str]:
        """The ids of the disclosures in the append-only records of intake and notify (P2)."""
        connection = await asyncpg.connect(self._machine.postgres.superuser_dsn("hartline"))
        try:
            rows = await connection.fetch(
                "SELECT d.disclosure_id FROM notify.disclosures d JOIN notify.notices n "
                "USING (notice_id) WHERE n.referral_id = $1 "
                "UNION ALL SELECT disclosure_id FROM intake.views WHERE referral_id = $1",
                self.result.referral_id,
            )
        finally:
            await connection.close()
        return [row["disclosure_id"] for row in rows]

    async def _notices(self) -> list[dict[str, Any]]:
        return await self._listed("notify", "notices")

    async def _clocks(self) -> list[dict[str, Any]]:
        return await self._listed("deadlines", "clocks")

    async def _listed(self, service: str, what: str) -> list[dict[str, Any]]:
        """Empty while the service has not heard of the referral."""
        url = f"{self._url(service)}/v1/referrals/{self.result.referral_id}/{what}"
        answer = await self._client.get(url)
        if answer.status_code == 404:
            return []
        return list(answer.raise_for_status().json()[what])

    async def _receipts(self) -> list[dict[str, Any]]:
        url = f"{self._url('agencies')}/received"
        answer = await self._client.get(url, params={"referral": self.result.number})
        return list(answer.raise_for_status().json()["received"])

    async def _entries(self, disclosure_id: str) -> list[dict[str, Any]]:
        """The attempt and its outcome, or the view; empty while the log has not all of it."""
        answer = await self._client.get(f"{self._url('audit')}/v1/disclosures/{disclosure_id}")
        if answer.status_code == 404:
            return []
        entries = list(answer.raise_for_status().json()["entries"])
        whole = {"viewed"} if len(entries) == 1 else {"completed", "failed", "unknown"}
        return entries if whole & {entry["kind"] for entry in entries} else []

    async def _until(self, ask: Callable[[], Awaitable[T]], good: Callable[[T], bool]) -> T:
        """The first good answer, or the last one when patience is over."""
        deadline = time.monotonic() + self._patience
        pause = _POLL_SECONDS
        while not good(answer := await ask()) and time.monotonic() < deadline:
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.5)
        return answer

    def _url(self, name: str) -> str:
        return f"http://127.0.0.1:{getattr(self._machine.ports, name)}"

    def _wrong(self, problem: str) -> None:
        self.result.problems.append(problem)


def _all_delivered(notices: Sequence[dict[str, Any]]) -> bool:
    return bool(notices) and all(notice["state"] == "delivered" for notice in notices)


def _all_satisfied(clocks: Sequence[dict[str, Any]]) -> bool:
    """Of the duties to tell; whether a recipient says who received it is for its people."""
    telling = [clock for clock in clocks if clock["duty"].startswith("tell_")]
    return bool(telling) and all(clock["state"] == "satisfied" for clock in telling)


def log_public_keys(machine: Machine) -> list[PublicKey]:
    """The log's public key, from its own key file and not from what it says of itself."""
    origin = AuditSettings.model_fields["origin"].default
    seed = keys.load(machine.home.keys / "audit" / "log-1.key")
    return [Signer.of_seed(origin, seed).public]
