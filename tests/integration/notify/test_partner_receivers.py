"""The partner kit against a real Hartline: each receiver is a process, and the deliver role of
notify sends to it through a line that may tamper, lose, or replay."""

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from deploy.machine.webhooks import CONTENT_TYPE
from services.notify.delivery import envelope
from services.notify.delivery.deliver import Limits
from services.notify.delivery.signing import Signer
from shared.runtime.ids import new_id, utc_now
from tests.support.deliveries import World, eventually
from tests.support.fixed_keys import (
    NEW_KEY,
    NEW_SECRET,
    NEW_SENDER,
    OLD_KEY,
    OLD_SENDER,
    OTHER_KEY,
    STRANGER,
    jwk,
)
from tests.support.partner_receivers import LANGUAGES, PartnerReceiver, running
from tests.support.receiver import Receiver, Request, reset

pytestmark = pytest.mark.slow
AGENCY = new_id("agy")
HARTLINE = Signer([OLD_SENDER])
CONFIG = {
    "agency_id": AGENCY,
    "sender_keys": list(Signer([OLD_SENDER, NEW_SENDER]).public_keys),
    "shared_secrets": [NEW_SECRET],
    "private_keys": [jwk(OLD_KEY, private=True), jwk(NEW_KEY, private=True)],
}


@pytest.fixture(scope="module", params=LANGUAGES)
def partner(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PartnerReceiver]:
    built, folder = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("town")
    with running(request.param, built, folder, CONFIG) as started:
        yield started


@pytest.fixture
async def hartline(world: World, receiver: Receiver, partner: PartnerReceiver) -> World:
    """Hartline, and a line to the town: `receiver.script` says what the line does."""
    receiver.behaviour = partner.through()
    world.signer = HARTLINE
    await world.agency(receiver.url, agency_id=AGENCY, encryption_key=jwk(OLD_KEY))
    return world


async def test_a_good_delivery_is_kept_before_its_200(
    hartline: World, partner: PartnerReceiver
) -> None:
    notice = await hartline.notice(AGENCY)
    async with hartline.delivering():
        await eventually(lambda: _is(hartline, notice, "delivered"))
    form = partner.kept(notice)
    assert form is not None
    assert form["child"]["name"] == "Test Child One"
    assert partner.standing(notice) == ["current"]
    assert await hartline.facts(notice) == ["completed:200"]


@pytest.mark.parametrize("part", ["body", "signature", "time", "id", "content type"])
async def test_what_was_tampered_with_is_refused_and_the_next_try_is_kept(
    hartline: World, receiver: Receiver, partner: PartnerReceiver, part: str
) -> None:
    async def tamper(request: Request, writer: asyncio.StreamWriter) -> None:
        await partner.through(**_tampered(part, request))(request, writer)
        assert partner.kept(request.notice_id) is None

    receiver.script = [tamper]
    notice = await hartline.notice(AGENCY)
    async with hartline.delivering():
        await eventually(lambda: _is(hartline, notice, "delivered"))
    refused = {"content type": 415}.get(part, 401)
    assert await hartline.facts(notice) == [f"completed:{refused}", "completed:200"]
    assert partner.standing(notice) == ["current"]


def _tampered(part: str, request: Request) -> dict[str, Any]:
    body, signature = request.body, request.headers["webhook-signature"]
    changes: dict[str, dict[str, Any]] = {
        "body": {"body": body[:-1] + (b"A" if body[-1:] != b"A" else b"B")},
        "signature": {"webhook_signature": signature[:-6] + "AAAA=="},
        "time": {"webhook_timestamp": str(int(request.headers["webhook-timestamp"]) + 1)},
        "id": {"webhook_id": new_id("ntc")},
        "content type": {"content_type": "text/plain"},
    }
    return changes[part]


async def test_a_replay_is_one_copy_at_once_and_none_when_it_is_old(
    hartline: World, receiver: Receiver, partner: PartnerReceiver
) -> None:
    notice = await hartline.notice(AGENCY)
    async with hartline.delivering():
        await eventually(lambda: _is(hartline, notice, "delivered"))
    (captured,) = receiver.requests
    assert await partner.forward(captured) == 200
    assert partner.standing(notice) == ["current"]
    assert partner.log.count(f"stored {notice}") == 1
    long_ago = HARTLINE.headers(notice, utc_now() - timedelta(minutes=6), captured.body)
    assert await partner.forward(replace(captured, headers=captured.headers | long_ago)) == 401


