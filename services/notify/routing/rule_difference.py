"""Two versions of the rules side by side, in words. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

from services.notify.routing.rule import Rule, Rulebook, Substitute

_Line = Rule | Substitute


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A rule that comes, goes or changes. `id` is empty where it is the order of all of them."""

    id: str
    says: str


def rule_changes(before: Rulebook, after: Rulebook) -> Iterator[RuleChange]:
    """In the order of the new text; then what is taken out."""
    old, new = _by_id(before), _by_id(after)
    for id_, each in new.items():
        if id_ not in old:
            yield RuleChange(id_, f"+ {id_} is new")
        elif changed := [_field(name, old[id_], each) for name in _differing(old[id_], each)]:
            yield RuleChange(id_, f"~ {id_}: {'; '.join(changed)}")
    for id_ in old:
        if id_ not in new:
            yield RuleChange(id_, f"- {id_} is taken out")
    if [id_ for id_ in old if id_ in new] != [id_ for id_ in new if id_ in old]:
        yield RuleChange("", "~ the order of the rules is another")


def _by_id(book: Rulebook) -> Mapping[str, _Line]:
    lines: list[_Line] = [*book.rules, *book.substitutes]
    return {each.id: each for each in lines}


def _differing(before: _Line, after: _Line) -> list[str]:
    if type(before) is not type(after):
        return ["id"]
    names = [field.name for field in fields(after)]
    return [name for name in names if getattr(before, name) != getattr(after, name)]


def _field(name: str, before: _Line, after: _Line) -> str:
    return f"{name} {_word(getattr(before, name))} becomes {_word(getattr(after, name))}"


def _word(value: object) -> str:
    if isinstance(value, frozenset):
        return ", ".join(sorted(map(str, value)))
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "nothing"
    if isinstance(value, StrEnum):
        return value.value
    return "nothing" if value in (None, "") else f"“{value}”"
