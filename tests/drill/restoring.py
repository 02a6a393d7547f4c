"""docs/restore.md, done step by step in its order."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.drill import losses, restored
from tests.drill.before import log_key
from tests.drill.night import Night
from tests.drill.operator import WentWrong, say
from tests.drill.site import NEW_ORIGIN, OLD_ORIGIN, Running
from tests.support import machines

_MARGIN = timedelta(minutes=10)
_SHOWN = 6
_READY_SECONDS = 90.0
_ON_SHIFT, _SECOND = "night-shift", "second-person"


async def restore(night: Night) -> None:
    for number, do in enumerate(STEPS, start=1):
        night.step(number)
        await do(night)
    night.page.end()


async def stop_the_old(night: Night) -> None:
    say("The old machine is gone; callers wait in the phone system's spool.")


async def lay_down(night: Night) -> None:
    site = night.site
    site.open_safe()
    await asyncio.to_thread(site.vault.restore, site.elsewhere.postgres)
    segments = sum(1 for _ in site.vault.archive.iterdir())
    say(f"The base backup is whole, by its manifest; {segments} files in the archive.")


async def start_postgres(night: Night) -> None:
    site = night.site
    site.elsewhere.prepare()  # PostgreSQL, then roles and migrations: nothing of it is new.
    found = await restored.read(site.elsewhere.postgres.superuser_dsn("hartline"))
    night.restored = found
    night.lost = losses.lost(list(night.phone.acknowledged), found.referrals)
    say(
        f"As of {found.point:%H:%M:%S.%f} UTC, {night.at.lost - found.point.timestamp():.1f} s "
        f"before the loss: {len(found.referrals)} referrals, {len(found.planned)} notices, "
        f"{found.entries} entries in the audit log.",
        f"Acknowledged with 201 and not here: {len(night.lost)}"
        + "".join(f" {each.referral.number}" for each in night.lost),
    )


async def start_services(night: Night) -> None:
    if night.site.brokers is not None:
        await _pass_over(night)
    machine, before = night.site.elsewhere, len(night.phone.acknowledged)
    night.at.restarted = time.time()
    night.running.append(Running(machine, "intake", "notify", "deadlines"))
    deadline = time.time() + 60
    while len(night.phone.acknowledged) == before:
        if time.time() > deadline:
            raise WentWrong("Intake does not answer 201.")
        await asyncio.sleep(0.05)
    night.at.open = time.time()
    say("Intake answers 201 again. What came in meanwhile is on its way out of the spool.")


async def _pass_over(night: Night) -> None:
    """The brokers hold what the lost time said; nobody may read that beside what comes now."""
    command = ("deploy.topics", "pass-over")
    said = await night.operator.run(*command, expect=None)
    if "To do this" in said:
        await night.operator.run(*command, said.split()[-1], within=60.0)
    elif "every group has read all" not in said:
        raise WentWrong("The brokers did not say what they hold.")


async def see_it_held(night: Night) -> None:
    deadline = time.time() + 30
    while " restored  everybody " not in await night.operator.run(
        "services.notify", "controls", "list"
    ):
        if time.time() > deadline:
            raise WentWrong("Deliveries are not held.")
        await asyncio.sleep(1)


async def go_on_with_the_log(night: Night) -> None:
    site, run = night.site, night.operator.run
    refusal = await run("services.audit", expect=2, HARTLINE_AUDIT_ORIGIN=OLD_ORIGIN)
    if "refuses to sign" not in refusal:
        raise WentWrong("The audit log did not say that it refuses to sign.")
    night.admitted = _keep(site.witness.last())
    arguments = ("--last", str(night.admitted), "--reason", "backup_restored")
    command = ("services.audit", "recover", "new-origin", NEW_ORIGIN, *arguments)
    await run(*command, HARTLINE_AUDIT_ORIGIN=OLD_ORIGIN)
    await run("services.audit", "key")
    night.keys.append(log_key(site.elsewhere, NEW_ORIGIN))
    site.witness.watch(night.keys[-1])
    night.running.append(Running(site.elsewhere, "audit"))
    await site.elsewhere.wait_ready(_READY_SECONDS)
    night.at.sealing = time.time()
    say("The audit service is ready: the log goes on under its new name.")


async def take_back(night: Night) -> None:
    assert night.restored is not None
    since = night.restored.point - _MARGIN
    count = night.phone.take_back(since)
    say(f"The phone system sends {count} again, of those that it kept since {since:%H:%M:%S} UTC.")
    await _until_sent(night)
    numbers = losses.renumbered(night.lost, night.phone.acknowledged)
    say(*(f"{old} is {new or 'LOST'} now" for old, new in numbers.items()))


async def _until_sent(night: Night) -> None:
    deadline = time.time() + 60
    while night.phone.spool.waiting():
        if time.time() > deadline:
            raise WentWrong("The spool is not empty.")
        await asyncio.sleep(0.1)


async def send_events_again(night: Night) -> None:
    since = (datetime.fromtimestamp(night.at.backup, UTC) - timedelta(hours=1)).isoformat()
    for service, topic in (
        ("intake", "referrals"),
        ("intake", "disclosures"),
        ("notify", "notices"),
        ("notify", "disclosures"),
        ("deadlines", "deadlines"),
    ):
        await night.operator.run(f"services.{service}", "bus", "replay", topic, "--since", since)


async def compare_with_receivers(night: Night) -> None:
    assert night.restored is not None
    found = night.restored
    arrivals = night.arrived(0, night.at.restarted)
    night.received = losses.compare(arrivals, found.attempted, found.planned)
    known = night.received
    say(
        f"Of {len(arrivals)} notices that receivers have: {len(known.recorded)} on record; "
        f"{len(known.due_again)} called due, to go out again under their own ids; "
        f"{len(known.unknown)} nobody here knows, and are told anew:",
        *(f"{each.notice_id} at {each.agency_id}" for each in known.unrecorded[:_SHOWN]),
    )
    if len(known.unrecorded) > _SHOWN:
        say(f"… and {len(known.unrecorded) - _SHOWN} more.")
    if night.site.brokers is not None:
        await _look_at_the_brokers(night, found.point)


async def _look_at_the_brokers(night: Night, point: datetime) -> None:
    """They name who was told in the lost time, as far as it had been announced."""
    assert night.received is not None
    command = ("deploy.topics", "since", (point - _MARGIN).isoformat(), "disclosures")
    said = await night.operator.run(*command, shown=0)
    named = [each for each in night.received.unrecorded if each.notice_id in said]
    say(f"The brokers name {len(named)} of the {len(night.received.unrecorded)}.")
    if len(named) < len(night.received.unrecorded) / 2:
        raise WentWrong("The brokers should hold most of what was announced.")


async def release(night: Night) -> None:
    run = night.operator.run
    halts = (await run("services.notify", "controls", "list")).split()
    halt = next(word for word in halts if word.startswith("hlt_"))
    reason = "Compared with the receivers' own records."
    said = await run(
        *("services.notify", "controls", "resume", halt),
        *("--by", _ON_SHIFT, "--reason", reason),
    )
    proposal = next(word for word in said.split() if word.startswith("prp_")).rstrip(".")
    if night.arrived(night.at.restarted):
        raise WentWrong("A notice left while deliveries were held.")
    url = f"{machines.url(night.site.elsewhere, 'notify')}/v1/proposals/{proposal}/approve"
    bearer = machines.token(night.site.elsewhere, "proposals:decide", subject=_SECOND)
    night.agencies.calm = True
    night.at.released = time.time()
    async with night.session.post(
        url, json={"decision": reason}, headers={"Authorization": f"Bearer {bearer}"}
    ) as answer:
        say(f"{_SECOND} approves: {answer.status}")
        if answer.status != 200:
            raise WentWrong(await answer.text())


async def until_zero(night: Night) -> None:
    """The verdict's: it reckons until nothing is missing."""
    night.phone.hang_up()
    await _until_sent(night)


def _keep(note: Path) -> Path:
    kept = note.parent.parent / "admitted.note"
    kept.write_bytes(note.read_bytes())
    return kept


STEPS = (
    stop_the_old,
    lay_down,
    start_postgres,
    start_services,
    see_it_held,
    go_on_with_the_log,
    take_back,
    send_events_again,
    compare_with_receivers,
    release,
    until_zero,
)
