"""HARTLINE_BUS picks the bus."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.messaging.buses import open_bus
from shared.messaging.kafka.bus import KafkaBus
from shared.messaging.postgres.bus import PostgresBus
from shared.runtime.errors import Misconfigured
from shared.runtime.settings import ServiceSettings


def settings(bus: str, dsn: str | None = None) -> ServiceSettings:
    secret = None if dsn is None else SecretStr(dsn)
    return ServiceSettings(bus=bus, bus_dsn=secret, issuer="test", jwks=Path("none"))


async def test_postgresql_is_the_log_in_the_database_of_the_buss_own_role() -> None:
    bus = open_bus(settings("postgresql", "postgresql://nobody@127.0.0.1:1/none"))
    assert isinstance(bus, PostgresBus)
    await bus.close()


async def test_a_kafka_address_is_kafka_at_that_address() -> None:
    bus = open_bus(settings("kafka://127.0.0.1:1,127.0.0.1:2"))
    assert isinstance(bus, KafkaBus)
    await bus.close()


def test_postgresql_without_a_dsn_is_misconfigured_and_says_what_to_set() -> None:
    with pytest.raises(Misconfigured, match="HARTLINE_BUS_DSN"):
        open_bus(settings("postgresql"))


@pytest.mark.parametrize(
    ("named", "files"),
    [
        ("HARTLINE_KAFKA_CA", {"kafka_ca": "none.pem"}),
        ("HARTLINE_KAFKA_CERT", {"kafka_cert": "none.pem", "kafka_key": "none.key"}),
        ("HARTLINE_KAFKA_PASSWORD_FILE", {}),
    ],
)
def test_a_file_of_kafkas_security_that_cannot_be_read_is_named(
    tmp_path: Path, named: str, files: dict[str, str]
) -> None:
    given = settings("kafka://127.0.0.1:1").model_copy(
        update={
            "kafka_security_protocol": "SASL_SSL",
            "kafka_sasl_mechanism": "PLAIN",
            "kafka_username": "hartline",
            "kafka_password_file": tmp_path / "none",
            **{name: tmp_path / file for name, file in files.items()},
        }
    )
    with pytest.raises(Misconfigured, match=named):
        open_bus(given)
