"""The brokers' end: topics and permissions as they are, and a plan's changes one by one.

aiokafka knows the requests for permissions but offers no method for them, so they are sent as its
own methods send theirs.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, assert_never

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest

from deploy.topics.plan import Acl, Allow, Change, Cluster, MakeTopic, SetConfig, Topic, Withdraw
from shared.messaging.kafka.security import Security

_RESOURCES = {2: "topic", 3: "group", 4: "cluster", 5: "transactional-id", 6: "token", 7: "user"}
_PATTERNS = {3: "literal", 4: "prefixed"}
_PERMISSIONS = {2: "deny", 3: "allow"}
_OPERATIONS = dict(
    enumerate(
        (
            *("all", "read", "write", "create", "delete", "alter", "describe", "cluster-action"),
            *("describe-configs", "alter-configs", "idempotent-write", "create-tokens"),
            *("describe-tokens", "two-phase-commit"),
        ),
        start=2,
    )
)
_ANY = 1
_SET_ON_THE_TOPIC = 1
_NO_AUTHORIZER = 54


class Refused(Exception):
    """The brokers do not answer, or not as asked. The text says which."""


class Brokers:
    """Open it with `open_brokers`."""

    def __init__(self, client: AIOKafkaAdminClient) -> None:
        self._client = client

    async def look(self, wanted: Iterable[str]) -> Cluster:
        """Those of the wanted topics that exist, and every permission: a superuser's to see."""
        return Cluster(await self.topics(wanted), await self._acls())

    async def topics(self, wanted: Iterable[str]) -> dict[str, Topic]:
        """Those of the wanted that exist. Raises Refused where their settings may not be seen."""
        names = set(wanted)
        described = [
            each for each in await self._client.describe_topics() if each["topic"] in names
        ]
        configs = await self._configs([each["topic"] for each in described])
        return {each["topic"]: _topic(each, configs[each["topic"]]) for each in described}

    async def apply(self, change: Change) -> None:
        """One change, and nothing beside it. Raises Refused."""
        match change:
            case MakeTopic():
                await self._make(change)
            case SetConfig():
                resource = ConfigResource(
                    ConfigResourceType.TOPIC, change.topic, dict(change.config)
                )
                for answer in await self._client.alter_configs([resource]):
                    for code, message, *_ in answer.resources:
                        _check(code, message)
            case Allow(acl):
                answer = await self._send(CreateAclsRequest(*_numbers(acl)))
                for code, message in answer.creation_responses:
                    _check(code, message)
            case Withdraw(acl):
                answer = await self._send(DeleteAclsRequest(*_numbers(acl)))
                for code, message, _ in answer.filter_responses:
                    _check(code, message)
            case _:
                assert_never(change)

    async def _make(self, change: MakeTopic) -> None:
        topic = NewTopic(
            change.name, change.partitions, change.replicas, topic_configs=dict(change.config)
        )
        answer = await self._client.create_topics([topic])
        for _, code, *message in answer.topic_errors:
            _check(code, *message)

    async def _configs(self, names: list[str]) -> dict[str, dict[str, str]]:
        if not names:
            return {}
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        found = {}
        for answer in await self._client.describe_configs(resources):
            for code, message, _, name, entries in answer.resources:
                _check(code, message)
                found[name] = {
                    key: value
                    for key, value, _, source, *_ in entries
                    if source == _SET_ON_THE_TOPIC
                }
        return found

    async def _acls(self) -> frozenset[Acl] | None:
        answer = await self._send(DescribeAclsRequest(_ANY, None, _ANY, None, None, _ANY, _ANY))
        if answer.error_code == _NO_AUTHORIZER:
            return None
        _check(answer.error_code, answer.error_message)
        return frozenset(
            Acl(
                principal,
                _RESOURCES.get(resource, str(resource)),
                name,
                _OPERATIONS.get(operation, str(operation)),
                host,
                _PATTERNS.get(pattern, str(pattern)),
                _PERMISSIONS[permission],
            )
            for resource, name, pattern, acls in answer.resources
            for principal, host, operation, permission in acls
        )

    async def _send(self, request: Any) -> Any:
        return await self._client._send_request(request)


@asynccontextmanager
async def open_brokers(
    servers: str, security: Security, patience: float = 15.0
) -> AsyncIterator[Brokers]:
    """`servers` is `host:port[,host:port]`, `patience` seconds for each request. Raises Refused,
    for what fails inside it too."""
    client = AIOKafkaAdminClient(
        bootstrap_servers=servers,
        request_timeout_ms=int(patience * 1000),
        **security.options(),
    )
    try:
        await client.start()
        yield Brokers(client)
    except (KafkaError, OSError, TimeoutError):
        raise Refused(f"the brokers at {servers} do not answer, or broke off") from None
    finally:
        await client.close()


def _topic(described: dict[str, Any], config: dict[str, str]) -> Topic:
    partitions = described["partitions"]
    replicas = {len(partition["replicas"]) for partition in partitions}
    behind = any(len(each["isr"]) < len(each["replicas"]) for each in partitions)
    return Topic(len(partitions), min(replicas), config, behind)


def _numbers(acl: Acl) -> tuple[int, str, int, str, str, int, int]:
    return (
        _number(_RESOURCES, acl.resource),
        acl.name,
        _number(_PATTERNS, acl.pattern),
        acl.principal,
        acl.host,
        _number(_OPERATIONS, acl.operation),
        _number(_PERMISSIONS, acl.permission),
    )


def _number(names: dict[int, str], name: str) -> int:
    return next((number for number, known in names.items() if known == name), 0) or int(name)


def _check(code: int, message: str | None = None) -> None:
    if code:
        raise Refused(f"the brokers refuse it: {message or f'error {code}'}")
