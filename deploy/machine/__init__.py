"""Hartline on one machine: PostgreSQL, the bus, the services and sample agencies."""
