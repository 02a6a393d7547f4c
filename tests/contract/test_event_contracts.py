"""Every event type has a golden example; examples and AsyncAPI document are the contract."""

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import jsonschema
import pytest
from pydantic import TypeAdapter, ValidationError

from shared.contracts import asyncapi
from shared.contracts.base import Event, EventData, Instant, Topic
from shared.contracts.registry import BY_TYPE, CONSUMERS, EMITTERS, EVENTS, parse_data

document = cache(asyncapi.document)
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "shared" / "contracts" / "examples"


def example(model: type[EventData]) -> str:
    return (EXAMPLES / f"{model.type}.json").read_text()


def test_every_type_has_an_example_and_every_example_a_type() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.json")} == set(BY_TYPE)


@pytest.mark.parametrize("model", EVENTS, ids=lambda m: m.type)
def test_an_example_is_read_and_written_without_loss(model: type[EventData]) -> None:
    golden = json.loads(example(model))
    event = Event.model_validate_json(example(model))
    data = parse_data(event)
    assert type(data) is model
    assert data.model_dump(mode="json") == golden["data"]
    assert event.model_dump(mode="json") == golden
    assert data.subject == event.subject
    assert event.source in EMITTERS[model.topic]


@pytest.mark.parametrize("model", EVENTS, ids=lambda m: m.type)
def test_an_example_fits_the_asyncapi_schema_of_its_message(model: type[EventData]) -> None:
    components = document()["components"]
    payload = components["messages"][model.__name__]["payload"]
    golden = json.loads(example(model))
    jsonschema.validate(golden, payload | {"components": components})
    assert payload["properties"]["type"] == {"const": golden["type"]}


@pytest.mark.parametrize("model", EVENTS, ids=lambda m: m.type)
def test_a_newer_producers_extra_field_is_ignored(model: type[EventData]) -> None:
    """Additive within a version: yesterday's consumer reads tomorrow's event."""
    newer = json.loads(example(model))
    newer["data"]["added_later"] = newer["added_later"] = True
    event = Event.model_validate(newer)
    assert parse_data(event) == parse_data(Event.model_validate_json(example(model)))


TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("model", EVENTS, ids=lambda m: m.type)
def test_a_traced_event_fits_its_schema_and_says_the_same(model: type[EventData]) -> None:
    """CloudEvents' Distributed Tracing extension, which is optional."""
    traced = json.loads(example(model)) | {"traceparent": TRACEPARENT}
    event = Event.model_validate(traced)
    assert event.model_dump(mode="json") == traced
    assert parse_data(event) == parse_data(Event.model_validate_json(example(model)))
    components = document()["components"]
    payload = components["messages"][model.__name__]["payload"]
    jsonschema.validate(traced, payload | {"components": components})


@pytest.mark.parametrize("given", ["nonsense", "", None, 7, ["x"], f"{TRACEPARENT}-more"])
def test_no_event_is_lost_by_a_malformed_traceparent(given: object) -> None:
    event = Event.model_validate(json.loads(example(EVENTS[0])) | {"traceparent": given})
    assert event.traceparent is None
    assert event == Event.model_validate_json(example(EVENTS[0]))


def test_a_type_of_a_later_release_is_left_alone() -> None:
    golden = json.loads(example(EVENTS[0])) | {"type": "hartline.referral.unheard_of.v1"}
    assert parse_data(Event.model_validate(golden)) is None


def test_every_topic_has_emitters_consumers_and_types() -> None:
    assert set(EMITTERS) == set(CONSUMERS) == set(Topic)
    assert {model.topic for model in EVENTS} == set(Topic)


def test_the_published_asyncapi_document_is_current() -> None:
    published = json.loads((ROOT / "docs" / "asyncapi.json").read_text())
    assert published == document(), "run: python -m shared.contracts.asyncapi > docs/asyncapi.json"


def test_no_event_has_a_field_that_could_hold_personal_data() -> None:
    """P5: an allow-list of every field name that travels. Adding one is a decision."""
    allowed = {
        *("referral_id", "child_id", "notice_id", "agency_id", "disclosure_id", "clock_id"),
        *("version", "superseded_by", "rules_version", "directory_version", "policy_version"),
        *("trigger", "ht_type", "role", "kind", "channel", "reason", "policy", "rule", "synthetic"),
        *("authority", "purpose", "fields", "commitment", "http_status", "actor", "actor_kind"),
        *("export_id", "approved_by", "exported_at"),
        *("received_at", "recorded_at", "planned_at", "refused_at", "delivered_at", "due_at"),
        *("call_id", "related_referral_id", "relation", "decision", "outcome", "cause"),
        *("decided_at", "saved_at", "same", "related_child_id"),
        *("superseded_at", "attempted_at", "occurred_at", "viewed_at", "rerouted_at"),
        *("discovered_at", "satisfied_at"),
        *("consult_id", "request_id", "share_id", "flag_id", "record_id", "recipient_id"),
        *("requested_at", "started_at", "completed_at", "identified_at", "entered_at"),
        *("flagged_at", "stage", "withdrawn_at", "held_at", "picked_up_at", "acknowledged_at"),
        *("told_at", "closed_at", "shredding_id", "ordered_at", "shredded_at"),
        *("duty", "tell", "matter", "before_minutes", "noticed_at", "turn"),
        *("children", "child_ids", "notices", "attempts", "outcomes", "refused", "left"),
    }
    for model in EVENTS:
        schema = model.model_json_schema()
        names = set(schema["properties"])
        for part in schema.get("$defs", {}).values():
            names |= set(part.get("properties", ()))
        assert names <= allowed, names - allowed


_AT = datetime(2026, 11, 26, 20, 0, tzinfo=UTC)
_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


@pytest.mark.parametrize(
    "given",
    ["2026-11-26T20:00:00Z", "2026-11-26T20:00:00+00:00", _AT, _AT.astimezone(ZoneInfo("UTC"))],
)
def test_an_instant_is_in_utc(given: object) -> None:
    assert _INSTANT.validate_python(given) == _AT
    assert _INSTANT.dump_json(_INSTANT.validate_python(given)) == b'"2026-11-26T20:00:00Z"'


@pytest.mark.parametrize(
    "given",
    [
        "2026-11-26T15:00:00-05:00",
        "2026-11-26T20:00:00",
        _AT.astimezone(ZoneInfo("America/New_York")),
        _AT.replace(tzinfo=None),
    ],
)
def test_what_is_in_another_time_zone_or_in_none_is_no_instant(given: object) -> None:
    with pytest.raises(ValidationError):
        _INSTANT.validate_python(given)
