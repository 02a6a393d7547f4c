"""Kafka's topics against deploy/kafka/topics.yaml, read with a service's own settings.

    python -m deploy.operations.topics     a list of findings as JSON

It changes nothing. A topic has no clock that can be read without writing to it: what our processes
stamp is what retention counts by, and their clocks are compared.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from shared.messaging.kafka.security import security_of
from shared.runtime.errors import Misconfigured
from shared.runtime.findings import Finding, act, look, well
from shared.runtime.settings import ServiceSettings

WANTED = Path(__file__).parent.parent / "kafka" / "topics.yaml"
_ABOUT = "Kafka, topics"
_APPLY = "deploy/kafka/topics.yaml is what they must be; docs/runbook.md, Kafka is down."
_PATIENCE = 3.5


def differences(
    wanted: Mapping[str, Any],
    partitions: Mapping[str, int],
    replicas: Mapping[str, int],
    configs: Mapping[str, Mapping[str, str]],
) -> list[Finding]:
    """Of the topics that there are. What protects them better than the file says is well."""
    found = []
    for topic in wanted["topics"]:
        if topic not in partitions:
            found.append(act(_ABOUT, f"{topic} does not exist.", "Start intake: it makes it."))
            continue
        if partitions[topic] != wanted["partitions"]:
            says = f"{topic} has {partitions[topic]} partitions, not {wanted['partitions']}."
            found.append(look(_ABOUT, says, "Leave it: to change it reorders subjects (docs/adr)."))
        if replicas[topic] < wanted["replication_factor"]:
            found.append(act(_ABOUT, f"{topic} has {replicas[topic]} replica(s).", _APPLY))
        found += _configured(topic, wanted["config"], configs.get(topic, {}))
    return found or [well(_ABOUT, f"All {len(wanted['topics'])} are as topics.yaml says.")]


def _configured(topic: str, wanted: Mapping[str, Any], has: Mapping[str, str]) -> list[Finding]:
    atleast = ("retention.ms", "min.insync.replicas")
    found = []
    for name, value in wanted.items():
        is_, must = has.get(name, "not set"), str(value)
        better = name in atleast and is_.lstrip("-").isdigit()
        if is_ == must or (better and (int(is_) >= int(must) or int(is_) < 0)):
            continue
        found.append(act(_ABOUT, f"{topic}: {name} is {is_}, not {must}.", _APPLY))
    return found


async def read(settings: ServiceSettings) -> list[Finding]:
    """Ask the brokers. Raises KafkaError, OSError, TimeoutError, Misconfigured."""
    wanted = yaml.safe_load(WANTED.read_text())
    admin = AIOKafkaAdminClient(
        bootstrap_servers=settings.bus.removeprefix("kafka://"),
        request_timeout_ms=int(_PATIENCE * 1000),
        **security_of(settings).options(),
    )
    await admin.start()
    try:
        listed = await admin.describe_topics()
        there = {topic["topic"]: topic["partitions"] for topic in listed}
        ours = [name for name in wanted["topics"] if name in there]
        configs = await _configs(admin, ours) if ours else {}
    finally:
        await admin.close()
    partitions = {name: len(there[name]) for name in ours}
    replicas = {name: min(len(p["replicas"]) for p in there[name]) for name in ours}
    return [*_in_sync(there, ours), *differences(wanted, partitions, replicas, configs)]


def _in_sync(
    there: Mapping[str, Sequence[Mapping[str, Any]]], ours: Sequence[str]
) -> list[Finding]:
    behind = [name for name in ours if any(len(p["isr"]) < len(p["replicas"]) for p in there[name])]
    do = "See which broker is away; with fewer than min.insync.replicas nothing is taken."
    return [look(_ABOUT, f"{name} has replicas that are behind.", do) for name in behind]


async def _configs(admin: Any, topics: Sequence[str]) -> dict[str, dict[str, str]]:
    wanted = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
    answers = await admin.describe_configs(wanted)
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for answer in answers
        for resource in answer.resources
    }


class BusSettings(ServiceSettings):
    """Of a service's settings those of the bus."""

    issuer: str = "nobody"
    jwks: Path = Path("/dev/null")


async def _findings() -> list[Finding]:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what matters of it, we say
    try:
        settings = BusSettings.load()
        if settings.bus == "postgresql":
            raise Misconfigured("HARTLINE_BUS is not Kafka: set it to kafka://host:port.")
        async with asyncio.timeout(_PATIENCE):
            return await read(settings)
    except Misconfigured as error:
        return [act("the bus", str(error), "Mend the setting (docs/settings.md).")]
    except (KafkaError, OSError, TimeoutError) as error:
        says = f"Kafka does not answer ({type(error).__name__})."
        return [act("the bus", says, "docs/runbook.md, Kafka is down.")]


if __name__ == "__main__":
    said = [finding.as_json() for finding in asyncio.run(_findings())]
    sys.stdout.write(json.dumps(said) + "\n")
