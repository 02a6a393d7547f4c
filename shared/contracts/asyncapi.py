"""The AsyncAPI 3 document of all topics, generated from the registry.

`python -m shared.contracts.asyncapi` prints it; a test keeps docs/asyncapi.json equal to it.
"""

import json
import sys
from typing import Any

from pydantic import BaseModel

from shared.contracts.base import Event, EventData, Topic
from shared.contracts.registry import CONSUMERS, EMITTERS, EVENTS

_REFERENCE = "#/components/schemas/{model}"


def document() -> dict[str, Any]:
    """The document as JSON-ready data: channels are topics, operations are who does what."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Hartline events",
            "version": "1.0.0",
            "description": "CloudEvents 1.0 in JSON structured mode. The record's key is the "
            "subject; `sequence` counts from 1 without a gap per (topic, source, subject). "
            "Events hold ids, types, versions and times: no personal data, town or conflict.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {topic.value: _channel(topic) for topic in Topic},
        "operations": _operations(),
        "components": {
            "messages": {_name(model): _message(model) for model in EVENTS},
            "schemas": _parts(),
        },
    }


def _name(model: type[EventData]) -> str:
    return model.__name__


def _channel(topic: Topic) -> dict[str, Any]:
    models = [model for model in EVENTS if model.topic is topic]
    return {
        "address": topic.value,
        "messages": {
            _name(model): {"$ref": f"#/components/messages/{_name(model)}"} for model in models
        },
    }


def _operations() -> dict[str, Any]:
    operations: dict[str, Any] = {}
    for topic in Topic:
        channel = {"$ref": f"#/channels/{topic.value}"}
        for source in EMITTERS[topic]:
            service = source.value.rsplit("/", 1)[-1]
            operations[f"{service}_sends_{topic.value}"] = {"action": "send", "channel": channel}
        for service in CONSUMERS[topic]:
            operations[f"{service}_receives_{topic.value}"] = {
                "action": "receive",
                "channel": channel,
            }
    return operations


def _parts() -> dict[str, Any]:
    """The parts that several messages share, once each."""
    parts: dict[str, Any] = {}
    models: tuple[type[BaseModel], ...] = (*EVENTS, Event)
    for model in models:
        parts |= model.model_json_schema(ref_template=_REFERENCE).get("$defs", {})
    return dict(sorted(parts.items()))


def _message(model: type[EventData]) -> dict[str, Any]:
    envelope = Event.model_json_schema(ref_template=_REFERENCE)
    envelope["properties"]["type"] = {"const": model.type}
    envelope["properties"]["source"] = {"enum": [source.value for source in EMITTERS[model.topic]]}
    data = model.model_json_schema(ref_template=_REFERENCE)
    data.pop("$defs", None)
    envelope["properties"]["data"] = data
    envelope.pop("$defs", None)
    summary = (model.__doc__ or "").strip().splitlines()[0]
    return {"name": model.type, "summary": summary, "payload": envelope}


if __name__ == "__main__":
    json.dump(document(), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
