"""What is wrong in a rules file, with the line of it and what would be right."""

from collections.abc import Iterable, Iterator, Sequence

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from services.notify.routing.rule_checks import Flaw

_MOST = 20


class NotYaml(Exception):
    """The sentence says where."""


def compose(text: str) -> yaml.Node | None:
    """The text as nodes that know their lines. Raises NotYaml, for a name given twice too."""
    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise NotYaml(f"{where}this is not YAML: {error.problem or 'it ends too soon'}") from None
    except yaml.YAMLError:
        raise NotYaml("line 1: this is not YAML: it has a character that cannot be printed") from (
            None
        )
    except RecursionError:
        raise NotYaml("line 1: lists lie in one another too deep") from None
    for node in _twice(root):
        raise NotYaml(f"line {_line(node)}: {node.value} is given twice; give it once")
    return root


def malformed(error: ValidationError) -> list[Flaw]:
    """What does not read as a rules file at all."""
    details = error.errors(include_input=False, include_url=False)
    return [Flaw(each["loc"], _right(each)) for each in details]


def sentences(root: yaml.Node | None, found: Iterable[Flaw]) -> list[str]:
    """One per mistake, in the order of the file: line, place in it, and what would be right."""
    lines = {(_line(_at(root, each.path)), each.path, each.sentence) for each in found}
    ordered = sorted(lines, key=lambda each: (each[0], [*map(str, each[1])], each[2]))
    return [f"line {line}: {_dotted(path)}: {said}" for line, path, said in ordered[:_MOST]]


def _dotted(path: Sequence[int | str]) -> str:
    return ".".join(map(str, path)) or "file"


def _right(detail: ErrorDetails) -> str:
    if detail["type"] == "extra_forbidden":
        return "there is no such field; mend its name or take it out"
    if detail["type"] == "missing":
        return "this field is needed"
    return detail["msg"].removeprefix("Value error, ")


def _at(root: yaml.Node | None, path: Sequence[int | str]) -> yaml.Node | None:
    """The node that a path ends at, or the last of the way that there is."""
    node = root
    for step in path:
        below = _below(node, step)
        if below is None:
            return node
        node = below
    return node


def _below(node: yaml.Node | None, step: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        found: yaml.Node = node.value[step]
        return found
    return None


def _twice(node: yaml.Node | None) -> Iterator[yaml.Node]:
    """Names that a mapping gives twice: YAML would quietly keep the last."""
    seen: set[int] = set()
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, yaml.MappingNode):
            names = [key.value for key, _ in each.value if isinstance(key, yaml.ScalarNode)]
            yield from (
                key
                for place, (key, _) in enumerate(each.value)
                if key.value in names[:place] and isinstance(key, yaml.ScalarNode)
            )
            waiting += [value for _, value in each.value]
        elif isinstance(each, yaml.SequenceNode):
            waiting += each.value


def _line(node: yaml.Node | None) -> int:
    return 1 if node is None else int(node.start_mark.line) + 1
