"""The Decision Map's scales: versioned data, so that an old consult keeps its words."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.runtime.errors import Misconfigured

SCALES = Path(__file__).with_name("decision_map.yaml")


class Level(BaseModel):
    """One level. `identifies`: it confirms a victim."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(pattern=r"^[a-z_]{1,40}$")
    words: str
    identifies: bool = False


class Scale(BaseModel):
    """The levels of one version, and whose they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    origin: str
    levels: tuple[Level, ...] = Field(min_length=2)


@dataclass(frozen=True, slots=True)
class Scales:
    """Every scale by version. New consults are completed on the current one."""

    current: str
    versions: Mapping[str, Scale]

    def level(self, code: str) -> Level | None:
        """The level of the current scale."""
        found = (each for each in self.versions[self.current].levels if each.code == code)
        return next(found, None)

    def describe(self) -> dict[str, Any]:
        """The current scale as it is served."""
        return {"version": self.current, **self.versions[self.current].model_dump(mode="json")}


def load_scales(path: Path = SCALES) -> Scales:
    """Raises Misconfigured for a file that is no set of scales."""
    try:
        data = yaml.safe_load(path.read_text())
        versions = {
            str(version): Scale.model_validate(scale) for version, scale in data["scales"].items()
        }
        current = str(data["current"])
    except (ValidationError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        raise Misconfigured(
            f"{path} must hold `current` and `scales`, as its first lines say."
        ) from None
    if current not in versions:
        raise Misconfigured(f"{path}: the current scale is not among its scales.")
    for version, scale in versions.items():
        codes = [level.code for level in scale.levels]
        if len(set(codes)) < len(codes) or not any(level.identifies for level in scale.levels):
            raise Misconfigured(
                f"{path}: scale {version} must name each level once and mark what identifies."
            )
    return Scales(current, versions)
