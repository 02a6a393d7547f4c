"""Who ran which command on a service: an append-only table of its own in each (P7)."""

import getpass
import os

from sqlalchemy import BigInteger, Column, DateTime, Identity, MetaData, Table, Text, func, text

from shared.runtime.db import Session


def acts_table(metadata: MetaData) -> Table:
    """Add the table to a service's metadata. Its migration calls `append_only`."""
    return Table(
        "acts",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column(
            "at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()
        ),
        Column("by", Text, nullable=False, comment="Who said that it was they."),
        Column("account", Text, nullable=False, comment="The account that it ran under."),
        Column("command", Text, nullable=False, comment="What was typed; ids, no content."),
        Column("changed", BigInteger, nullable=False, comment="How many rows."),
        comment="Append-only: commands that changed something.",
    )


async def record(session: Session, acts: Table, command: str, by: str, changed: int) -> None:
    """In the transaction that changes it."""
    await session.execute(
        text(
            f"INSERT INTO {acts.fullname} (by, account, command, changed) "
            "VALUES (:by, :account, :command, :changed)"
        ),
        {"by": by, "account": account(), "command": command, "changed": changed},
    )


def account() -> str:
    """The login that this process runs under, as far as the system knows it."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
