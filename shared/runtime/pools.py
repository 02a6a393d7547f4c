"""How full the pools of connections are, asked when a scrape reads it and at no other time.

asyncpg and aiohttp count who waits and do not say so: what is read here of their insides is tried
against both by tests/integration/runtime/test_runtime_pools.py.
"""

from collections.abc import Callable
from typing import Any

import aiohttp

from shared.runtime import metrics
from shared.runtime.connections import Connections

Count = Callable[[], float]


def show(
    pool: str,
    *,
    in_use: Count,
    most: float,
    opened: Count | None = None,
    waiting: Count | None = None,
) -> None:
    """From now on the metrics of that pool are these; a second pool of the name takes its place."""
    metrics.POOL.labels(pool, "in_use").set_function(in_use)
    metrics.POOL.labels(pool, "most").set(most)
    if opened is not None:
        metrics.POOL.labels(pool, "open").set_function(opened)
    if waiting is not None:
        metrics.POOL_WAITING.labels(pool).set_function(waiting)


def show_database(connections: Connections) -> None:
    show(
        "database",
        in_use=lambda: connections.in_use,
        most=connections.most,
        opened=lambda: connections.opened,
        waiting=lambda: connections.waiting,
    )


def show_http(name: str, session: aiohttp.ClientSession) -> None:
    """aiohttp's, by whom it calls."""
    connector: Any = session.connector
    show(
        name,
        in_use=lambda: len(connector._acquired),
        most=connector.limit,
        opened=lambda: len(connector._acquired) + sum(map(len, connector._conns.values())),
        waiting=lambda: sum(map(len, connector._waiters.values())),
    )
