"""Tables that nobody may change afterwards, not even by mistake (P2, P7). For migrations only."""

from typing import Protocol


class Operations(Protocol):
    """What is needed of `alembic.op`."""

    def execute(self, sqltext: str) -> None: ...


def append_only(op: Operations, schema: str, table: str) -> None:
    """Refuse UPDATE, DELETE and TRUNCATE of `schema.table`, to everybody, for good.

    The runtime role `hartline_<schema>_app` loses the rights, and keeps SELECT and INSERT; a
    trigger, which only the owner role could disable, refuses whoever has them all the same.
    INSERT … ON CONFLICT DO NOTHING stays possible; SELECT … FOR UPDATE does not.
    """
    op.execute(_FUNCTION.format(schema=schema))
    op.execute(_TRIGGER.format(schema=schema, table=table))
    op.execute(f"ALTER TABLE {schema}.{table} ENABLE ALWAYS TRIGGER {table}_append_only")
    op.execute(
        f"REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON {schema}.{table} "
        f"FROM hartline_{schema}_app"
    )


_FUNCTION = """
CREATE OR REPLACE FUNCTION {schema}.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only: % refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$
"""

_TRIGGER = """
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.{table}
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change()
"""
