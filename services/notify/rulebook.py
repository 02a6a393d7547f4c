"""Reads the routing rules from YAML, and refuses a file that leaves a duty out."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.notify.agencies import Kind
from services.notify.fanout import Rule, Rulebook, Selector
from shared.contracts.codes import HtType, Role, Trigger
from shared.runtime.errors import Misconfigured

DCF_737 = Path(__file__).parent / "rules" / "dcf_737.yaml"

_COMMON = frozenset({Role.LOCAL_LAW_ENFORCEMENT, Role.FBI, Role.CHIEF_STATES_ATTORNEY, Role.MDT})
MANDATED = {
    Trigger.CARELINE: _COMMON | {Role.HART_LEAD_STATEWIDE},
    Trigger.ONGOING_WORKER: _COMMON | {Role.HART_DIRECTOR},
}
"""The roles that DCF policy 21-14 names, per trigger. Every HT type must reach all of them."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Rule(_Strict):
    id: str = Field(min_length=1)
    trigger: Trigger
    role: Role
    select: Selector
    kind: Kind | None = None
    profile: str = Field(min_length=1)
    citation: str = Field(min_length=1)
    purpose: str = Field(min_length=1)
    because: str = Field(min_length=1)
    ht_types: frozenset[HtType] = Field(frozenset(HtType), min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> "_Rule":
        if (self.kind is None) == (self.select is Selector.STATEWIDE):
            raise ValueError("`kind` belongs to `select: statewide`, and only there")
        try:
            self.because.format(agency="", anchor="", citation="")
        except (LookupError, ValueError):
            raise ValueError("`because` may use {agency}, {anchor} and {citation}") from None
        return self


class _File(_Strict):
    version: str = Field(min_length=1)
    rules: tuple[_Rule, ...]

    @model_validator(mode="after")
    def _covers_every_duty(self) -> "_File":
        if len({rule.id for rule in self.rules}) != len(self.rules):
            raise ValueError("two rules have the same id")
        for trigger, roles in MANDATED.items():
            for role in sorted(roles):
                self._check_role(trigger, role)
        return self

    def _check_role(self, trigger: Trigger, role: Role) -> None:
        mine = [rule for rule in self.rules if (rule.trigger, rule.role) == (trigger, role)]
        for ht_type in HtType:
            found = sum(ht_type in rule.ht_types for rule in mine)
            if found != 1:
                raise ValueError(
                    f"{trigger.value}, {role.value}, {ht_type.value}: {found} rules apply; "
                    "exactly one must"
                )


def load_rulebook(path: Path = DCF_737) -> Rulebook:
    """Raises Misconfigured with a sentence that names the file and what is wrong in it."""
    try:
        parsed = _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise Misconfigured(f"{path} cannot be read: {type(error).__name__}.") from None
    except ValidationError as error:
        raise Misconfigured(f"{path}: {_first(error)}.") from None
    return Rulebook(parsed.version, tuple(Rule(**_fields(rule)) for rule in parsed.rules))


def profiles(rulebook: Rulebook, trigger: Trigger) -> list[str]:
    """Every profile that a route of this trigger may need: what to ask of intake."""
    return sorted({rule.profile for rule in rulebook.rules if rule.trigger is trigger})


def _fields(rule: _Rule) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in type(rule).model_fields}


def _first(error: ValidationError) -> str:
    detail = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(str(part) for part in detail['loc']) or 'file'}: {detail['msg']}"
