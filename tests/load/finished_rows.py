"""Rows of work that is long done, by COPY: what a service's tables hold after years. Synthetic."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.contracts.base import Source
from tests.load.reporting import say

FAN_OUT = 5
_NEWEST = timedelta(hours=1)
_SPAN = timedelta(days=20)
"""Within retention: nothing of it is to be pruned."""
_BODY = b'{"synthetic":true,"pad":"' + b"x" * 400 + b'"}'
_SEALED = bytes(1500)
_TOPICS = ("notices", "disclosures")

Rows = Iterator[tuple[Any, ...]]


class Finished:
    """`count` finished rows in each table: a notice, its delivery, its disclosure and outcome, its
    events; five of a child."""

    def __init__(self, count: int, agency_ids: Sequence[str]) -> None:
        self._count = count
        self._agencies = agency_ids
        self._newest = datetime.now(UTC) - _NEWEST

    def _at(self, number: int) -> datetime:
        """The older, the lower the number, as rows lie in a table that has grown."""
        return self._newest - _SPAN * (1 - number / self._count)

    def _agency(self, number: int) -> str:
        return self._agencies[number % len(self._agencies)]

    def notices(self) -> Rows:
        for n in range(self._count):
            at, child = self._at(n), n // FAN_OUT
            yield (
                *(f"ntc_done{n}", f"ref_done{child}", f"HL-DONE-{child}", f"chd_done{child}"),
                *(self._agency(n), "fbi", 1, "original", "careline", "law_enforcement", ["name"]),
                *("0" * 64, "CGS 17a-28", "Test", "fbi", "Example", "test", 1, at, at, True),
            )

    def deliveries(self) -> Rows:
        for n in range(self._count):
            at, child = self._at(n), n // FAN_OUT
            yield (
                *(f"ntc_done{n}", f"ref_done{child}", f"chd_done{child}", self._agency(n)),
                *(1, "delivered", 1, at, at),
            )

    def disclosures(self) -> Rows:
        for n in range(self._count):
            yield f"dsc_done{n}", f"ntc_done{n}", self._agency(n), self._at(n)

    def outcomes(self) -> Rows:
        for n in range(self._count):
            yield f"dsc_done{n}", "completed", 200, self._at(n)

    def child_keys(self) -> Rows:
        for child in range(self._count // FAN_OUT):
            yield f"chd_done{child}", 1, bytes(40)

    def copies(self) -> Rows:
        for child in range(self._count // FAN_OUT):
            yield f"chd_done{child}", 1, "law_enforcement", _SEALED

    def outbox(self) -> Rows:
        for n in range(self._count):
            at = self._at(n)
            yield _TOPICS[n % 2], f"ref_done{n // 10}", n // 2 % 5 + 1, f"evt_o{n}", _BODY, at, at

    def heads(self) -> Rows:
        for subject in range(self._count // 10):
            for topic in _TOPICS:
                yield topic, f"ref_done{subject}", 5

    def inbox(self) -> Rows:
        for n in range(self._count):
            key = "referrals", Source.INTAKE.value, f"ref_done{n // 2}"
            yield *key, n % 2 + 1, f"evt_i{n}", _BODY, self._at(n)

    def streams(self) -> Rows:
        for subject in range(self._count // 2):
            yield "referrals", Source.INTAKE.value, f"ref_done{subject}", 2, 2


_NOTICE = (
    "notice_id referral_id referral_number child_id agency_id role version kind trigger profile "
    "fields commitment authority purpose rule because rules_version directory_version "
    "received_at planned_at synthetic"
)
_DELIVERY = "notice_id referral_id child_id agency_id version state attempts delivered_at ended_at"
_EVENT = "topic subject sequence event_id body created_at sent_at"
_HEAD = "topic subject sequence"


async def fill(connection: Any, finished: Finished) -> None:
    """Into notify, and into intake's outbox. `connection`: a superuser's; no trigger fires."""
    await connection.execute("SET session_replication_role = replica")
    for schema, table, columns, rows in (
        ("notify", "notices", _NOTICE, finished.notices()),
        ("notify", "deliveries", _DELIVERY, finished.deliveries()),
        ("notify", "disclosures", "disclosure_id notice_id agency_id attempted_at",
         finished.disclosures()),
        ("notify", "disclosure_outcomes", "disclosure_id outcome http_status occurred_at",
         finished.outcomes()),
        ("notify", "child_keys", "child_id kek_version wrapped", finished.child_keys()),
        ("notify", "copies", "child_id version profile sealed", finished.copies()),
        ("notify", "outbox", _EVENT, finished.outbox()),
        ("notify", "outbox_heads", _HEAD, finished.heads()),
        ("notify", "inbox", "topic source subject sequence event_id body received_at",
         finished.inbox()),
        ("notify", "inbox_streams", "topic source subject cursor highest", finished.streams()),
        ("intake", "outbox", _EVENT, finished.outbox()),
        ("intake", "outbox_heads", _HEAD, finished.heads()),
    ):  # fmt: skip
        status = await connection.copy_records_to_table(
            table, schema_name=schema, columns=columns.split(), records=rows, timeout=3600
        )
        say(f"{schema}.{table}: {status.removeprefix('COPY ')} finished rows")
    await connection.execute("SET session_replication_role = DEFAULT")
