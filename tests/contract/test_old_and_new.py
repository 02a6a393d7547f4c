"""During an upgrade a consumer meets events older and newer than itself. `oldest/` keeps each type
as it was first emitted, and the schema that its consumers knew it by then."""

import json
from pathlib import Path

import jsonschema
import pytest

from shared.contracts.base import Event, EventData
from shared.contracts.registry import BY_TYPE, EVENTS, parse_data

OLDEST = Path(__file__).parent / "oldest"
EXAMPLES = Path(__file__).parents[2] / "shared" / "contracts" / "examples"

BROKEN_BEFORE_ANYBODY_RAN_IT = {"hartline.deadline.breached.v1": ["data", "role"]}
"""A breach may be of no role since every clock runs. No release was out; the list does not grow."""


def test_every_type_has_its_oldest_shape_kept() -> None:
    """A new type: copy its example to `oldest/`, and never touch it again."""
    assert {path.stem for path in OLDEST.glob("*.json")} == set(BY_TYPE)


@pytest.mark.parametrize("model", EVENTS, ids=lambda m: m.type)
def test_todays_consumer_reads_the_oldest_event(model: type[EventData]) -> None:
    event = Event.model_validate_json((OLDEST / f"{model.type}.json").read_text())
    data = parse_data(event)
    assert type(data) is model
    assert model.model_validate(data.model_dump(mode="json")) == data


@pytest.mark.parametrize("model", EVENTS, ids=lambda m: m.type)
def test_the_oldest_consumer_reads_todays_event(model: type[EventData]) -> None:
    """All that it required is still there, of the same kind; it ignores the rest."""
    path = OLDEST / "schemas" / f"{model.type}.json"
    if not path.exists():
        pytest.fail("A new type: add its schema of today's docs/asyncapi.json to oldest/schemas.")
    today = json.loads((EXAMPLES / f"{model.type}.json").read_text())
    found = jsonschema.Draft202012Validator(json.loads(path.read_text())).iter_errors(today)
    known = BROKEN_BEFORE_ANYBODY_RAN_IT.get(model.type)
    assert [e.message for e in found if list(e.absolute_path) != known] == []
