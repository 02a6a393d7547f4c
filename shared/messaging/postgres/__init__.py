"""The bus in PostgreSQL, for one machine: a log table that only relays write to."""
