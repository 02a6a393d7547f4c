"""What has to change on the brokers, and what only a person may change. Pure.

Nothing is ever deleted but a permission, and no number of partitions is ever changed: a subject's
events share a partition, so that would reorder them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True, order=True)
class Acl:
    """One permission, in Kafka's own words."""

    principal: str
    resource: str
    """`topic` or `group`, or another of Kafka's types."""
    name: str
    operation: str
    host: str = "*"
    pattern: str = "literal"
    permission: str = "allow"

    def __str__(self) -> str:
        where = "" if self.host == "*" else f" from {self.host}"
        shape = "" if self.pattern == "literal" else f" ({self.pattern})"
        verb = {"allow": "may", "deny": "may not"}[self.permission]
        return f"{self.principal} {verb} {self.operation} {self.resource} {self.name}{shape}{where}"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is, or as it should be; `config` is what the topic itself says."""

    partitions: int
    replicas: int
    config: Mapping[str, str]
    behind: bool = False
    """Whether a replica of it is, on the brokers, at the moment."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """As it is, or as the files want it. `acls` None: the brokers check nobody."""

    topics: Mapping[str, Topic]
    acls: frozenset[Acl] | None


@dataclass(frozen=True, slots=True)
class MakeTopic:
    name: str
    partitions: int
    replicas: int
    config: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        config = ", ".join(f"{key}={value}" for key, value in self.config)
        return (
            f"make topic {self.name}: {self.partitions} partitions, {self.replicas} replicas, "
            f"{config}"
        )


@dataclass(frozen=True, slots=True)
class SetConfig:
    topic: str
    config: tuple[tuple[str, str], ...]
    """All that the topic itself will say afterwards."""
    differing: tuple[tuple[str, str | None, str | None], ...]

    def __str__(self) -> str:
        shown = (f"{key} {old or 'unset'} -> {new or 'unset'}" for key, old, new in self.differing)
        return f"configure topic {self.topic}: {', '.join(shown)}"


@dataclass(frozen=True, slots=True)
class Allow:
    acl: Acl

    def __str__(self) -> str:
        return f"add: {self.acl}"


@dataclass(frozen=True, slots=True)
class Withdraw:
    acl: Acl

    def __str__(self) -> str:
        return f"remove: {self.acl}"


Change = MakeTopic | SetConfig | Allow | Withdraw


@dataclass(frozen=True, slots=True)
class Partitioned:
    topic: str
    wanted: int
    found: int

    def __str__(self) -> str:
        return (
            f"topic {self.topic} has {self.found} partitions and not {self.wanted}: changing that "
            "reorders a subject's events. Say the true number in the file."
        )


@dataclass(frozen=True, slots=True)
class Replicated:
    topic: str
    wanted: int
    found: int

    def __str__(self) -> str:
        return (
            f"topic {self.topic} has {self.found} replicas and not {self.wanted}: move them with "
            "kafka-reassign-partitions.sh (docs/deployment.md)."
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What `apply` would do, and the findings that it leaves to a person."""

    changes: tuple[Change, ...]
    findings: tuple[Partitioned | Replicated | str, ...]

    @property
    def id(self) -> str:
        """The same only for the same changes: `apply` asks for it."""
        return sha256("\n".join(map(repr, self.changes)).encode()).hexdigest()[:12]


def compare(wanted: Cluster, found: Cluster) -> Plan:
    """From how it is to how the files want it."""
    changes: list[Change] = []
    findings: list[Partitioned | Replicated] = []
    for name, topic in sorted(wanted.topics.items()):
        there = found.topics.get(name)
        if there is None:
            config = tuple(sorted(topic.config.items()))
            changes.append(MakeTopic(name, topic.partitions, topic.replicas, config))
            continue
        findings += _shape(name, topic, there)
        changes += _configured(name, topic.config, there.config)
    permitted, odd = _permitted(wanted, found)
    return Plan((*changes, *permitted), (*findings, *odd))


def _shape(name: str, wanted: Topic, found: Topic) -> Iterator[Partitioned | Replicated]:
    if found.partitions != wanted.partitions:
        yield Partitioned(name, wanted.partitions, found.partitions)
    if found.replicas != wanted.replicas:
        yield Replicated(name, wanted.replicas, found.replicas)


def _configured(
    name: str, wanted: Mapping[str, str], found: Mapping[str, str]
) -> Iterator[SetConfig]:
    differing = tuple(
        (key, found.get(key), wanted.get(key))
        for key in sorted({*wanted, *found})
        if wanted.get(key) != found.get(key)
    )
    if differing:
        yield SetConfig(name, tuple(sorted(wanted.items())), differing)


def _permitted(wanted: Cluster, found: Cluster) -> tuple[list[Change], list[str]]:
    if wanted.acls is None:
        return [], []
    if found.acls is None:
        return [], ["the brokers check nobody: set authorizer.class.name (docs/deployment.md)"]
    ours = {acl.principal for acl in wanted.acls}
    changes: list[Change] = [Allow(acl) for acl in sorted(wanted.acls - found.acls)]
    beyond = sorted(found.acls - wanted.acls)
    changes += [Withdraw(acl) for acl in beyond if acl.principal in ours]
    odd = [
        f"{acl}, which no file says: remove it with kafka-acls.sh, or add the principal to the file"
        for acl in beyond
        if acl.principal not in ours and _touches(acl, wanted)
    ]
    return changes, odd


def _touches(acl: Acl, wanted: Cluster) -> bool:
    """Whether a stranger's permission reaches a topic or group of ours."""
    assert wanted.acls is not None
    names = {("topic", name) for name in wanted.topics}
    names |= {(each.resource, each.name) for each in wanted.acls}
    return any(
        acl.resource == resource
        and (acl.name in ("*", name) or (acl.pattern == "prefixed" and name.startswith(acl.name)))
        for resource, name in names
    )
