"""How values read on paper: codes as words, times as Connecticut's clocks show them."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

_CONNECTICUT = ZoneInfo("America/New_York")
_CODE = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")
CODED = frozenset(
    {
        *("ht_type", "trigger", "role", "kind", "cause", "relation", "level", "incident_type"),
        *("venues", "nation", "district", "residence_at_exploitation", "source_type", "standing"),
        *("sex", "race_ethnicity", "age_band", "care_status", "person_roles"),
    }
)
"""The fields that hold codes. In any other, `not_known` is what somebody typed."""


def worded(name: str, value: object) -> str:
    """A value as words; `name` is its field's. Free text comes back unchanged."""
    match value:
        case bool():
            return "Yes" if value else "No"
        case datetime():
            return moment(value)
        case list():
            return "; ".join(worded(name, each) for each in value)
        case dict():
            return "; ".join(
                f"{humanised(key)}: {worded(key, each)}" for key, each in value.items()
            )
        case str() if name in CODED:
            return label(name, value)
        case _:
            return str(value)


def label(name: str, code: str) -> str:
    if known := labels().get(name, {}).get(code):
        return known
    return humanised(code) if _CODE.fullmatch(code) else code


def humanised(code: str) -> str:
    words = code.replace("_", " ")
    return words[:1].upper() + words[1:]


def moment(value: datetime) -> str:
    """`Mon, Nov 23, 2026, 7:00 AM EST`: an officer need not convert it."""
    local = value.astimezone(_CONNECTICUT)
    return f"{local:%a, %b} {local.day}, {local.year}, {local:%I:%M %p %Z}".replace(", 0", ", ")


def day(value: str) -> str:
    """`May 4, 2012`: in neither order can it be misread. What is no date comes back unchanged."""
    try:
        parsed = date.fromisoformat(value)
    except ValueError:
        return value
    return f"{parsed:%b} {parsed.day}, {parsed.year}"


@cache
def labels() -> Mapping[str, Mapping[str, str]]:
    text = Path(__file__).with_name("labels.yaml").read_text(encoding="utf-8")
    loaded: Mapping[str, Mapping[str, str]] = yaml.safe_load(text)
    return loaded
