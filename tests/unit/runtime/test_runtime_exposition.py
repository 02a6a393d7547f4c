"""What a scrape is answered is what prometheus_client itself would say, byte for byte."""

import math

import pytest
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Enum,
    Gauge,
    Histogram,
    Info,
    Summary,
    generate_latest,
)

from shared.runtime.exposition import exposition

ODD = 'a "quoted"\\ back\nslash, é'
VALUES = (0, 1, 0.25, 1e6, 12345678.9, 1e21, 1e-9, -3, -0.0, math.inf, -math.inf, math.nan)


@pytest.fixture
def registry() -> CollectorRegistry:
    made = CollectorRegistry()
    gauge = Gauge("value", ODD, ["of"], registry=made)
    for number, value in enumerate(VALUES):
        gauge.labels(str(number)).set(value)
    Counter("things", "Things.", ["b", "a"], registry=made).labels(ODD, "x").inc(3)
    Counter("plain_total", "Plain.", registry=made).inc()
    Histogram("took_seconds", "Took.", ["route"], registry=made).labels("/x").observe(0.3)
    Summary("size_bytes", "Size.", registry=made).observe(7)
    Info("build", "Build.", registry=made).info({"version": "1"})
    Enum("mood", "Mood.", states=["well", "ill"], registry=made).state("ill")
    return made


def test_it_is_what_the_library_says(registry: CollectorRegistry) -> None:
    assert exposition(registry).decode() == generate_latest(registry).decode()


def test_a_number_that_has_changed_is_said_anew(registry: CollectorRegistry) -> None:
    before = exposition(registry)
    Gauge("more", "More.", registry=registry).set(1)
    assert exposition(registry) == generate_latest(registry) != before
