"""What an agency's record asks of TLS holds for the next claim: private authorities, pins, mTLS."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from services.notify.delivery.deliver import Limits
from services.notify.delivery.sender import HttpSender
from services.notify.directory import store as directory_store
from services.notify.directory.authority import today
from services.notify.directory.endpoint_tls import Transport
from services.notify.directory.entries import AgencyEntry
from services.notify.enrolment.expiring import tell_expiring
from shared.runtime.ids import new_id, utc_now
from tests.support.certificates import Authority, TlsTown, server_context, town
from tests.support.deliveries import AUTHORITY, KEY, World, eventually
from tests.support.receiver import reset

AGENCY = new_id("agy")
LIMITS = Limits(deadline=3.0)
OTHER_PIN = "sha256/" + "A" * 43 + "="


async def _put(
    world: World,
    at: TlsTown,
    transport: Transport | None,
    day: date | None = None,
    url: str | None = None,
) -> None:
    """As an approved proposal does: a term of the history, in force from its day."""
    entry = AgencyEntry.model_validate(
        {
            "agency_id": AGENCY,
            "code": "example_town",
            "kind": "fbi",
            "name": "Example Agency",
            "authority": AUTHORITY,
            "authority_from": "2000-01-01",
            "endpoint": url or at.url,
            "encryption_key": dict(KEY.as_dict(private=False)),
            "allowed_networks": ["127.0.0.0/8"],
            "sample": True,
            "transport": transport,
        }
    )
    now = utc_now()
    async with world.db.transaction() as session:
        before = await directory_store.lock_version(session)
        changes = {(AGENCY, day or today(now)): entry.stored()}
        await directory_store.record(session, changes, before=before, today=today(now), now=now)


async def _sent(world: World, keys: Path | None = None) -> str:
    """A notice of its own, tried once; what became of that."""
    notice = await world.notice(AGENCY)
    async with world.delivering(LIMITS, partial(HttpSender, keys=keys)):
        await eventually(lambda: _has_a_fact(world, notice))
    return (await world.facts(notice))[0]


async def _has_a_fact(world: World, notice: str) -> bool:
    return (await world.facts(notice))[:1] not in ([], [""])


async def test_a_private_authority_and_a_pin_hold_from_the_next_claim_on(
    world: World, tmp_path: Path
) -> None:
    authority = Authority()
    pin = authority.issue(tmp_path / "town.pem", ["localhost"])
    async with town(server_context(tmp_path / "town.pem")) as at:
        await _put(world, at, None)
        assert await _sent(world) == "failed"
        await _put(world, at, Transport(authorities=authority.pem, pins=(pin,)))
        assert await _sent(world) == "completed:200"
        await _put(world, at, Transport(authorities=authority.pem, pins=(OTHER_PIN,)))
        assert await _sent(world) == "failed"
        await _put(world, at, Transport(authorities=authority.pem))
        assert await _sent(world) == "completed:200"
        arrived = len(at.receiver.requests)
        await _put(world, at, None)
        assert await _sent(world) == "failed"
        assert len(at.receiver.requests) == arrived, "nor was any that failed before sent again"


async def test_what_is_approved_for_a_later_day_does_not_hold_today(
    world: World, tmp_path: Path
) -> None:
    authority = Authority()
    authority.issue(tmp_path / "town.pem", ["localhost"])
    async with town(server_context(tmp_path / "town.pem")) as at:
        await _put(world, at, Transport(authorities=authority.pem))
        tomorrow = today(utc_now()) + timedelta(days=1)
        await _put(world, at, Transport(pins=(OTHER_PIN,)), tomorrow)
        assert await _sent(world) == "completed:200"


async def test_our_certificate_is_shown_and_a_missing_one_is_told_to_a_person(
    world: World, tmp_path: Path
) -> None:
    """P9: no retry mends it, so nobody is to find out by the notice's age."""
    authority, ours = Authority(), Authority("Hartline's")
    authority.issue(tmp_path / "town.pem", ["localhost"])
    shown = Transport(authorities=authority.pem, client_certificate="example_town")
    async with town(server_context(tmp_path / "town.pem", ours.pem)) as at:
        await _put(world, at, shown)
        assert await _sent(world, tmp_path) == "failed"
        ((kind, _),) = await world.tasks()
        assert kind == "cannot_send"
        ours.issue(tmp_path / "clients" / "example_town.pem")
        assert await _sent(world, tmp_path) == "completed:200"


async def test_a_key_that_is_not_pinned_is_told_to_a_person_at_once(
    world: World, tmp_path: Path
) -> None:
    """P2, P9: it may be somebody between; not sent is on record, and who can call is told."""
    authority = Authority()
    authority.issue(tmp_path / "town.pem", ["localhost"])
    async with town(server_context(tmp_path / "town.pem")) as at:
        await _put(world, at, Transport(authorities=authority.pem, pins=(OTHER_PIN,)))
        assert await _sent(world) == "failed"
        ((kind, _),) = await world.tasks()
        assert kind == "cannot_send"
        assert at.receiver.requests == []


@pytest.mark.parametrize(("read", "fact"), [(False, "failed"), (True, "unknown")])
async def test_p2_a_reset_is_failed_before_a_byte_of_http_and_unknown_after_it(
    world: World, tmp_path: Path, read: bool, fact: str
) -> None:
    authority = Authority()
    authority.issue(tmp_path / "town.pem", ["localhost"])
    async with town(server_context(tmp_path / "town.pem")) as at:
        at.receiver.behaviour = reset
        url = at.url if read else None
        async with slamming() as slammed:
            await _put(world, at, Transport(authorities=authority.pem), url=url or slammed)
            assert await _sent(world) == fact
        assert len(at.receiver.requests) == (1 if read else 0)


@asynccontextmanager
async def slamming() -> AsyncIterator[str]:
    """An https endpoint that hangs up on the first bytes of a handshake."""

    async def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(64)
        writer.transport.abort()

    server = await asyncio.start_server(slam, "127.0.0.1", 0)
    yield f"https://localhost:{server.sockets[0].getsockname()[1]}/hook"
    server.close()
    await asyncio.sleep(0.02)


async def test_what_of_a_transport_runs_out_is_told_once(world: World, tmp_path: Path) -> None:
    authority, ours = Authority(), Authority("Hartline's")
    authority.issue(tmp_path / "town.pem", ["localhost"])
    ours.issue(tmp_path / "clients" / "example_town.pem")
    async with town(server_context(tmp_path / "town.pem")) as at:
        shown = Transport(authorities=authority.pem, client_certificate="example_town")
        await _put(world, at, shown)
        for _ in range(2):
            await tell_expiring(world.db, tmp_path)
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    told = {key.removeprefix(f"{AGENCY} ") for _, key in await world.tasks()}
    assert told == {
        f"authority of its endpoint {tomorrow}",
        f"certificate that we show {tomorrow}",
        f"certificate {tomorrow}",
    }


@pytest.mark.parametrize("transport", [None, Transport(pins=(OTHER_PIN,))])
async def test_the_row_of_today_does_not_say_it_and_the_history_does(
    world: World, tmp_path: Path, transport: Transport | None
) -> None:
    Authority().issue(tmp_path / "town.pem", ["localhost"])
    async with town(server_context(tmp_path / "town.pem")) as at:
        await _put(world, at, transport)
    async with world.db.transaction() as session:
        terms = await directory_store.terms(session, [AGENCY])
    stored = None if transport is None else transport.model_dump(mode="json")
    assert [term.fields["transport"] for term in terms] == [stored]
