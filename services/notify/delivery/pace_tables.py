"""The table of paces: what has left lately, of agencies whose record sets a limit."""

from sqlalchemy import Column, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY

from services.notify.models import TIME, metadata

paces = Table(
    "paces",
    metadata,
    Column("agency_id", Text, primary_key=True),
    Column(
        "departures",
        ARRAY(TIME),
        nullable=False,
        server_default=text("'{}'"),
        comment="When attempts of the last minute were claimed, where there is a rate.",
    ),
    Column("turn", Integer, nullable=False, server_default=text("0")),
    comment="One row per agency with a limit; a claim of such an agency locks it.",
)
