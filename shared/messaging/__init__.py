"""The promise: at least once, in order per subject, with an inbox that is a queue.

    outbox ──relay──▶ bus ──consumer──▶ inbox ──worker──▶ handler

`outbox` and `inbox` are tables in the service's own schema; the bus is PostgreSQL or Kafka.
docs/architecture.md tells the whole way.
"""
