"""Three brokers as deploy/kafka says: topics and permissions are applied by file, nobody may do
more, one broker may die without a word lost, and two make everybody wait."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from deploy.machine.home import ROOT
from deploy.machine.kafka import FOLDER
from deploy.topics.cluster import open_brokers
from deploy.topics.files import read_acls
from deploy.topics.plan import Acl, Allow
from shared.contracts.base import Topic
from shared.messaging.bus import BusUnavailable, Outgoing
from shared.messaging.kafka.bus import KafkaBus
from shared.messaging.kafka.calls import Limits
from shared.messaging.kafka.security import Security
from tests.support.brokers import needs_kafka
from tests.support.buses import Group, publish_surely
from tests.support.three_brokers import OPERATOR, PASSWORD, ThreeBrokers

pytestmark = [pytest.mark.kafka, pytest.mark.heavy, pytest.mark.timeout(300)]
TOPICS = FOLDER / "topics-three-brokers.yaml"
_LIMITS = Limits(request=6.0, publish=10.0)


@pytest.fixture(scope="module")
def three() -> Iterator[ThreeBrokers]:
    """Started, with the topics and permissions of the files."""
    home = Path(tempfile.mkdtemp(prefix="hartline-three-"))
    started = ThreeBrokers(home)
    try:
        with needs_kafka():
            started.start()
        wait_for(started)
        yield started
    finally:
        started.stop()
        shutil.rmtree(home, ignore_errors=True)


def topics(
    three: ThreeBrokers, *words: str, user: str = OPERATOR
) -> subprocess.CompletedProcess[str]:
    """The command as an operator would run it."""
    path = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "deploy.topics", *words, "--topics", str(TOPICS)],
        cwd=ROOT,
        env=path | dict(three.settings(user)),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def wait_for(three: ThreeBrokers) -> None:
    deadline = time.monotonic() + 90
    while (asked := topics(three, "compare")).returncode == 2:
        logs = "".join(broker.log.read_text()[-1500:] for broker in three.brokers)
        assert time.monotonic() < deadline, f"{asked.stderr}\n{logs}"
        time.sleep(1)


def number(compared: subprocess.CompletedProcess[str]) -> str:
    found = re.search(r"apply (\w+)$", compared.stdout.strip())
    assert found, compared.stdout + compared.stderr
    return found[1]


def bus(three: ThreeBrokers, service: str) -> KafkaBus:
    name = f"hartline-{service}"
    security = Security("SASL_PLAINTEXT", None, "PLAIN", name, PASSWORD)
    return KafkaBus(three.servers, name, _LIMITS, security)


def test_the_command_does_what_its_dry_run_said_and_then_has_nothing_to_do(
    three: ThreeBrokers,
) -> None:
    compared = topics(three, "compare")
    assert compared.returncode == 1
    assert topics(three, "compare").stdout == compared.stdout  # asking changes nothing
    refused = topics(three, "apply", "000000000000")
    assert (refused.returncode, "Nothing was changed" in refused.stderr) == (2, True)
    assert topics(three, "compare").stdout == compared.stdout  # nor does a wrong number
    applied = topics(three, "apply", number(compared))
    assert (applied.returncode, applied.stderr) == (0, "")
    said = re.findall(r"^would (.+)$", compared.stdout, re.MULTILINE)
    done = re.findall(r"^\d+/\d+ done: (.+)$", applied.stdout, re.MULTILINE)
    assert done == said
    assert len(done) == len(Topic) + len(read_acls(FOLDER / "acls.yaml"))
    again = settled(three)
    assert (again.returncode, again.stdout) == (0, "the brokers are as the files say\n")


def settled(three: ThreeBrokers) -> subprocess.CompletedProcess[str]:
    """Brokers learn of a change a moment after it was made."""
    deadline = time.monotonic() + 20
    while (asked := topics(three, "compare")).returncode and time.monotonic() < deadline:
        time.sleep(0.5)
    return asked


async def test_what_somebody_changed_since_the_dry_run_is_not_undone_unseen(
    three: ThreeBrokers,
) -> None:
    """Each time the number is another one, so `apply` stops and shows the new list."""
    security = Security("SASL_PLAINTEXT", None, "PLAIN", OPERATOR, PASSWORD)
    beyond = Acl("User:hartline-audit", "topic", "referrals", "read")
    async with open_brokers(three.servers, security) as brokers:
        await brokers.apply(Allow(beyond))
    first = await changed(three)
    assert f"would remove: {beyond}\n" in first.stdout
    await set_retention(three, "86400000")
    second = await changed(three, first.stdout)
    refused = await asyncio.to_thread(topics, three, "apply", number(first))
    assert refused.returncode == 2
    assert "retention.ms 86400000 -> 1209600000" in refused.stdout
    applied = await asyncio.to_thread(topics, three, "apply", number(second))
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert (await asyncio.to_thread(settled, three)).returncode == 0


async def changed(three: ThreeBrokers, before: str = "") -> subprocess.CompletedProcess[str]:
    async with asyncio.timeout(20):
        while True:
            asked = await asyncio.to_thread(topics, three, "compare")
            if asked.returncode == 1 and asked.stdout != before:
                return asked
            await asyncio.sleep(0.5)


async def set_retention(three: ThreeBrokers, milliseconds: str) -> None:
    client = AIOKafkaAdminClient(
        bootstrap_servers=three.servers,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_plain_username=OPERATOR,
        sasl_plain_password=PASSWORD,
    )
    await client.start()
    config = {"retention.ms": milliseconds, "min.insync.replicas": "2", "cleanup.policy": "delete"}
    try:
        resource = ConfigResource(ConfigResourceType.TOPIC, "notices", config)
        (answer,) = await client.alter_configs([resource])
        assert [code for code, *_ in answer.resources] == [0]
    finally:
        await client.close()


def test_a_service_may_not_use_the_command(three: ThreeBrokers) -> None:
    asked = topics(three, "compare", user="hartline-intake")
    assert asked.returncode == 2
    assert "refuse" in asked.stderr


async def test_a_service_writes_and_reads_what_is_its_own(three: ThreeBrokers) -> None:
    intake, notify = bus(three, "intake"), bus(three, "notify")
    publisher = await intake.publisher()
    await publish_surely(publisher, [Outgoing(Topic.REFERRALS, "key", b"three/hello")])
    group = Group("notify", (Topic.REFERRALS,), "three/hello")
    subscription = await group.subscribe(notify)
    await group.read(subscription, 1)
    await subscription.close()
    await publisher.close()
    await intake.close()
    await notify.close()


async def test_no_service_writes_what_is_anothers(three: ThreeBrokers) -> None:
    deadlines = bus(three, "deadlines")
    publisher = await deadlines.publisher()
    await publish_surely(publisher, [Outgoing(Topic.DEADLINES, "key", b"three/mine")])
    with pytest.raises(BusUnavailable):
        await publisher.publish([Outgoing(Topic.REFERRALS, "key", b"three/forged")])
    await publisher.close()
    await deadlines.close()


async def test_one_broker_may_die_and_two_make_everybody_wait_and_nothing_is_lost(
    three: ThreeBrokers,
) -> None:
    intake = bus(three, "intake")
    publisher = await intake.publisher()
    await publish_surely(publisher, numbered(0))
    three.brokers[0].kill()
    await publish_surely(publisher, numbered(1))
    three.brokers[1].kill()
    with pytest.raises(BusUnavailable):
        await publisher.publish(numbered(2))
    for broker in three.brokers[:2]:
        broker.launch()
    await publish_surely(publisher, numbered(3))
    await publisher.close()
    await intake.close()
    await read_until(three, {b"three/kept/0", b"three/kept/1", b"three/kept/3"})


def numbered(number: int) -> list[Outgoing]:
    return [Outgoing(Topic.REFERRALS, f"key-{number}", f"three/kept/{number}".encode())]


async def read_until(three: ThreeBrokers, wanted: set[bytes]) -> None:
    """Every one of them, by the consumer that may read them: it begins anew, as the role does,
    while brokers are still coming back."""
    notify = bus(three, "notify")
    group = Group("notify", (Topic.REFERRALS,), "three/kept/")
    async with asyncio.timeout(60):
        while not wanted <= set(group.bodies):
            with suppress(BusUnavailable):
                await read_some(group, notify, wanted)
    await notify.close()


async def read_some(group: Group, notify: KafkaBus, wanted: set[bytes]) -> None:
    subscription = await group.subscribe(notify)
    try:
        while not wanted <= set(group.bodies):
            await group.read_once(subscription)
    finally:
        await subscription.close()