async def test_a_notice_for_another_agency_is_refused_though_it_opens(
    hartline: World, receiver: Receiver, partner: PartnerReceiver
) -> None:
    """As when two records name one endpoint and one key."""
    other = await hartline.agency(receiver.url, encryption_key=jwk(OLD_KEY))
    notice = await hartline.notice(other)
    assert await _first_fact(hartline, notice) == "completed:403"
    assert partner.kept(notice) is None


async def test_a_notice_to_a_key_that_the_town_has_not_is_refused(
    hartline: World, partner: PartnerReceiver
) -> None:
    await hartline.change_agency(AGENCY, encryption_key=jwk(OTHER_KEY))
    notice = await hartline.notice(AGENCY)
    assert await _first_fact(hartline, notice) == "completed:400"
    assert partner.kept(notice) is None


async def test_a_notice_signed_by_a_stranger_is_refused(
    hartline: World, partner: PartnerReceiver
) -> None:
    hartline.signer = Signer([STRANGER])
    notice = await hartline.notice(AGENCY)
    assert await _first_fact(hartline, notice) == "completed:401"
    assert partner.kept(notice) is None


@pytest.mark.parametrize("senders", ["old", "stranger and new", "new"])
@pytest.mark.parametrize("key", ["old", "new"])
async def test_keys_of_both_sides_change_without_a_gap(
    hartline: World, partner: PartnerReceiver, senders: str, key: str
) -> None:
    """While the town knows two of ours and holds two of its own, any pair goes through."""
    signers = {"old": [OLD_SENDER], "stranger and new": [STRANGER, NEW_SENDER], "new": [NEW_SENDER]}
    hartline.signer = Signer(signers[senders])
    await hartline.change_agency(AGENCY, encryption_key=jwk({"old": OLD_KEY, "new": NEW_KEY}[key]))
    notice = await hartline.notice(AGENCY)
    async with hartline.delivering():
        await eventually(lambda: _is(hartline, notice, "delivered"))
    assert await hartline.facts(notice) == ["completed:200"]
    assert partner.standing(notice) == ["current"]


async def test_of_versions_that_come_out_of_order_the_highest_counts(
    hartline: World, receiver: Receiver, partner: PartnerReceiver
) -> None:
    """P8: version 1 is lost on its way, version 2 arrives, and then the network finds version 1."""

    async def lose(request: Request, writer: asyncio.StreamWriter) -> None:
        await receiver.released.wait()
        await reset(request, writer)

    receiver.script = [lose]
    first = await hartline.notice(AGENCY)
    async with hartline.delivering():
        await eventually(lambda: _received(receiver, 1))
        second = await _correction(hartline, first)
        receiver.released.set()
        await eventually(lambda: _is(hartline, second, "delivered"))
    assert partner.kept(first) is None
    assert await partner.forward(receiver.requests[0]) == 200
    assert (partner.standing(first), partner.standing(second)) == (["replaced"], ["current"])


async def test_a_supersession_without_content_makes_what_is_held_outdated(
    hartline: World, receiver: Receiver, partner: PartnerReceiver
) -> None:
    async with hartline.delivering():
        number = {"referral_number": "HL-TEST-0009"}
        first = await hartline.notice(AGENCY, **number)
        await eventually(lambda: _is(hartline, first, "delivered"))
        child = {"child_id": await hartline.child_of(first), "version": 2, "kind": "supersession"}
        second = await hartline.notice(AGENCY, **child, **number)
        await eventually(lambda: _is(hartline, second, "delivered"))
    form = partner.kept(second)
    assert form is not None
    assert "child" not in form
    assert partner.standing(second) == ["message"]
    assert partner.standing(first) == ["outdated"]


async def test_killed_between_storing_and_answering_it_has_one_copy(
    hartline: World, receiver: Receiver, partner: PartnerReceiver
) -> None:
    """P1, P2: it stops while it writes its table, for that is a pipe that nobody reads."""
    pipe = partner.received / "standing.half"
    os.mkfifo(pipe)
    notice = await hartline.notice(AGENCY)
    async with hartline.delivering(Limits(deadline=1.0)):
        await eventually(lambda: _kept(partner, notice))
        partner.kill()
        await eventually(lambda: _has_facts(hartline, notice, 1))
        pipe.unlink()
        await asyncio.to_thread(partner.start)
        await hartline.make_due(notice)
        await eventually(lambda: _is(hartline, notice, "delivered"), within=10)
    assert (await hartline.facts(notice))[-1] == "completed:200"
    assert (await hartline.facts(notice))[0] == "unknown"
    assert partner.standing(notice) == ["current"]
    assert f"stored {notice}" not in partner.log
    assert f"had {notice}" in partner.log


