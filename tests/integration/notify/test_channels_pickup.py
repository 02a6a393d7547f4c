"""Pickup webhooks, and `v1` signatures beside `v1a` where an agency asks for them."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from services.notify import models
from services.notify.delivery import claim_store as delivery_store
from services.notify.delivery import pointers
from services.notify.delivery.lanes import Slots
from services.notify.delivery.webhook_secrets import new_secret, seal_secret
from shared.contracts.base import Source
from shared.contracts.codes import Channel
from shared.contracts.disclosures import DisclosuresAttempted
from shared.contracts.notices import NoticesDelivered
from shared.messaging.outbox import Outbox
from shared.runtime.ids import utc_now
from tests.support.deliveries import World, eventually
from tests.support.receiver import Receiver, answer
from tests.support.statements import recorded


async def told(world: World, notice: str) -> None:
    async with world.delivering():
        await eventually(lambda: _is(world, notice, "delivered"))


async def test_p5_a_pickup_webhook_is_the_same_bytes_for_everybody_and_names_nothing(
    world: World, receiver: Receiver
) -> None:
    one = await world.agency(receiver.url, channel="pickup", encryption_key=None)
    other = await world.agency(receiver.url, channel="pickup")
    notices = [await world.notice(one), await world.notice(one), await world.notice(other)]

    async def all_delivered() -> bool:
        return await world.states() == {"delivered": 3}

    async with world.delivering():
        await eventually(all_delivered)
    bodies = {request.body for request in receiver.requests}
    assert bodies == {pointers.WEBHOOK}
    assert len(pointers.WEBHOOK) == pointers.PADDED_TO
    assert json.loads(pointers.WEBHOOK)["type"] == "hartline.notice.waiting.v1"
    for request in receiver.requests:
        said = " ".join(request.headers.values())
        assert not any(notice in said for notice in notices)
        assert request.headers["webhook-id"].startswith("ptr_")
        assert request.headers["webhook-signature"].startswith("v1a,")
    assert len(set(receiver.notice_ids)) == 3


async def test_a_pointer_that_arrived_is_delivered_and_is_no_disclosure_of_a_field(
    world: World, receiver: Receiver
) -> None:
    notice = await world.notice(await world.agency(receiver.url, channel="pickup"))
    await told(world, notice)
    (delivered,) = await world.events(NoticesDelivered)
    assert delivered.notices[0].channel is Channel.PICKUP
    (attempted,) = await world.events(DisclosuresAttempted)
    assert (attempted.attempts[0].channel, attempted.attempts[0].fields) == (Channel.PICKUP, ())
    (row,) = await world.rows("SELECT channel FROM notify.disclosures")
    assert row.channel == "pickup"
    assert (await world.delivery(notice)).unread_since is not None


async def test_an_encrypted_notice_that_arrived_is_not_unread(
    world: World, receiver: Receiver
) -> None:
    notice = await world.notice(await world.agency(receiver.url))
    await told(world, notice)
    (delivered,) = await world.events(NoticesDelivered)
    assert delivered.notices[0].channel is Channel.ENCRYPTED
    assert (await world.delivery(notice)).unread_since is None


async def test_a_pointer_that_is_turned_down_is_tried_again(
    world: World, receiver: Receiver
) -> None:
    receiver.script = [answer(503)]
    notice = await world.notice(await world.agency(receiver.url, channel="pickup"))
    await told(world, notice)
    assert len(receiver.requests) == 2
    assert (await world.facts(notice)) == ["completed:503", "completed:200"]


async def test_v1_stands_beside_v1a_and_verifies_with_the_public_library(
    world: World, receiver: Receiver
) -> None:
    agency = await world.agency(receiver.url)
    secret = new_secret()
    await world.change_agency(agency, webhook_secrets=[seal_secret(world.sealer, agency, secret)])
    await told(world, await world.notice(agency))
    (request,) = receiver.requests
    kinds = [each.partition(",")[0] for each in request.headers["webhook-signature"].split()]
    assert kinds == ["v1a", "v1"]
    # The library parses what it has verified; ours is a JWE, so only the signature is its matter.
    wrapped = Webhook(secret).sign(
        request.notice_id, _at(request.headers), request.body.decode("ascii")
    )
    assert wrapped in request.headers["webhook-signature"].split()


async def test_a_pickup_webhook_verifies_whole_with_the_public_library(
    world: World, receiver: Receiver
) -> None:
    agency = await world.agency(receiver.url, channel="pickup")
    secret = new_secret()
    await world.change_agency(agency, webhook_secrets=[seal_secret(world.sealer, agency, secret)])
    await told(world, await world.notice(agency))
    (request,) = receiver.requests
    said = Webhook(secret).verify(request.body, request.headers)
    assert said["message"] == pointers.SUBJECT


async def test_in_a_rotation_all_secrets_sign_until_the_old_ones_end(
    world: World, receiver: Receiver
) -> None:
    agency = await world.agency(receiver.url, channel="pickup")
    new, old, oldest = new_secret(), new_secret(), new_secret()
    sealed = [seal_secret(world.sealer, agency, each) for each in (new, old, oldest)]
    ends = utc_now() + timedelta(hours=1)
    await world.change_agency(agency, webhook_secrets=sealed, webhook_secret_ends=ends)
    await told(world, await world.notice(agency))
    (request,) = receiver.requests
    for secret in (new, old, oldest):
        Webhook(secret).verify(request.body, request.headers)
    over = utc_now() - timedelta(seconds=1)
    await world.change_agency(agency, webhook_secret_ends=over)
    await told(world, await world.notice(agency))
    signatures = receiver.requests[-1].headers["webhook-signature"].split()
    assert [each.partition(",")[0] for each in signatures] == ["v1a", "v1"]
    Webhook(new).verify(receiver.requests[-1].body, receiver.requests[-1].headers)


async def test_a_secret_moved_to_another_agency_does_not_open_and_nothing_is_sent(
    world: World, receiver: Receiver
) -> None:
    agency, other = await world.agency(receiver.url), await world.agency(receiver.url)
    moved = seal_secret(world.sealer, other, new_secret())
    await world.change_agency(agency, webhook_secrets=[moved])
    notice = await world.notice(agency)

    async def ended() -> bool:
        return (await world.facts(notice))[:1] == ["failed"]

    async with world.delivering():
        await eventually(ended)
    assert receiver.requests == []


@pytest.mark.parametrize("others", [[], ["pickup", "email"]])
async def test_other_channels_add_no_round_trip_to_a_claim(
    world: World, monkeypatch: pytest.MonkeyPatch, others: list[str]
) -> None:
    """What is due with its notices, the record with its events: whatever the channels are."""
    for channel in ["encrypted", "encrypted", *others]:
        agency = await world.agency("http://127.0.0.1:9", channel=channel, email="a@b.example")
        await world.notice(agency)
    now = utc_now()
    statements = recorded(monkeypatch)
    async with world.db.transaction() as session:
        claimed = await delivery_store.claim(
            session,
            Outbox(models.OUTBOX, Source.NOTIFY),
            owner=1,
            slots=Slots(8, 8),
            busy={},
            batch=16,
            now=now,
            deadline=now + timedelta(seconds=10),
        )
    assert len(claimed.attempts) == 2 + len(others)
    assert len(statements) == 2


def _at(headers: dict[str, str]) -> datetime:
    return datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)


async def _is(world: World, notice_id: str, state: str) -> bool:
    return await world.state(notice_id) == state
