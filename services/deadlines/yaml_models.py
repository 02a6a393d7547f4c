"""YAML files that hold a model each: read, and refused with file, line and what is right."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from shared.runtime.characters import storable

_MOST = 50
"""Flaws that are named of one file."""

Place = tuple[str | int, ...]
"""Where in a document: keys and list positions from its root."""

M = TypeVar("M", bound=BaseModel)

Change = Callable[[dict[Any, Any]], str | None]
"""Changes a document before it is validated. What is wrong with it, if it cannot."""


def misfit(at: str, mend: str) -> PydanticCustomError:
    """For validators of several fields: which one to mend, like `warned.before_minutes`."""
    return PydanticCustomError("misfit", "{mend}", {"mend": mend, "at": at})


def line_of(text: str, key: str) -> int:
    """Where a key of the first level stands; else the first line."""
    starts = (n for n, line in enumerate(text.splitlines(), 1) if line.startswith(f"{key}:"))
    return next(starts, 1)


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong in a file, and the mend."""

    file: Path
    line: int
    mend: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.mend}"


def read_model(
    file: Path,
    model: type[M],
    content: str | None = None,
    change: Change | None = None,
    check: Callable[[M], Iterable[tuple[str, str]]] = lambda _: (),
) -> M | list[Flaw]:
    """One file, or all that is wrong with it. `content` stands in for what the file holds.

    `check` names what a model may hold and a file may not: a field as in `misfit`, and the mend.
    """
    try:
        root = _parse(file.read_text(encoding="utf-8") if content is None else content)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return [Flaw(file, line, f"this is not YAML ({error.problem}): mend the line.")]
    except RecursionError:
        return [Flaw(file, 1, "lists lie in one another too deep: a policy file is shallow.")]
    except (yaml.YAMLError, UnicodeDecodeError):
        return [Flaw(file, 1, "this is not text in UTF-8: save it as such.")]
    (first, *_) = model.model_fields
    if root is None:
        return [Flaw(file, 1, f"a {first} is a mapping that begins with `{first}: name`.")]
    lines = dict(_lines(root.node, ()))
    flaws = [
        Flaw(file, line, f"`{key}` is given twice: keep one.") for key, line in _twice(root.node)
    ]
    if change is not None and (mend := change(root.data)):
        place = ("length", "calendar") if ("length", "calendar") in lines else ()
        return [*flaws, Flaw(file, lines[place], mend)]
    try:
        found = model.model_validate(root.data)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        return flaws + [_flaw(file, detail, lines, model) for detail in details[:_MOST]]
    flaws += [Flaw(file, _line(_place(at), lines), f"{mend}.") for at, mend in check(found)]
    return flaws or found


class _Loader(yaml.SafeLoader):
    """Leaves days as they are written; the model reads them, and says what is wrong with them.

    Every node is as long as it is written: a name for a part (an anchor) would let a line stand
    for millions. Tags would call for readings that fail in ways of their own.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _not_read("`&` and `*` are not read here, write it out", event.start_mark)
        if event.tag is not None:
            raise _not_read("`!` is not read here, write the value alone", event.start_mark)
        if isinstance(event, yaml.ScalarEvent) and not storable(event.value):
            raise _not_read("there is a character that cannot be stored", event.start_mark)
        return super().compose_node(parent, index)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, OverflowError):
            raise _not_read("there is no such number", node.start_mark) from None


def _not_read(problem: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


@dataclass(frozen=True, slots=True)
class _Root:
    """A document that is a mapping, as written and as read."""

    node: yaml.MappingNode
    data: dict[Any, Any]


def _parse(content: str) -> _Root | None:
    loader = _Loader(content)
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            return None
        return _Root(node, loader.construct_document(node))
    finally:
        loader.dispose()


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


def _flaw(
    file: Path, detail: ErrorDetails, lines: Mapping[Place, int], root: type[BaseModel]
) -> Flaw:
    place = tuple(detail["loc"])
    if detail["type"] == "misfit":
        place += _place(detail["ctx"]["at"])
    return Flaw(file, _line(place, lines), _mend(detail, place, root))


def _place(at: str) -> Place:
    return tuple(at.split("."))


def _line(place: Place, lines: Mapping[Place, int]) -> int:
    """Of a place, or of the innermost part around it that is written."""
    return next(lines[place[:n]] for n in range(len(place), -1, -1) if place[:n] in lines)


def _mend(detail: ErrorDetails, place: Place, root: type[BaseModel]) -> str:
    if detail["type"] == "misfit":
        return f"{detail['msg']}."
    name = ".".join(str(part) for part in place if isinstance(part, str))
    if detail["type"] == "extra_forbidden":
        return _unknown(name, place, root)
    if not name:
        return "every key is a word, and the first one is the name."
    right = _description(place, root)
    if detail["type"] == "missing":
        return f"`{name}` is missing: write {right}."
    return f"`{name}` is not right: write {right}."


def _unknown(name: str, place: Place, root: type[BaseModel]) -> str:
    fields = sorted(_model(place[:-1], root).model_fields)
    close = get_close_matches(str(place[-1]), fields, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"known here are {', '.join(fields)}."
    return f"`{name}` is not known: {hint}"


def _description(place: Place, root: type[BaseModel]) -> str:
    """What the innermost named field asks for."""
    names = [part for part in place if isinstance(part, str)]
    while names:
        field = _model(tuple(names[:-1]), root).model_fields.get(names[-1])
        if field is not None and field.description:
            return field.description
        names.pop()
    return "what docs/architecture.md shows"


def _model(place: Place, root: type[BaseModel]) -> type[BaseModel]:
    """The model of the part at `place`, as far as there is one."""
    model = root
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
