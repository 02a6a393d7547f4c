"""Pointers by mail, handed in at a real SMTP server with TLS."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.notify.delivery import pointers
from shared.contracts.codes import Channel
from shared.contracts.disclosures import DisclosuresAttempted, DisclosuresCompleted
from shared.contracts.notices import NoticesDelivered
from shared.runtime.errors import Misconfigured
from shared.runtime.mail import Relay
from tests.support.deliveries import World, eventually
from tests.support.mail import Certificate, MailServer, mailing

DESK = "records@police.example"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.made(tmp_path_factory.mktemp("relay"))


@pytest.fixture
async def mail(certificate: Certificate) -> AsyncIterator[MailServer]:
    async with mailing(certificate) as server:
        yield server


@pytest.fixture
def mailed(world: World, mail: MailServer, certificate: Certificate) -> World:
    world.relay = Relay("127.0.0.1", mail.port, "hartline@dcf.example", ca=certificate.chain)
    return world


async def told_by_mail(world: World) -> str:
    agency = await world.agency(None, channel="email", email=DESK, encryption_key=None)
    return await world.notice(agency)


async def ends(world: World, notice: str, facts: str) -> None:
    async def ended() -> bool:
        return (await world.facts(notice))[:1] == [facts]

    async with world.delivering():
        await eventually(ended)


async def test_p5_a_pointer_by_mail_is_one_text_without_id_town_or_name(
    mailed: World, mail: MailServer
) -> None:
    notice = await told_by_mail(mailed)
    async with mailed.delivering():
        await eventually(lambda: _is(mailed, notice, "delivered"))
    (message,) = mail.messages
    assert mail.sessions_in_clear == 0
    assert message["To"] == DESK
    assert message["Subject"] == pointers.SUBJECT
    assert str(message.get_payload()).replace("\r\n", "\n") == pointers.TEXT
    row = await mailed.delivery(notice)
    whole = message.as_string()
    for secret in (notice, row.referral_id, row.child_id, row.agency_id, "HL-TEST", "Test Child"):
        assert secret not in whole


async def test_a_pointer_that_arrived_is_delivered_by_mail_and_discloses_no_field(
    mailed: World,
) -> None:
    notice = await told_by_mail(mailed)
    async with mailed.delivering():
        await eventually(lambda: _is(mailed, notice, "delivered"))
    (delivered,) = await mailed.events(NoticesDelivered)
    assert delivered.notices[0].channel is Channel.EMAIL
    (attempted,) = await mailed.events(DisclosuresAttempted)
    assert attempted.attempts[0].channel is Channel.EMAIL
    assert attempted.attempts[0].fields == ()
    (completed,) = await mailed.events(DisclosuresCompleted)
    assert completed.outcomes[0].http_status == 250
    assert (await mailed.delivery(notice)).unread_since is not None


async def test_p2_the_record_of_a_pointer_is_committed_before_its_first_byte(
    mailed: World, mail: MailServer
) -> None:
    notice = await told_by_mail(mailed)
    seen: list[list[str]] = []

    async def look() -> None:
        seen.append(await mailed.facts(notice))

    mail.before_data = look
    async with mailed.delivering():
        await eventually(lambda: _is(mailed, notice, "delivered"))
    assert seen == [[""]]


async def test_a_refused_recipient_is_an_answer_and_is_tried_again(
    mailed: World, mail: MailServer
) -> None:
    mail.refuse_rcpt = "550 No such desk"
    notice = await told_by_mail(mailed)
    await ends(mailed, notice, "completed:550")
    assert await mailed.state(notice) == "pending"
    assert mail.messages == []


async def test_a_message_that_is_turned_down_is_an_answer(mailed: World, mail: MailServer) -> None:
    mail.refuse_data = "451 Later"
    notice = await told_by_mail(mailed)
    await ends(mailed, notice, "completed:451")


async def test_a_relay_that_hangs_up_on_the_message_leaves_it_unknown(
    mailed: World, mail: MailServer
) -> None:
    mail.hang_up_at_data = True
    notice = await told_by_mail(mailed)
    await ends(mailed, notice, "unknown")


async def test_without_tls_nothing_is_sent(world: World, certificate: Certificate) -> None:
    async with mailing(certificate, tls=False) as clear:
        world.relay = Relay("127.0.0.1", clear.port, "hartline@dcf.example", ca=certificate.chain)
        notice = await told_by_mail(world)
        await ends(world, notice, "failed")
    assert clear.messages == []


async def test_a_certificate_that_does_not_verify_is_not_trusted(
    mailed: World, mail: MailServer
) -> None:
    assert mailed.relay is not None
    mailed.relay = replace(mailed.relay, ca=None)
    notice = await told_by_mail(mailed)
    await ends(mailed, notice, "failed")
    assert mail.messages == []


async def test_a_relay_that_asks_who_we_are_is_told(
    mailed: World, mail: MailServer, tmp_path: Path
) -> None:
    mail.users = [(b"hartline", b"a secret of the test")]
    secret = tmp_path / "password"
    secret.write_text("a secret of the test\n")
    secret.chmod(0o600)
    assert mailed.relay is not None
    mailed.relay = replace(mailed.relay, username="hartline", password=secret)
    notice = await told_by_mail(mailed)
    async with mailed.delivering():
        await eventually(lambda: _is(mailed, notice, "delivered"))


async def test_without_a_relay_a_person_is_told_and_nothing_is_dropped(world: World) -> None:
    notice = await told_by_mail(world)
    await ends(world, notice, "failed")
    assert ("cannot_send", notice) in await world.tasks()
    assert await world.state(notice) == "pending"


async def test_what_is_under_way_is_broken_off_with_its_true_outcome(
    mailed: World, mail: MailServer
) -> None:
    held = asyncio.Event()
    mail.before_data = held.wait
    notice = await told_by_mail(mailed)
    running = mailed.start()
    await eventually(lambda: _attempted(mailed, notice))
    await asyncio.sleep(0.2)
    await running.kill()
    held.set()
    assert await mailed.facts(notice) == [""]


@pytest.mark.parametrize(
    "url",
    ["https://relay.example", "smtp://", "smtp://a:b@relay.example", "smtp://a@relay.example"],
)
def test_a_relay_that_cannot_be_used_stops_the_start(url: str) -> None:
    with pytest.raises(Misconfigured):
        Relay.parse("HARTLINE_NOTIFY_MAIL", url, "hartline@dcf.example", None, None)


def test_a_relay_is_on_the_port_of_submission_unless_it_says_otherwise() -> None:
    relay = Relay.parse(
        "HARTLINE_NOTIFY_MAIL", "smtp://relay.example", "hartline@dcf.example", None, None
    )
    assert (relay.host, relay.port) == ("relay.example", 587)


async def _is(world: World, notice_id: str, state: str) -> bool:
    return await world.state(notice_id) == state


async def _attempted(world: World, notice_id: str) -> bool:
    return await world.facts(notice_id) == [""]
