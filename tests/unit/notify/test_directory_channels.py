"""Which channel an agency is told by, and what it needs on file for that."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from services.notify.delivery.channels import POINTERS, beside_encrypted, is_complete
from services.notify.directory.entries import AgencyEntry, NewEntry
from shared.contracts.codes import Channel, RefusalReason
from tests.support.planning import JWK

DAY = date(2026, 3, 3)
URL, DESK = "https://police.example/hook", "records@police.example"


def entry(**fields: Any) -> NewEntry:
    return NewEntry.model_validate(
        {
            "agency_id": f"agy_{0:032x}",
            "kind": "municipal_police",
            "name": "Example Police",
            "authority": "CGS 17a-28",
            "authority_from": "2020-01-01",
        }
        | fields
    )


@pytest.mark.parametrize(
    ("fields", "channel"),
    [
        ({"channel": "pickup", "endpoint": URL}, Channel.PICKUP),
        ({"channel": "email", "email": DESK}, Channel.EMAIL),
        ({"channel": "oral"}, Channel.ORAL),
        ({"endpoint": URL, "encryption_key": JWK}, None),
    ],
)
def test_whoever_has_what_its_channel_needs_may_be_told(
    fields: dict[str, Any], channel: Channel | None
) -> None:
    agency = entry(**fields).agency()
    assert agency.refusal(DAY) is None
    assert agency.other_channel is channel
    assert agency.encrypted_channel is (channel is None)


@pytest.mark.parametrize("fields", [{}, {"endpoint": URL}, {"encryption_key": JWK}])
def test_p3_an_encrypted_channel_without_endpoint_or_key_is_refused(fields: Any) -> None:
    assert entry(**fields).agency().refusal(DAY) is RefusalReason.NO_ENCRYPTION_KEY


@pytest.mark.parametrize(
    "fields",
    [
        {"channel": "pickup"},
        {"channel": "email", "endpoint": URL},
        {"channel": "mailbox"},
        {"channel": "fax"},
        {"channel": "email", "email": "records@police"},
        {"channel": "email", "email": "a@police.example\r\nBcc: b@elsewhere.example"},
        {"channel": "email", "email": "a@police.example, b@elsewhere.example"},
    ],
)
def test_a_channel_without_what_it_needs_is_not_taken(fields: Any) -> None:
    with pytest.raises(ValidationError):
        entry(**fields)


def test_p3_an_old_record_that_has_come_to_lack_something_is_refused_and_still_read() -> None:
    lacking = AgencyEntry.model_validate(entry(channel="oral").stored() | {"channel": "pickup"})
    assert lacking.agency().refusal(DAY) is RefusalReason.NO_ENCRYPTION_KEY


def test_a_history_from_before_there_were_channels_is_of_the_encrypted_one() -> None:
    stored = entry(endpoint=URL, encryption_key=JWK).stored()
    del stored["channel"], stored["email"]
    assert AgencyEntry.model_validate(stored).channel is Channel.ENCRYPTED


def test_nobody_is_told_by_the_mailbox_alone() -> None:
    assert not is_complete(Channel.MAILBOX, URL, JWK, DESK)
    assert beside_encrypted(Channel.MAILBOX, URL, DESK) is None
    assert beside_encrypted(Channel.ENCRYPTED, URL, DESK) is None
    assert {Channel.PICKUP, Channel.EMAIL} == POINTERS
