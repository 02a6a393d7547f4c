"""docker-compose.yml, and the Compose specification's schema as check-jsonschema carries it."""

import json
from importlib import resources
from typing import Any

import yaml
from jsonschema.validators import validator_for

from deploy.machine.home import ROOT


def compose() -> dict[str, Any]:
    """The file with its anchors resolved."""
    read: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return read


def problems(document: dict[str, Any]) -> list[str]:
    """What the specification's schema does not allow, a line each."""
    folder = resources.files("check_jsonschema.builtin_schemas") / "vendor"
    schema = json.loads((folder / "compose-spec.json").read_text())
    errors = validator_for(schema)(schema).iter_errors(document)
    return [f"{'/'.join(map(str, error.path))}: {error.message[:200]}" for error in errors]
