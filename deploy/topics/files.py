"""The files of topics and of permissions, read strictly: what is broken is refused before anything
is asked of a broker, with file, line and the mend."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import yaml

from deploy.topics.plan import Acl, Cluster, Topic
from shared.contracts.base import Topic as Declared
from shared.runtime.errors import Misconfigured

_NAMES = tuple(topic.value for topic in Declared)
_MILLISECONDS_OF_A_DAY = 86_400_000
_NUMBERS = {
    "retention.ms": _MILLISECONDS_OF_A_DAY,
    "min.insync.replicas": 1,
    "max.message.bytes": 1,
}
"""Configuration that a file may say, with the least that is allowed."""


class BrokenFile(Misconfigured):
    """A file that is not applied. The text says where and what to write instead."""


def wanted(topics: Path, acls: Path | None) -> Cluster:
    """Raises BrokenFile."""
    return Cluster(read_topics(topics), None if acls is None else read_acls(acls))


def read_topics(path: Path) -> dict[str, Topic]:
    """By name. Raises BrokenFile."""
    file = _File(path)
    parts = file.mapping(file.root, ("partitions", "replication_factor", "config", "topics"))
    partitions = file.whole(parts["partitions"], "partitions", 1)
    replicas = file.whole(parts["replication_factor"], "replication_factor", 1)
    config = _config(file, parts["config"], replicas)
    names = file.names(parts["topics"], "topics")
    if missing := [name for name in _NAMES if name not in names]:
        file.refuse(parts["topics"], f"the topic {missing[0]} is missing", f"add - {missing[0]}")
    return {name: Topic(partitions, replicas, config) for name in names}


def read_acls(path: Path) -> frozenset[Acl]:
    """Raises BrokenFile."""
    file = _File(path)
    principals = file.pairs(file.mapping(file.root, ("principals",))["principals"], "principals")
    if not principals:
        file.refuse(file.root, "principals is empty", "name who may do what")
    return frozenset(acl for key, node in principals for acl in _of_principal(file, key, node))


def _of_principal(file: "_File", key: yaml.ScalarNode, node: yaml.Node) -> Iterator[Acl]:
    who = str(key.value)
    if not who.startswith("User:") or who in ("User:", "User:*", "User:ANONYMOUS"):
        file.refuse(key, f"{who} is nobody's name", "write User: and the name of one service")
    parts = file.mapping(node, (), ("writes", "reads", "sees", "group"))
    for verb, operation in (("writes", "write"), ("reads", "read"), ("sees", "describe")):
        if verb in parts:
            for topic in file.names(parts[verb], verb):
                yield Acl(who, "topic", topic, operation)
    if ("reads" in parts) != ("group" in parts):
        file.refuse(node, f"{who} has reads or group and not both", "say both, or neither")
    if "group" in parts:
        yield Acl(who, "group", file.word(parts["group"], "group"), "read")


def _config(file: "_File", node: yaml.Node, replicas: int) -> Mapping[str, str]:
    parts = file.mapping(
        node, ("cleanup.policy", "retention.ms", "min.insync.replicas"), ("max.message.bytes",)
    )
    if file.word(parts["cleanup.policy"], "cleanup.policy") != "delete":
        mend = "write cleanup.policy: delete"
        file.refuse(parts["cleanup.policy"], "compaction would drop events of a subject", mend)
    numbers = {
        key: file.whole(parts[key], key, least) for key, least in _NUMBERS.items() if key in parts
    }
    insync = numbers["min.insync.replicas"]
    least, most = (2, replicas - 1) if replicas > 2 else (1, replicas)
    if not least <= insync <= most:
        why = f"min.insync.replicas {insync} with {replicas} replicas "
        why += (
            "lets one disk lose an event" if insync < least else "lets one broker stop everything"
        )
        file.refuse(parts["min.insync.replicas"], why, f"write {least}")
    return {"cleanup.policy": "delete"} | {key: str(value) for key, value in numbers.items()}


class _File:
    """A YAML file that still knows its lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except OSError as error:
            raise BrokenFile(
                f"{path}: it cannot be read ({error.strerror}): name another."
            ) from None
        except UnicodeDecodeError:
            raise BrokenFile(f"{path}: it is no UTF-8: save it as UTF-8.") from None
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise BrokenFile(
                f"{path}:{line}: it is no YAML ({error.problem}): mend the line."
            ) from None
        if root is None:
            raise BrokenFile(f"{path}:1: it is empty: restore it from the repository.")
        self.root = root

    def refuse(self, node: yaml.Node, what: str, mend: str) -> NoReturn:
        raise BrokenFile(f"{self._path}:{node.start_mark.line + 1}: {what}: {mend}.")

    def pairs(self, node: yaml.Node, what: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
        """Of a mapping whose keys are words, each once."""
        if not isinstance(node, yaml.MappingNode):
            self.refuse(node, f"{what} is no mapping", "write key: value lines")
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in seen:
                self.refuse(key, f"{getattr(key, 'value', 'a key')!s} is said twice", "say it once")
            seen.add(key.value)
        pairs: list[tuple[yaml.ScalarNode, yaml.Node]] = node.value
        return pairs

    def mapping(
        self, node: yaml.Node, needed: tuple[str, ...], allowed: tuple[str, ...] = ()
    ) -> dict[str, yaml.Node]:
        known = (*needed, *allowed)
        found = {}
        for key, value in self.pairs(node, "this"):
            if key.value not in known:
                self.refuse(key, f"{key.value} is not known", f"choose from {', '.join(known)}")
            found[key.value] = value
        for name in needed:
            if name not in found:
                self.refuse(node, f"{name} is missing", f"add {name}:")
        return found

    def word(self, node: yaml.Node, what: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
            self.refuse(node, f"{what} is no word", "write one word")
        return str(node.value)

    def whole(self, node: yaml.Node, what: str, least: int) -> int:
        number = node.value if isinstance(node, yaml.ScalarNode) else ""
        if not number.isascii() or not number.isdigit() or int(number) < least:
            self.refuse(
                node, f"{what} is no whole number of at least {least}", f"write {least} or more"
            )
        return int(number)

    def names(self, node: yaml.Node, what: str) -> list[str]:
        """Of topics that exist in the contracts, each once."""
        if not isinstance(node, yaml.SequenceNode):
            self.refuse(node, f"{what} is no list", "write - and a topic on each line")
        names: list[str] = []
        for each in node.value:
            name = self.word(each, "a topic")
            if name not in _NAMES:
                self.refuse(each, f"there is no topic {name}", f"choose from {', '.join(_NAMES)}")
            if name in names:
                self.refuse(each, f"{name} is said twice", "say it once")
            names.append(name)
        return names
