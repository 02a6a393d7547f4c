"""CTEs by which a statement that makes something tells of it too: one round trip for both.

Of several heads that a statement moves it locks the rows in sorted order, so that two emitters
cannot deadlock; and it closes each envelope with its number.
"""

from shared.messaging.tables import OutboxTables


def first_event(tables: OutboxTables, made: str) -> str:
    """Of a statement that makes a subject: its first event, if the CTE `made` has a row. The values
    are `Outbox.first`'s; wake RELAY_WAKE after the commit."""
    return f"""
event_head AS (
    INSERT INTO {tables.heads.fullname} (topic, subject, sequence)
    SELECT CAST(:event_topic AS text), CAST(:event_subject AS text), 1 FROM {made}
), event AS (
    INSERT INTO {tables.outbox.fullname} (topic, subject, sequence, event_id, body)
    SELECT CAST(:event_topic AS text), CAST(:event_subject AS text), 1, CAST(:event_id AS text),
        CAST(:event_body AS bytea)
    FROM {made}
)"""


def further_events(tables: OutboxTables, given: str = "true") -> str:
    """Events in the order given, numbered without a gap per (topic, subject): all of them if the
    condition `given` holds, else none. The values are `Outbox.further`'s."""
    return f"""
event_head AS ({
        _heads(
            tables,
            "SELECT * FROM unnest(CAST(:event_head_topics AS text[]), "
            "CAST(:event_head_subjects AS text[]), CAST(:event_head_numbers AS bigint[])) "
            f"AS wanted(topic, subject, n) WHERE {given}",
        )
    }), event_told AS ({
        _told(
            tables,
            "unnest(CAST(:event_topics AS text[]), CAST(:event_subjects AS text[]), "
            "CAST(:events_to_come AS bigint[]), CAST(:event_ids AS text[]), "
            "CAST(:event_bodies AS bytea[])) "
            "WITH ORDINALITY AS event(topic, subject, to_come, event_id, body, place)",
        )
    })"""


def chosen_events(tables: OutboxTables, made: str) -> str:
    """Of a statement that makes several things: an event for each key that `made` selects. The
    values are `Outbox.each`'s; wake RELAY_WAKE after the commit."""
    return f"""
event AS (
    SELECT *, count(*) OVER (PARTITION BY topic, subject ORDER BY place DESC) - 1 AS to_come
    FROM unnest(CAST(:event_keys AS text[]), CAST(:event_topics AS text[]),
        CAST(:event_subjects AS text[]), CAST(:event_ids AS text[]), CAST(:event_bodies AS bytea[]))
        WITH ORDINALITY AS e(key, topic, subject, event_id, body, place)
    WHERE key IN ({made})
), event_head AS ({
        _heads(tables, "SELECT topic, subject, count(*) FROM event GROUP BY 1, 2")
    }), event_told AS ({_told(tables, "event")})"""


def _heads(tables: OutboxTables, wanted: str) -> str:
    return (
        f"INSERT INTO {tables.heads.fullname} AS head (topic, subject, sequence) "
        f"{wanted} ORDER BY 1, 2 ON CONFLICT (topic, subject) DO UPDATE SET "
        "sequence = head.sequence + excluded.sequence RETURNING topic, subject, sequence"
    )


def _told(tables: OutboxTables, events: str) -> str:
    return (
        f"INSERT INTO {tables.outbox.fullname} (topic, subject, sequence, event_id, body) "
        "SELECT topic, subject, sequence - to_come, event_id, body || "
        "convert_to(',\"sequence\":' || sequence - to_come || '}', 'UTF8') "
        f"FROM {events} JOIN event_head USING (topic, subject) ORDER BY place"
    )