async def test_v1_is_enough_where_the_town_has_a_shared_secret(partner: PartnerReceiver) -> None:
    notice_id, now = new_id("ntc"), utc_now()
    notice = envelope.Notice(
        notice_id=notice_id,
        kind="supersession",
        version=1,
        supersedes=None,
        referral_number="HL-TEST-0002",
        trigger="careline",
        received_at=now,
        agency_id=AGENCY,
        role="fbi",
        authority="CGS 17a-28",
        purpose="Test",
        child_id="",
        child=None,
    )
    body = envelope.encrypt(envelope.plaintext(notice), AGENCY, jwk(NEW_KEY), notice_id, now)
    headers = Signer([STRANGER]).headers(notice_id, now, body, NEW_SECRET)
    request = Request("/hook", {**headers, "content-type": CONTENT_TYPE}, body)
    assert await partner.forward(request) == 200


async def test_too_much_and_the_wrong_method_are_refused(partner: PartnerReceiver) -> None:
    big = Request("/hook", {"content-type": CONTENT_TYPE}, b"x" * (5 * 1024 * 1024))
    with suppress(ConnectionError):  # It may hang up on what it will not read.
        assert await partner.forward(big) == 413
    reader, writer = await asyncio.open_connection("127.0.0.1", partner.port)
    writer.write(b"GET /hook HTTP/1.1\r\nHost: town\r\nConnection: close\r\n\r\n")
    assert int((await reader.readline()).split()[1]) in (405, 501)
    writer.close()


async def _correction(world: World, first: str) -> str:
    """Version 2 of a notice, as planning leaves it while an attempt of version 1 is open."""
    second = await world.notice(
        AGENCY,
        child_id=await world.child_of(first),
        version=2,
        kind="correction",
        state="blocked",
    )
    await world.rows(
        "UPDATE notify.deliveries SET superseded_by = 2 WHERE notice_id = :first RETURNING 1",
        first=first,
    )
    return second


async def _first_fact(world: World, notice: str) -> str:
    async with world.delivering():
        await eventually(lambda: _has_facts(world, notice, 1))
    return (await world.facts(notice))[0]


async def _has_facts(world: World, notice: str, count: int) -> bool:
    return len([each for each in await world.facts(notice) if each]) >= count


async def _is(world: World, notice: str, state: str) -> bool:
    return await world.state(notice) == state


async def _received(receiver: Receiver, count: int) -> bool:
    return len(receiver.requests) >= count


async def _kept(partner: PartnerReceiver, notice: str) -> bool:
    return partner.kept(notice) is not None


async def test_a_recall_that_names_no_notice_is_refused_and_the_next_notice_is_kept(
    hartline: World, partner: PartnerReceiver
) -> None:
    message_id, now = new_id("ntc"), utc_now()
    form = {
        "form": "DCF-737",
        "kind": "recall",
        "notice_id": message_id,
        "version": 1,
        "referral_number": "HL-TEST-0003",
        "recipient": {"agency_id": AGENCY},
    }
    body = envelope.encrypt(json.dumps(form).encode(), AGENCY, jwk(NEW_KEY), message_id, now)
    headers = HARTLINE.headers(message_id, now, body) | {"content-type": CONTENT_TYPE}
    refused = await partner.ask(Request("/hook", headers, body))
    assert refused == (400, b"recall_names_no_notice")
    assert partner.kept(message_id) is None
    notice = await hartline.notice(AGENCY)
    async with hartline.delivering():
        await eventually(lambda: _is(hartline, notice, "delivered"))


async def test_a_challenge_is_answered_and_not_kept(partner: PartnerReceiver) -> None:
    """Enrolment: it proves that the endpoint holds its key. Nobody else is answered."""
    message_id, now = new_id("chl"), utc_now()
    plaintext = json.dumps({"kind": "challenge", "challenge": "proof-of-the-key"}).encode()
    body = envelope.encrypt(plaintext, AGENCY, jwk(NEW_KEY), message_id, now)
    kind = {"content-type": CONTENT_TYPE}
    signed = Request("/hook", HARTLINE.headers(message_id, now, body) | kind, body)
    assert await partner.ask(signed) == (200, b'{"challenge":"proof-of-the-key"}')
    stranger = Signer([STRANGER]).headers(message_id, now, body) | kind
    assert await partner.ask(Request("/hook", stranger, body)) == (401, b"signature")
    assert partner.kept(message_id) is None
