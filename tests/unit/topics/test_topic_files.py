"""A broken file of topics or permissions is refused with file, line and the mend."""

import re
from pathlib import Path

import pytest
import yaml

from deploy.machine.home import ROOT
from deploy.machine.machine import SERVICES
from deploy.topics.__main__ import main
from deploy.topics.files import BrokenFile, read_acls, read_topics
from deploy.topics.plan import Acl
from shared.contracts.base import Topic
from shared.contracts.registry import CONSUMERS, EMITTERS
from shared.messaging.bus import RETENTION
from shared.messaging.kafka.topics import PARTITIONS

FOLDER = ROOT / "deploy" / "kafka"
TOPICS = FOLDER / "topics.yaml"
THREE = FOLDER / "topics-three-brokers.yaml"
ACLS = FOLDER / "acls.yaml"


@pytest.mark.parametrize("path", [TOPICS, THREE], ids=lambda path: path.name)
def test_our_own_files_are_well_formed(path: Path) -> None:
    assert sorted(read_topics(path)) == sorted(Topic)
    assert main(["check", "--topics", str(path)]) == 0


def test_three_brokers_differ_in_nothing_but_copies() -> None:
    one, three = (yaml.safe_load(path.read_text()) for path in (TOPICS, THREE))
    assert (three.pop("replication_factor"), one.pop("replication_factor")) == (3, 1)
    insync = "min.insync.replicas"
    assert (three["config"].pop(insync), one["config"].pop(insync)) == (2, 1)
    assert one == three


def test_the_files_ask_for_what_a_process_makes_where_nobody_has() -> None:
    """shared/messaging/kafka/topics.py makes what is missing on a trial's brokers."""
    for topic in read_topics(THREE).values():
        assert topic.partitions == PARTITIONS
        assert topic.config["retention.ms"] == str(int(RETENTION.total_seconds() * 1000))


def test_the_permissions_are_those_of_the_contracts_and_no_more() -> None:
    """And a process begins only where it sees every topic (shared/messaging/kafka/topics.py)."""
    wanted = {
        Acl(f"User:hartline-{source.value.rpartition('/')[2]}", "topic", topic.value, "write")
        for topic, sources in EMITTERS.items()
        for source in sources
    }
    for topic, services in CONSUMERS.items():
        for service in services:
            wanted.add(Acl(f"User:hartline-{service}", "topic", topic.value, "read"))
            wanted.add(Acl(f"User:hartline-{service}", "group", service, "read"))
    of_use = {(acl.principal, acl.name) for acl in wanted if acl.resource == "topic"}
    for service in SERVICES:
        for topic in Topic:
            if (f"User:hartline-{service}", topic.value) not in of_use:
                wanted.add(Acl(f"User:hartline-{service}", "topic", topic.value, "describe"))
    assert read_acls(ACLS) == wanted


@pytest.mark.parametrize(
    ("old", "new", "line", "mend"),
    [
        ("partitions: 6", "partitons: 6", 3, "partitons is not known: choose from partitions"),
        ("partitions: 6", "partitions: six", 3, "write 1 or more"),
        ("partitions: 6", "partitions: 0", 3, "write 1 or more"),
        ("partitions: 6", "partitions: [6]", 3, "write 1 or more"),
        ("partitions: 6", "partitions: 6\npartitions: 7", 4, "say it once"),
        ("partitions: 6\n", "", 3, "add partitions:"),
        ("replication_factor: 1", "replication_factor: 3", 8, "lose an event: write 2"),
        ("policy: delete", "policy: compact", 6, "write cleanup.policy: delete"),
        ("retention.ms: 1209600000", "retention.ms: 14", 7, "write 86400000 or more"),
        ("retention.ms: 1209600000", "retention.ms: 14 days", 7, "write 86400000 or more"),
        ("min.insync.replicas: 1", "min.insync.replicas: 2", 8, "stop everything: write 1"),
        ("  min.insync", "  segment.bytes: 1\n  min.insync", 8, "segment.bytes is not known"),
        ("- notices", "- notises", 11, "choose from referrals, notices"),
        ("- notices", "- referrals", 11, "say it once"),
        ("  - notices\n", "", 10, "add - notices"),
        ("- notices", "- 7", 11, "write one word"),
        ("  - notices", "\t- notices", 11, "mend the line"),
        ("topics:\n", "topics: all\nmore:\n", 10, "more is not known"),
    ],
)
def test_a_broken_file_of_topics_names_the_line_and_the_mend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, line: int, mend: str
) -> None:
    broken = tmp_path / "topics.yaml"
    assert old in TOPICS.read_text()
    broken.write_text(TOPICS.read_text().replace(old, new, 1))
    for command in (["check"], ["compare"], ["apply", "0"]):
        assert main([*command, "--topics", str(broken)]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"{broken}:{line}: ")
        assert mend in said


@pytest.mark.parametrize(
    ("old", "new", "mend"),
    [
        ("User:hartline-intake", "User:*", "the name of one service"),
        ("User:hartline-intake", "hartline-intake", "write User:"),
        ("writes: [notices, disclosures]", "writes: [everything]", "choose from referrals"),
        (
            "writes: [notices, disclosures]",
            "write: [notices]",
            "choose from writes, reads, sees, group",
        ),
        ("writes: [notices, disclosures]", "writes: notices", "a topic on each line"),
        ("    group: audit\n", "", "say both"),
        ("principals:", "principal:", "choose from principals"),
        ("User:hartline-audit", "User:hartline-notify", "say it once"),
    ],
)
def test_a_broken_file_of_permissions_names_the_line_and_the_mend(
    tmp_path: Path, old: str, new: str, mend: str
) -> None:
    broken = tmp_path / "acls.yaml"
    assert old in ACLS.read_text()
    broken.write_text(ACLS.read_text().replace(old, new, 1))
    with pytest.raises(BrokenFile, match=rf"^{re.escape(str(broken))}:\d+: .*{re.escape(mend)}"):
        read_acls(broken)


@pytest.mark.parametrize(
    "content", [None, "", "\xff".encode("latin-1"), "- a", "&a [*a]", "a: &b {"]
)
def test_what_is_no_such_file_at_all_is_refused_too(
    tmp_path: Path, content: str | bytes | None
) -> None:
    broken = tmp_path / "topics.yaml"
    if isinstance(content, bytes):
        broken.write_bytes(content)
    elif content is not None:
        broken.write_text(content)
    with pytest.raises(BrokenFile, match=re.escape(str(broken))):
        read_topics(broken)
