"""A broker that wants TLS, our certificate and a password, with a CA made here."""

import asyncio
import datetime
import ipaddress
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.machine.kafka import KafkaBroker
from shared.contracts.base import Topic
from shared.messaging.bus import BusUnavailable, Outgoing
from shared.messaging.buses import open_bus
from shared.messaging.kafka.bus import KafkaBus
from shared.messaging.kafka.calls import Limits
from shared.messaging.kafka.security import Security, security_of
from shared.runtime.settings import ServiceSettings
from tests.support.brokers import needs_kafka
from tests.support.buses import Group, publish_surely

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
_JAAS = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    'username="broker" password="between-brokers" '
    'user_broker="between-brokers" user_hartline="example-password";'
)


class SecuredBroker(KafkaBroker):
    """As KafkaBroker, but its clients' listener is SASL_SSL and asks for a certificate."""

    def __init__(self, home: Path, files: Path) -> None:
        super().__init__(home)
        self._files = files

    def _write_properties(self) -> None:
        super()._write_properties()
        with (self.home / "server.properties").open("a") as properties:
            properties.write(
                "listener.security.protocol.map=BROKER:SASL_SSL,CONTROLLER:PLAINTEXT\n"
                "ssl.keystore.type=PEM\nssl.truststore.type=PEM\n"
                f"ssl.keystore.location={self._files / 'broker.pem'}\n"
                f"ssl.truststore.location={self._files / 'ca.pem'}\n"
                "listener.name.broker.ssl.client.auth=required\n"
                "listener.name.broker.sasl.enabled.mechanisms=PLAIN\n"
                "sasl.mechanism.inter.broker.protocol=PLAIN\n"
                f"listener.name.broker.plain.sasl.jaas.config={_JAAS}\n"
            )


@pytest.fixture(scope="module")
def files() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="hartline-tls-"))
    try:
        make_authority(folder, "ca")
        make_authority(folder, "stranger")
        make_certificate(folder, "broker", "ca")
        make_certificate(folder, "client", "ca")
        keystore = (folder / "broker.key").read_text() + (folder / "broker.crt").read_text()
        (folder / "broker.pem").write_text(keystore)
        (folder / "password").write_text("example-password\n")
        (folder / "other-password").write_text("another\n")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def broker(files: Path) -> Iterator[SecuredBroker]:
    started = SecuredBroker(files / "kafka", files)
    try:
        with needs_kafka():
            started.launch()
        yield started
    finally:
        started.stop()


def settings(broker: KafkaBroker, files: Path, **changes: object) -> ServiceSettings:
    values: dict[str, object] = {
        "bus": broker.address,
        "issuer": "test",
        "jwks": files,
        "kafka_security_protocol": "SASL_SSL",
        "kafka_ca": files / "ca.pem",
        "kafka_cert": files / "client.crt",
        "kafka_key": files / "client.key",
        "kafka_sasl_mechanism": "PLAIN",
        "kafka_username": "hartline",
        "kafka_password_file": files / "password",
    }
    return ServiceSettings(**(values | changes))  # type: ignore[arg-type]


async def test_events_travel_over_tls_with_our_certificate_and_password(
    broker: SecuredBroker, files: Path
) -> None:
    bus = open_bus(settings(broker, files))
    publisher = await bus.publisher()
    await publish_surely(publisher, [Outgoing(Topic.REFERRALS, "key", b"tls/hello")])
    group = Group("tls", (Topic.REFERRALS,), "tls/")
    subscription = await group.subscribe(bus)
    await group.read(subscription, 1)
    await subscription.close()
    await publisher.close()
    await bus.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"kafka_password_file": "other-password"},
        {"kafka_ca": "stranger.pem"},
        {"kafka_cert": None, "kafka_key": None},
        {"kafka_security_protocol": "PLAINTEXT"},
        {"bus": "kafka://localhost"},
    ],
    ids=["password", "CA", "no certificate", "no TLS", "another name"],
)
async def test_whoever_lacks_one_of_them_gets_nothing(
    broker: SecuredBroker, files: Path, wrong: dict[str, str | None]
) -> None:
    """And a broker whose certificate does not name it is not believed."""
    await answers(broker)
    changes: dict[str, object] = {
        name: files / value if value and name.endswith(("file", "ca")) else value
        for name, value in wrong.items()
    }
    if "bus" in changes:
        changes["bus"] = f"kafka://localhost:{broker.port}"
    limits = Limits(request=4.0, publish=6.0)
    secured = security_of(settings(broker, files, **changes))
    servers = settings(broker, files, **changes).bus.removeprefix("kafka://")
    bus = KafkaBus(servers, "test", limits, secured)
    publisher = await bus.publisher()
    with pytest.raises(BusUnavailable):
        await publisher.publish([Outgoing(Topic.REFERRALS, "key", b"tls/intruder")])
    await publisher.close()
    await bus.close()


async def answers(broker: KafkaBroker) -> None:
    """Until somebody listens, so that a refusal is one."""
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", broker.port)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            writer.close()
            return


def test_the_password_is_not_shown(broker: SecuredBroker, files: Path) -> None:
    assert "example-password" not in repr(security_of(settings(broker, files)))
    assert security_of(settings(broker, files)).password == "example-password"
    assert Security().options()["ssl_context"] is None


def make_authority(folder: Path, name: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Example CA {name}")])
    constraint = x509.BasicConstraints(ca=True, path_length=0)
    certificate = _certificate(subject, subject, key).add_extension(constraint, critical=True)
    _write(folder / f"{name}.pem", certificate.sign(key, hashes.SHA256()))
    _write_key(folder / f"{name}.key", key)


def make_certificate(folder: Path, name: str, authority: str) -> None:
    """Names 127.0.0.1 and nothing else."""
    issuer = x509.load_pem_x509_certificate((folder / f"{authority}.pem").read_bytes()).subject
    pem = (folder / f"{authority}.key").read_bytes()
    signer = serialization.load_pem_private_key(pem, None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"example {name}")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = _certificate(subject, issuer, key).add_extension(names, critical=False)
    _write(folder / f"{name}.crt", certificate.sign(signer, hashes.SHA256()))
    _write_key(folder / f"{name}.key", key)


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
    )


def _write(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
