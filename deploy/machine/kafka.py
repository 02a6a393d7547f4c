"""A real Apache Kafka broker on loopback: fetched once by Maven, then a child process."""

import asyncio
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from deploy.machine.ports import claim_ports
from deploy.machine.processes import die_with_parent

FOLDER = Path(__file__).parent.parent / "kafka"
HOW_TO_GET_IT = (
    "Apache Kafka needs Java 17 or newer and, the first time, Maven "
    "(Debian: apt-get install openjdk-17-jre-headless maven)"
)
_OPTIONS = (
    "-Xmx512m",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)
_CLUSTER = "aGFydGxpbmUtb25lLW1hYw"
_START_SECONDS = 90.0
_STOP_SECONDS = 30.0


class KafkaUnavailable(Exception):
    """Kafka cannot run here. The text says what is missing and how to get it."""


class KafkaBroker:
    """One broker with its data in `home`; its ports stay the same through restarts."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.log = home / "kafka.log"
        self.port, self._controller_port = claim_ports(2)
        self._properties = home / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """`host:port`, as Kafka clients take it."""
        return f"127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        """As HARTLINE_BUS takes it."""
        return f"kafka://{self.bootstrap}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise KafkaUnavailable("The Kafka broker is not started.")
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start on the data that is there, or on none; wait until every topic exists.

        Call it from the main thread: the broker shuts down when the calling thread ends.
        """
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start the process and do not wait for it."""
        classpath = f"{jars()}/*"
        self.home.mkdir(parents=True, exist_ok=True)
        self._write_properties()
        if not (self.home / "data" / "meta.properties").exists():
            self._format(classpath)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [_java(), *_OPTIONS, "-cp", classpath, "kafka.Kafka", str(self._properties)],
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGTERM),
            )

    def wait_ready(self) -> None:
        """Wait until the broker answers and every topic of topics.yaml exists."""
        deadline = time.monotonic() + _START_SECONDS
        with ThreadPoolExecutor(1) as thread:
            while not thread.submit(asyncio.run, make_topics(self.bootstrap)).result():
                if self._process is None or self._process.poll() is not None:
                    raise KafkaUnavailable(f"Kafka ended at its start: see {self.log}.")
                if time.monotonic() > deadline:
                    raise KafkaUnavailable(f"Kafka did not answer in time: see {self.log}.")
                time.sleep(0.1)

    def stop(self) -> None:
        """Shut down in order; does nothing when it is not running."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """SIGKILL, as a crash would. What it acknowledged is there after the next `start`."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def _write_properties(self) -> None:
        controller = f"127.0.0.1:{self._controller_port}"
        self._properties.write_text(
            (FOLDER / "server.properties").read_text()
            + f"listeners=BROKER://{self.bootstrap},CONTROLLER://{controller}\n"
            + f"advertised.listeners=BROKER://{self.bootstrap}\n"
            + f"controller.quorum.voters=1@{controller}\n"
            + f"log.dirs={self.home / 'data'}\n"
        )

    def _format(self, classpath: str) -> None:
        result = subprocess.run(
            [
                *(_java(), *_OPTIONS, "-cp", classpath, "kafka.tools.StorageTool", "format"),
                *("--cluster-id", _CLUSTER, "--config", str(self._properties)),
            ],
            check=False,
            capture_output=True,
            text=True,
        )
        if result.returncode != 0:
            raise KafkaUnavailable(f"Kafka's storage could not be formatted: {result.stderr}")


async def make_topics(bootstrap: str) -> bool:
    """Make the topics of topics.yaml that do not exist. False: the broker does not answer yet."""
    wanted = yaml.safe_load((FOLDER / "topics.yaml").read_text())
    topics = [
        NewTopic(
            name,
            wanted["partitions"],
            wanted["replication_factor"],
            topic_configs={key: str(value) for key, value in wanted["config"].items()},
        )
        for name in wanted["topics"]
    ]
    if not await _listens(bootstrap):
        return False
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=10_000)
    try:
        await client.start()
        await client.create_topics(topics)
    except TopicAlreadyExistsError:
        return True
    except (KafkaError, OSError):
        return False
    finally:
        with suppress(Exception):
            await client.close()
    return True


async def _listens(bootstrap: str) -> bool:
    """Asked first, because aiokafka prints what it does not reach."""
    host, _, port = bootstrap.partition(",")[0].rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True


def jars() -> Path:
    """The folder of the broker's jars, copied there by Maven the first time it is needed.

    Raises KafkaUnavailable.
    """
    pom = FOLDER / "pom.xml"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hartline"
    folder = cache / f"kafka-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with _alone(cache / "kafka.lock"):
            if not folder.exists():
                _copy_into(cache, folder, pom)
    return folder


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Two Mavens spoil each other's repository."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _copy_into(cache: Path, folder: Path, pom: Path) -> None:
    made = Path(tempfile.mkdtemp(prefix="copying-", dir=cache))
    try:
        _copy_jars(pom, made)
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _copy_jars(pom: Path, folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailable(f"Maven is missing. {HOW_TO_GET_IT}.")
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    result = subprocess.run(
        [maven, "--batch-mode", "--quiet", "--file", str(pom), *goal],
        check=False,
        capture_output=True,
        text=True,
    )
    if result.returncode != 0:
        raise KafkaUnavailable(f"Maven could not copy Kafka's jars: {result.stdout[-500:]}")


def _java() -> str:
    java = shutil.which("java")
    if java is None:
        raise KafkaUnavailable(f"Java is missing. {HOW_TO_GET_IT}.")
    return java
