"""Tables of the alarm. They say of every child the same, and of none when it was born
or whether it was announced."""

from sqlalchemy import Column, Date, ForeignKey, Integer, LargeBinary, Table, Text

from services.intake.metadata import metadata

majority_looks = Table(
    "majority_looks",
    metadata,
    Column("child_id", Text, ForeignKey("intake.child_keys.child_id"), primary_key=True),
    Column("version", Integer, nullable=False, comment="The version that was looked at."),
    Column("month", Date, nullable=False, comment="The first day of the month of the last look."),
    Column(
        "sealed",
        LargeBinary,
        comment="What was announced, or that nothing was: always of one length. Null: it could not "
        "be opened.",
    ),
    comment="Every child has a row, whatever its age and nationality.",
)
