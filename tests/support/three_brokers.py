"""Three brokers of Kafka on loopback with deploy/kafka/three-brokers.properties: who one is, is
shown by a password, and what one may do is in acls.yaml. Without TLS, which one broker is tried
with elsewhere (tests/contract/test_kafka_security.py)."""

from collections.abc import Sequence
from pathlib import Path

from deploy.machine.kafka import FOLDER, KafkaBroker
from deploy.machine.ports import free_ports

BROKER, OPERATOR = "hartline-broker", "hartline-operator"
CLIENTS = (OPERATOR, "hartline-intake", "hartline-notify", "hartline-deadlines", "hartline-audit")
PASSWORD = "example-password"
_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"


class OneOfThree(KafkaBroker):
    """Of a cluster whose controllers' ports are known before any of them starts."""

    def __init__(self, home: Path, number: int, controllers: Sequence[int]) -> None:
        super().__init__(home)
        self.number = number
        self._controller_port = controllers[number - 1]
        self._voters = ",".join(
            f"{node}@127.0.0.1:{port}" for node, port in enumerate(controllers, start=1)
        )

    def _write_properties(self) -> None:
        super()._write_properties()
        users = "".join(f' user_{name}="{PASSWORD}"' for name in (BROKER, *CLIENTS))
        jaas = f'{_LOGIN} username="{BROKER}" password="{PASSWORD}"{users};'
        listeners = "BROKER:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT"
        with (self.home / "server.properties").open("a") as properties:
            properties.write((FOLDER / "three-brokers.properties").read_text())
            properties.write(
                f"node.id={self.number}\n"
                f"controller.quorum.voters={self._voters}\n"
                f"listener.security.protocol.map={listeners}\n"
                "sasl.mechanism.inter.broker.protocol=PLAIN\n"
                "sasl.mechanism.controller.protocol=PLAIN\n"
            )
            for listener in ("broker", "controller"):
                properties.write(
                    f"listener.name.{listener}.sasl.enabled.mechanisms=PLAIN\n"
                    f"listener.name.{listener}.plain.sasl.jaas.config={jaas}\n"
                )


class ThreeBrokers:
    """Start it in the main thread. Topics are made by whoever uses it."""

    def __init__(self, home: Path) -> None:
        controllers = free_ports(3)
        self.brokers = [OneOfThree(home / f"{n}", n, controllers) for n in (1, 2, 3)]
        self.servers = ",".join(broker.bootstrap for broker in self.brokers)
        self._password = home / "password"
        self._password.write_text(PASSWORD)

    def settings(self, user: str) -> dict[str, str]:
        """What a process of this name is told."""
        return {
            "HARTLINE_PROFILE": "development",
            "HARTLINE_BUS": f"kafka://{self.servers}",
            "HARTLINE_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "HARTLINE_KAFKA_SASL_MECHANISM": "PLAIN",
            "HARTLINE_KAFKA_USERNAME": user,
            "HARTLINE_KAFKA_PASSWORD_FILE": str(self._password),
        }

    def start(self) -> None:
        for broker in self.brokers:
            broker.launch()

    def stop(self) -> None:
        """At once: the last of three would wait for the others before it shut down in order."""
        for broker in self.brokers:
            if broker.alive:
                broker.kill()
