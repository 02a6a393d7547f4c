"""Policy files: read, and refused with file, line and what would be right."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import combinations
from pathlib import Path
from types import UnionType
from typing import Any, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from services.deadlines.policy import CONNECTICUT, Policy
from shared.runtime.errors import Misconfigured

SHIPPED = Path(__file__).parent / "policies"

Place = tuple[str | int, ...]
"""Where in a document: keys and list positions from its root."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong in a file, and the mend."""

    file: Path
    line: int
    mend: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.mend}"


@dataclass(frozen=True, slots=True)
class _Read:
    """A file that holds a policy."""

    file: Path
    policy: Policy


def load(folder: Path = SHIPPED) -> tuple[Policy, ...]:
    """Every policy of a folder, one per *.yaml file. Raises Misconfigured, a line per flaw."""
    _need_time_zones()
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise Misconfigured(f"{folder} holds no policy (*.yaml): no clock would ever run.")
    results = [read(file) for file in files]
    flaws = [flaw for result in results if isinstance(result, list) for flaw in result]
    found = [result for result in results if isinstance(result, _Read)]
    flaws += [*_clashes(found)]
    if flaws:
        raise Misconfigured("\n".join(str(flaw) for flaw in flaws))
    return tuple(each.policy for each in found)


def read(file: Path) -> _Read | list[Flaw]:
    """One file, or all that is wrong with it."""
    try:
        root = _parse(file)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return [Flaw(file, line, f"this is not YAML ({error.problem}): mend the line.")]
    except (yaml.YAMLError, UnicodeDecodeError):
        return [Flaw(file, 1, "this is not text in UTF-8: save it as such.")]
    if root is None:
        return [Flaw(file, 1, "a policy is a mapping that begins with `policy: name`.")]
    lines = dict(_lines(root.node, ()))
    flaws = [
        Flaw(file, line, f"`{key}` is given twice: keep one.") for key, line in _twice(root.node)
    ]
    try:
        policy = Policy.model_validate(root.data)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        return flaws + [_flaw(file, detail, lines) for detail in details]
    return flaws or _Read(file, policy)


class _Loader(yaml.SafeLoader):
    """Leaves days as they are written; the model reads them, and says what is wrong with them."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


@dataclass(frozen=True, slots=True)
class _Root:
    """A document that is a mapping, as written and as read."""

    node: yaml.MappingNode
    data: dict[Any, Any]


def _parse(file: Path) -> _Root | None:
    loader = _Loader(file.read_text(encoding="utf-8"))
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            return None
        return _Root(node, loader.construct_document(node))
    finally:
        loader.dispose()


def _need_time_zones() -> None:
    try:
        ZoneInfo(CONNECTICUT)
    except ZoneInfoNotFoundError:
        raise Misconfigured(
            f"This machine knows no time zone {CONNECTICUT}: install its time zone data (tzdata)."
        ) from None


def _lines(node: yaml.Node, place: Place) -> Iterator[tuple[Place, int]]:
    """The line, from 1, of everything in a document; of what has a key, the key's."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*place, key.value)
            yield inner, key.start_mark.line + 1
            yield from _lines(value, inner)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*place, index), item.start_mark.line + 1
            yield from _lines(item, (*place, index))
    if not place:
        yield place, node.start_mark.line + 1


def _twice(node: yaml.Node) -> Iterator[tuple[str, int]]:
    """Keys given twice, of which YAML would silently keep the last."""
    if not isinstance(node, yaml.MappingNode):
        return
    seen = set()
    for key, value in node.value:
        if key.value in seen:
            yield key.value, key.start_mark.line + 1
        seen.add(key.value)
        yield from _twice(value)


def _flaw(file: Path, detail: ErrorDetails, lines: Mapping[Place, int]) -> Flaw:
    place = tuple(detail["loc"])
    line = next(lines[place[:n]] for n in range(len(place), -1, -1) if place[:n] in lines)
    return Flaw(file, line, _mend(detail, place))


def _mend(detail: ErrorDetails, place: Place) -> str:
    if detail["type"] == "value_error":
        return f"{detail['msg'].removeprefix('Value error, ')}."
    name = ".".join(str(part) for part in place if isinstance(part, str))
    if detail["type"] == "extra_forbidden":
        return _unknown(name, place)
    if not name:
        return "every key is a word, and `policy` is the first."
    right = _description(place)
    if detail["type"] == "missing":
        return f"`{name}` is missing: write {right}."
    return f"`{name}` is not right: write {right}."


def _unknown(name: str, place: Place) -> str:
    fields = sorted(_model(place[:-1]).model_fields)
    close = get_close_matches(str(place[-1]), fields, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"known here are {', '.join(fields)}."
    return f"`{name}` is not known: {hint}"


def _description(place: Place) -> str:
    """What the innermost named field asks for."""
    names = [part for part in place if isinstance(part, str)]
    while names:
        field = _model(tuple(names[:-1])).model_fields.get(names[-1])
        if field is not None and field.description:
            return field.description
        names.pop()
    return "what docs/architecture.md shows"


def _model(place: Place) -> type[BaseModel]:
    """The model of the part at `place`, as far as there is one."""
    model: type[BaseModel] = Policy
    for name in place:
        field = model.model_fields.get(str(name))
        inner = _inner(field.annotation) if field else None
        if inner is None:
            return model
        model = inner
    return model


def _inner(annotation: Any) -> type[BaseModel] | None:
    choices = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    models = (one for one in choices if isinstance(one, type) and issubclass(one, BaseModel))
    return next(models, None)


def _clashes(found: list[_Read]) -> Iterator[Flaw]:
    for one, other in combinations(found, 2):
        if one.policy.key == other.policy.key:
            mend = f"{one.file.name} has this policy and version too: count the version up."
            yield Flaw(other.file, 1, mend)
        elif one.policy.collides_with(other.policy):
            yield Flaw(
                other.file,
                1,
                f"on some days it and {one.file.name} would both govern {one.policy.duty}: "
                "let `effective_from`, `effective_to` or `applies` keep them apart.",
            )
