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
