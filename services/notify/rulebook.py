"""Reads the routing rules from YAML, and refuses a file that leaves a duty out."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from services.notify.agencies import Kind
from services.notify.facts import ChildFacts
from services.notify.rule import Condition, Effect, Form, Rule, Rulebook, Selector, Substitute
from shared.contracts.codes import HtType, Role, Stage, Trigger
from shared.runtime.errors import Misconfigured

DCF_737 = Path(__file__).parent / "rules" / "dcf_737.yaml"

_COMMON = frozenset({Role.LOCAL_LAW_ENFORCEMENT, Role.FBI, Role.CHIEF_STATES_ATTORNEY, Role.MDT})
MANDATED = {
    Trigger.CARELINE: _COMMON | {Role.HART_LEAD_STATEWIDE},
    Trigger.ONGOING_WORKER: _COMMON | {Role.HART_DIRECTOR},
}
"""The roles that DCF policy 21-14 names, per trigger. Every HT type must reach all of them."""


_BY_KIND = (Selector.STATEWIDE, Selector.OFFICE_OF_TOWNS)
Case = Annotated[str, StringConstraints(pattern=r"^C([1-9]|[12][0-9]|3[0-6])$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Rule(_Strict):
    id: str = Field(min_length=1)
    trigger: Trigger | None = None
    role: Role
    select: Selector = Selector.STATEWIDE
    kind: Kind | None = None
    profile: str = ""
    citation: str = Field(min_length=1)
    purpose: str = Field(min_length=1)
    because: str = Field(min_length=1)
    ht_types: frozenset[HtType] = Field(frozenset(HtType), min_length=1)
    stage: Stage = Stage.RECEIVED
    when: tuple[Condition, ...] = ()
    effect: Effect = Effect.NOTICE
    form: Form = Form.DCF_737
    cases: tuple[Case, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> "_Rule":
        if (self.kind is None) == (self.select in _BY_KIND and self.effect is Effect.NOTICE):
            raise ValueError(
                "`kind` belongs to `select: statewide` or `office_of_towns`, and only there"
            )
        if (self.profile == "") == (self.effect is Effect.NOTICE):
            raise ValueError("a notice needs a `profile`, and nothing else has one")
        try:
            self.because.format(agency="", anchor="", citation="")
        except (LookupError, ValueError):
            raise ValueError("`because` may use {agency}, {anchor} and {citation}") from None
        return self


class _Substitute(_Strict):
    id: str = Field(min_length=1)
    instead_of: frozenset[Kind] = Field(min_length=1)
    by: tuple[Kind, ...] = Field(min_length=1)
    citation: str = Field(min_length=1)
    because: str = Field(min_length=1)
    cases: tuple[Case, ...] = ()


class _File(_Strict):
    version: str = Field(min_length=1)
    rules: tuple[_Rule, ...]
    substitutes: tuple[_Substitute, ...] = ()

    @model_validator(mode="after")
    def _covers_every_duty(self) -> "_File":
        ids = [rule.id for rule in self.rules] + [each.id for each in self.substitutes]
        if len(set(ids)) != len(ids):
            raise ValueError("two rules have the same id")
        kinds = [kind for each in self.substitutes for kind in each.instead_of]
        if len(set(kinds)) != len(kinds):
            raise ValueError("two substitutes stand in for the same kind")
        for trigger, roles in MANDATED.items():
            for role in sorted(roles):
                self._check_role(trigger, role)
        return self

    def _check_role(self, trigger: Trigger, role: Role) -> None:
        mine = [rule for rule in self.rules if rule.trigger is trigger and _always(rule, role)]
        for ht_type in HtType:
            found = sum(ht_type in rule.ht_types for rule in mine)
            if found != 1:
                raise ValueError(
                    f"{trigger.value}, {role.value}, {ht_type.value}: {found} rules apply; "
                    "exactly one must"
                )


def load_rulebook(path: Path = DCF_737) -> Rulebook:
    """Raises Misconfigured with a sentence that names file and line, and what is wrong there."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {type(error).__name__}.") from None
    return read_rulebook(text, str(path))


def read_rulebook(text: str, name: str) -> Rulebook:
    """The same of a file's text; `name` is what errors call it."""
    try:
        parsed = _File.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = "" if mark is None else f" (line {mark.line + 1})"
        raise Misconfigured(f"{name} cannot be read: {type(error).__name__}{line}.") from None
    except ValidationError as error:
        raise Misconfigured(f"{name}{_line(text, error)}: {_first(error)}.") from None
    return Rulebook(
        parsed.version,
        tuple(Rule(**_fields(rule)) for rule in parsed.rules),
        tuple(Substitute(**_fields(each)) for each in parsed.substitutes),
    )


def profiles(rulebook: Rulebook, trigger: Trigger) -> list[str]:
    """Every profile that each route of this trigger needs: what to ask of intake at first."""
    return sorted(
        {
            rule.profile
            for rule in rulebook.of(trigger, Stage.RECEIVED)
            if rule.effect is Effect.NOTICE and not rule.when
        }
    )


def further_profiles(
    rulebook: Rulebook, trigger: Trigger, stage: Stage, children: Iterable[ChildFacts]
) -> list[str]:
    """What these children's facts call for beyond that. Nothing is fetched that nobody is sent."""
    facts = list(children)
    wanted = {
        rule.profile
        for rule in rulebook.of(trigger, stage)
        if rule.effect is Effect.NOTICE and any(rule.fits(child) for child in facts)
    }
    return sorted(wanted.difference(profiles(rulebook, trigger)))


def _always(rule: _Rule, role: Role) -> bool:
    """Whether it tells the role of every child at once."""
    return (
        rule.role is role
        and rule.stage is Stage.RECEIVED
        and rule.effect is Effect.NOTICE
        and not rule.when
    )


def _fields(each: _Rule | _Substitute) -> dict[str, Any]:
    return {name: getattr(each, name) for name in type(each).model_fields}


def _first(error: ValidationError) -> str:
    detail = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(str(part) for part in detail['loc']) or 'file'}: {detail['msg']}"


def _line(text: str, error: ValidationError) -> str:
    """Where in the file the first flaw is, as far as it has a place."""
    node = yaml.compose(text)
    for step in error.errors(include_input=False, include_url=False)[0]["loc"]:
        if isinstance(node, yaml.MappingNode):
            inner = next((value for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            inner = node.value[step]
        else:
            inner = None
        if inner is None:
            break
        node = inner
    return "" if node is None else f", line {node.start_mark.line + 1}"
