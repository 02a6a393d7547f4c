"""Reads the routing rules from YAML, and refuses a file that leaves a duty out."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from string import Formatter
from typing import Annotated, Any

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from yaml.constructor import SafeConstructor

from services.notify.directory.agencies import Kind
from services.notify.routing.duties import DUTIES
from services.notify.routing.facts import ChildFacts
from services.notify.routing.rule import (
    Condition,
    Effect,
    Form,
    Rule,
    Rulebook,
    Selector,
    Substitute,
)
from services.notify.routing.rule_checks import Flaw, flaws
from services.notify.routing.rule_lines import NotYaml, compose, malformed, sentences
from shared.contracts.codes import HtType, Role, Stage, Trigger
from shared.runtime.errors import Misconfigured

DCF_737 = Path(__file__).parent.parent / "rules" / "dcf_737.yaml"

MANDATED = {
    trigger: frozenset(
        duty.role
        for duty in DUTIES
        if trigger in duty.triggers
        and (duty.stage, duty.effect, duty.when) == (Stage.RECEIVED, Effect.NOTICE, ())
    )
    for trigger in Trigger
}
"""The roles that DCF policy 21-14 names, per trigger. Every HT type must reach all of them."""


_BY_KIND = (Selector.STATEWIDE, Selector.OFFICE_OF_TOWNS)
Case = Annotated[str, StringConstraints(pattern=r"^C([1-9]|[12][0-9]|3[0-6])$")]


Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.]{0,99}$")]
Version = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""Plain, so that two that look alike are one, and a path or a line can hold it."""
_BLANKS = frozenset({"agency", "anchor", "citation"})


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line of characters that can be seen")
    return text


Line = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_printable)]


def _because(text: str) -> str:
    """Bare blanks alone: `{agency.name}` or `{agency:>99999}` would be worked out in each route."""
    try:
        parts = list(Formatter().parse(text))
    except ValueError:
        parts = [("", "?", "", None)]
    bare = all(
        name is None or (name in _BLANKS and not (spec or how)) for _, name, spec, how in parts
    )
    if not bare:
        raise ValueError("`because` may use {agency}, {anchor} and {citation}, bare")
    return text


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Rule(_Strict):
    id: Id
    trigger: Trigger | None = None
    role: Role
    select: Selector = Selector.STATEWIDE
    kind: Kind | None = None
    profile: str = ""
    citation: Line
    purpose: Line
    because: Annotated[Line, AfterValidator(_because)]
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
        return self


class _Substitute(_Strict):
    id: Id
    instead_of: frozenset[Kind] = Field(min_length=1)
    by: tuple[Kind, ...] = Field(min_length=1)
    citation: Line
    because: Line
    cases: tuple[Case, ...] = ()


class _File(_Strict):
    version: Version
    rules: tuple[_Rule, ...]
    substitutes: tuple[_Substitute, ...] = ()


def load_rulebook(path: Path = DCF_737) -> Rulebook:
    """Raises Misconfigured: per mistake the file, the line and what would be right there."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path} cannot be read: {type(error).__name__}.") from None
    return read_rulebook(text, str(path))


def read_rulebook(text: str, name: str) -> Rulebook:
    """The same of a file's text; `name` is what errors call it."""
    try:
        root = compose(text)
        said = None if root is None else SafeConstructor().construct_document(root)
        parsed = _File.model_validate(said)
    except NotYaml as error:
        raise Misconfigured(f"{name}, {error}.") from None
    except ValidationError as error:
        raise wrong(name, root, malformed(error)) from None
    except (yaml.YAMLError, ValueError):
        raise Misconfigured(f"{name}: a value cannot be read, as a day that is none.") from None
    book = Rulebook(
        parsed.version,
        tuple(Rule(**_fields(rule)) for rule in parsed.rules),
        tuple(Substitute(**_fields(each)) for each in parsed.substitutes),
        _digest(said),
    )
    if found := list(flaws(book)):
        raise wrong(name, root, found)
    return book


def digest_of(text: str) -> str:
    """Of what a file says, whatever its comments and spacing. The file must be YAML."""
    return _digest(yaml.safe_load(text))


def citations_of(text: str) -> dict[str, str]:
    """Rule → law, of a file that was in force once, whatever of it this software still reads."""
    return {each["id"]: each["citation"] for each in yaml.safe_load(text)["rules"]}


def _digest(said: object) -> str:
    canonical = json.dumps(said, sort_keys=True, default=_plain)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _plain(value: object) -> object:
    return sorted(map(str, value)) if isinstance(value, set) else str(value)


def wrong(name: str, root: yaml.Node | None, found: Iterable[Flaw]) -> Misconfigured:
    """What to raise of a file: a line for each flaw."""
    return Misconfigured("\n".join(f"{name}, {each}." for each in sentences(root, found)))


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


def _fields(each: _Rule | _Substitute) -> dict[str, Any]:
    return {name: getattr(each, name) for name in type(each).model_fields}
