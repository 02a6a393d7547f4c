"""What a leaf holds, and that it holds nothing else."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from services.audit import leaf
from services.audit.canonical import canonical
from services.audit.consumer import HANDLERS
from services.audit.fields import FIELDS
from services.audit.leaf import Asked, Kind, read_submission, submissions
from shared.contracts.base import Event, EventData, Part, Source, Topic
from shared.contracts.codes import Channel, RefusalReason, Role
from shared.contracts.deadlines import ClockBreached
from shared.contracts.disclosures import (
    Attempt,
    CallViewed,
    DisclosuresAttempted,
    DisclosuresCompleted,
    DisclosuresFailed,
    DisclosuresRefused,
    DisclosuresUnknown,
    Outcome,
    RecordViewed,
    ReferralViewed,
    RefusedDisclosure,
    ToldOrally,
)
from shared.contracts.registry import EVENTS

NOW = datetime(2026, 11, 23, 14, 0, 0, 5, tzinfo=UTC)


def an_id(kind: str, number: int = 1) -> str:
    return f"{kind}_{number:032x}"


def attempt(number: int = 1) -> Attempt:
    return Attempt(
        disclosure_id=an_id("dsc", number),
        notice_id=an_id("ntc", number),
        child_id=an_id("chd"),
        agency_id=an_id("agy"),
        role=Role.FBI,
        version=1,
        channel=Channel.ENCRYPTED,
        authority="CGS § 17a-101b(c)",
        purpose="DCF-737",
        rule="careline-fbi",
        rules_version="2026-1",
        directory_version=3,
        fields=("name", "residence_town"),
        commitment="ab" * 32,
        attempted_at=NOW,
    )


def outcome(number: int = 1) -> Outcome:
    return Outcome(
        disclosure_id=an_id("dsc", number),
        notice_id=an_id("ntc", number),
        child_id=an_id("chd"),
        occurred_at=NOW,
        http_status=200,
    )


REFERRAL = an_id("ref")
REFUSED = RefusedDisclosure(
    notice_id=an_id("ntc"),
    child_id=an_id("chd"),
    agency_id=None,
    role=Role.MDT,
    version=2,
    reason=RefusalReason.AUTHORITY_EXPIRED,
    refused_at=NOW,
)
VIEWED = ReferralViewed(
    referral_id=REFERRAL,
    disclosure_id=an_id("dsc"),
    version=1,
    child_ids=(an_id("chd"),),
    actor="service:notify",
    actor_kind="service",
    authority="CGS 17a-101b(c)",
    purpose="routing",
    fields=("name",),
    commitment="cd" * 32,
    viewed_at=NOW,
)
TOLD = ToldOrally(
    referral_id=REFERRAL,
    disclosure_id=an_id("dsc"),
    version=1,
    child_ids=(an_id("chd"),),
    recipient_id=an_id("plc"),
    actor="worker-1",
    authority="DCF policy 21-14",
    purpose="placement",
    fields=("victim_status",),
    commitment="cd" * 32,
    occurred_at=NOW,
    recorded_at=NOW,
)
RECORD = RecordViewed(
    record_id=an_id("rec"),
    disclosure_id=an_id("dsc"),
    actor="administrator-1",
    authority="DCF policy 21-14",
    purpose="need to know",
    fields=("content",),
    commitment="cd" * 32,
    viewed_at=NOW,
)
DATA: dict[Kind, EventData] = {
    Kind.ATTEMPTED: DisclosuresAttempted(referral_id=REFERRAL, attempts=(attempt(1), attempt(2))),
    Kind.COMPLETED: DisclosuresCompleted(referral_id=REFERRAL, outcomes=(outcome(1), outcome(2))),
    Kind.FAILED: DisclosuresFailed(referral_id=REFERRAL, outcomes=(outcome(),)),
    Kind.UNKNOWN: DisclosuresUnknown(referral_id=REFERRAL, outcomes=(outcome(),)),
    Kind.REFUSED: DisclosuresRefused(referral_id=REFERRAL, refused=(REFUSED,)),
    Kind.VIEWED: VIEWED,
    Kind.TOLD: TOLD,
}


def event_of(data: EventData) -> Event:
    return Event(
        id="event-1",
        source=Source.NOTIFY,
        type=data.type,
        subject=data.subject,
        time=NOW,
        sequence=7,
        data=data.model_dump(mode="json"),
    )


def salts() -> Iterator[bytes]:
    for number in range(1, 255):
        yield bytes([number]) * 16


def leaves(data: EventData) -> list[dict[str, Any]]:
    counted = salts()
    return [
        json.loads(each.leaf) for each in submissions(event_of(data), data, lambda: next(counted))
    ]


@pytest.mark.parametrize("kind", DATA)
def test_each_attempt_outcome_refusal_and_view_is_a_leaf_of_its_own(kind: Kind) -> None:
    counted = salts()
    found = submissions(event_of(DATA[kind]), DATA[kind], lambda: next(counted))
    expected = 2 if kind in (Kind.ATTEMPTED, Kind.COMPLETED) else 1
    assert [(each.event_id, each.position) for each in found] == [
        ("event-1", position) for position in range(expected)
    ]
    assert {each.kind for each in found} == {kind}
    assert len({each.leaf for each in found}) == expected


def test_a_leaf_says_who_was_told_what_by_which_law_and_never_the_values() -> None:
    first, second = leaves(DATA[Kind.ATTEMPTED])
    assert first == {
        "v": 1,
        "kind": "attempted",
        "position": 0,
        "referral_id": REFERRAL,
        "salt": "01" * 16,
        "event": {
            "id": "event-1",
            "sequence": 7,
            "source": "/hartline/notify",
            "time": "2026-11-23T14:00:00.000005Z",
        },
        "record": attempt(1).model_dump(mode="json"),
    }
    assert (second["record"]["disclosure_id"], second["salt"]) == (an_id("dsc", 2), "02" * 16)


def test_leaf_bytes_are_canonical_json() -> None:
    data = DATA[Kind.ATTEMPTED]
    raw = submissions(event_of(data), data, lambda: bytes(16))[0].leaf
    content = json.loads(raw)
    again = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert raw == again.encode()
    assert "CGS § 17a-101b(c)".encode() in raw


def test_leaf_bytes_are_those_of_json_whatever_the_text_is() -> None:
    odd = "".join(map(chr, (*range(0x80), 0x2028, 0xFEFF, 0xE000, 0x1F9D1)))
    content = {
        odd: [None, True, {"b": 2**64, "a": ({"d": odd, "c": -1}, "")}],
        "kind": Kind.VIEWED,
        "": {},
    }
    wanted = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical(content) == wanted.encode()


def test_a_leaf_refuses_what_has_no_settled_spelling() -> None:
    for strange in (NOW, {1}, b"bytes", "\ud800"):
        with pytest.raises((TypeError, ValueError)):
            canonical({"in": [strange]})


@pytest.mark.parametrize("part", FIELDS)
def test_a_new_contract_field_needs_a_decision_before_it_is_in_a_leaf(part: type[Part]) -> None:
    """Default deny: whoever adds a field to the contract lists it here, or leaves it out."""
    known = set(part.model_fields) - {"referral_id", "call_id"}
    assert set(FIELDS[part]) == known


def test_a_read_of_a_call_is_a_leaf_that_names_the_call() -> None:
    """A call that became no referral is read by somebody too."""
    call_id = an_id("cal")
    seen = VIEWED.model_dump(exclude={"referral_id", "child_ids"})
    (leaf,) = leaves(CallViewed(call_id=call_id, **seen))
    assert (leaf["kind"], leaf["call_id"]) == ("viewed", call_id)
    assert "referral_id" not in leaf


def test_a_field_that_is_not_listed_stays_out(monkeypatch: pytest.MonkeyPatch) -> None:
    fewer: dict[type[Part], tuple[str, ...]] = {ReferralViewed: ("disclosure_id",)}
    monkeypatch.setattr(leaf, "FIELDS", fewer)
    assert leaves(VIEWED)[0]["record"] == {"disclosure_id": an_id("dsc")}


def test_a_read_of_a_record_without_a_referral_is_a_view_that_names_no_referral_and_no_child() -> (
    None
):
    (content,) = leaves(RECORD)
    assert (content["kind"], content["record"]["record_id"]) == ("viewed", an_id("rec"))
    assert content.keys().isdisjoint({"referral_id", "call_id"})
    assert "child_ids" not in content["record"]


def test_every_disclosures_event_has_a_handler() -> None:
    assert set(HANDLERS) == {model for model in EVENTS if model.topic is Topic.DISCLOSURES}


def test_what_is_no_disclosure_is_refused() -> None:
    breached = ClockBreached(
        referral_id=REFERRAL,
        clock_id=an_id("clk"),
        policy="le12",
        policy_version="1",
        child_id=an_id("chd"),
        role=Role.FBI,
        due_at=NOW,
        discovered_at=NOW,
    )
    with pytest.raises(ValueError, match="not a disclosure"):
        submissions(event_of(breached), breached, lambda: bytes(16))


def test_a_read_of_the_audit_names_the_reader_and_what_was_read_and_belongs_to_no_disclosure() -> (
    None
):
    read = read_submission(
        "event-9", "officer-1", True, Asked.DISCLOSURE, an_id("dsc"), NOW, bytes(16)
    )
    assert (read.kind, read.disclosure_id) == (Kind.AUDIT_READ, None)
    assert json.loads(read.leaf)["record"] == {
        "actor": "officer-1",
        "actor_kind": "person",
        "asked": "disclosure",
        "about": an_id("dsc"),
    }


def test_a_short_salt_and_a_fraction_are_refused() -> None:
    with pytest.raises(ValueError, match="128 bits"):
        submissions(event_of(VIEWED), VIEWED, lambda: b"short")
    with pytest.raises(ValueError, match="fractions"):
        canonical({"deep": [{"in": 0.5}]})
