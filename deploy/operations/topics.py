"""Kafka's topics against deploy/kafka/topics.yaml, read with a service's own settings.

    python -m deploy.operations.topics     a list of findings as JSON

It changes nothing. Of permissions, which no service may see, `python -m deploy.topics` speaks. A
topic has no clock that can be read without writing to it: what our processes stamp is what
retention counts by, and their clocks are compared.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import assert_never

from aiokafka.errors import KafkaError

from deploy.topics.cluster import Refused, open_brokers
from deploy.topics.files import read_topics
from deploy.topics.plan import (
    Allow,
    Change,
    Cluster,
    MakeTopic,
    Partitioned,
    Replicated,
    SetConfig,
    Topic,
    Withdraw,
    compare,
)
from deploy.topics.settings import where
from shared.runtime.errors import Misconfigured
from shared.runtime.findings import Finding, act, look, well

WANTED = Path(__file__).parent.parent / "kafka" / "topics.yaml"
_ABOUT = "Kafka, topics"
_APPLY = "Run python -m deploy.topics compare, then apply (docs/deployment.md)."
_CATCH_UP = "See which broker is away; with fewer than min.insync.replicas nothing is taken."
_SAFER_IF_MORE = ("retention.ms", "min.insync.replicas")
_PATIENCE = 3.5


def differences(wanted: Mapping[str, Topic], there: Mapping[str, Topic]) -> list[Finding]:
    """What protects a topic better than the file says is well."""
    plan = compare(Cluster(wanted, None), Cluster(there, None))
    found = [look(_ABOUT, f"{n} has replicas that are behind.", _CATCH_UP) for n in _behind(there)]
    found += [each for change in plan.changes for each in _undone(change)]
    found += [each for finding in plan.findings for each in _odd(finding)]
    return found or [well(_ABOUT, f"All {len(wanted)} are as topics.yaml says.")]


def _behind(there: Mapping[str, Topic]) -> list[str]:
    return sorted(name for name, topic in there.items() if topic.behind)


def _undone(change: Change) -> Iterator[Finding]:
    match change:
        case MakeTopic(name):
            yield act(_ABOUT, f"{name} does not exist.", "Start intake: it makes it.")
        case SetConfig(topic, _, differing):
            for name, has, must in differing:
                if must is not None and not _is_safer(name, has, must):
                    says = f"{topic}: {name} is {has or 'not set'}, not {must}."
                    yield act(_ABOUT, says, _APPLY)
        case Allow() | Withdraw():
            pass
        case _:
            assert_never(change)


def _odd(finding: Partitioned | Replicated | str) -> Iterator[Finding]:
    match finding:
        case Partitioned():
            yield look(_ABOUT, f"{finding}", "Leave the topic: more would reorder subjects.")
        case Replicated() if finding.found < finding.wanted:
            yield act(_ABOUT, f"{finding}", "docs/deployment.md says how.")


def _is_safer(name: str, has: str | None, must: str) -> bool:
    """Longer kept, or in more copies; a negative retention is for ever."""
    if name not in _SAFER_IF_MORE or has is None or not has.lstrip("-").isdigit():
        return False
    return int(has) >= int(must) or int(has) < 0


async def _findings() -> list[Finding]:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what matters of it, we say
    try:
        wanted = read_topics(WANTED)
        async with asyncio.timeout(_PATIENCE), open_brokers(*where(), _PATIENCE) as brokers:
            return differences(wanted, await brokers.topics(wanted))
    except Misconfigured as error:
        return [act("the bus", str(error), "Mend the setting (docs/settings.md).")]
    except Refused as error:
        says = f"Kafka cannot be looked at: {error}."
    except TimeoutError:
        says = "Kafka does not answer in time: it hangs, or has too much to do."
    except (KafkaError, OSError):
        says = "Kafka does not answer: no broker can be reached, or the connection was lost."
    return [act("the bus", says, "docs/runbook.md, Kafka is down.")]


if __name__ == "__main__":
    said = [finding.as_json() for finding in asyncio.run(_findings())]
    sys.stdout.write(json.dumps(said) + "\n")
