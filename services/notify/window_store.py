"""SQL of what notify answers when the record is compared with it. Ids only."""

from sqlalchemy import text

from services.notify.mailbox.receipt_store import ANSWERED, NOT_RECALLED
from services.notify.mailbox.receipts import MARGIN
from services.notify.mailbox.tables import receipts, statements
from shared.runtime.closed_windows import Listed

_MARGIN = f"interval '{MARGIN.total_seconds():.0f} seconds'"
_OF_WINDOW = "at >= :start AND at < :end AND id > :after ORDER BY id LIMIT :limit"
_OF_IDS = "id = ANY(CAST(:ids AS text[]))"
_TAKEN = (
    "SELECT d.notice_id AS id, o.occurred_at AS at "
    "FROM notify.disclosure_outcomes AS o JOIN notify.disclosures AS d USING (disclosure_id) "
    "WHERE o.http_status BETWEEN 200 AND 299"
)


def _listed(source: str) -> Listed:
    """From a query that yields `id` and `at`."""
    return Listed(
        text(f"SELECT id FROM ({source}) AS listed WHERE {_OF_WINDOW}"),
        text(f"SELECT id FROM ({source}) AS listed WHERE {_OF_IDS}"),
    )


KINDS = {
    "attempts": _listed(
        "SELECT disclosure_id AS id, attempted_at AS at FROM notify.disclosures "
        "WHERE channel <> 'oral'"
    ),
    "tellings": _listed(
        "SELECT disclosure_id AS id, recorded_at AS at FROM notify.tellings UNION ALL "
        "SELECT disclosure_id, decided_at FROM notify.oral_decisions "
        "WHERE disclosure_id IS NOT NULL"
    ),
    "outcomes": Listed(
        text(
            "SELECT id FROM (SELECT disclosure_id || ' ' || outcome AS id, occurred_at AS at "
            f"FROM notify.disclosure_outcomes) AS listed WHERE {_OF_WINDOW}"
        ),
        text(
            "SELECT w.id FROM unnest(CAST(:ids AS text[])) AS w(id) WHERE EXISTS (SELECT 1 "
            "FROM notify.disclosure_outcomes AS o WHERE o.disclosure_id = split_part(w.id, ' ', 1) "
            "AND o.outcome = split_part(w.id, ' ', 2))"
        ),
    ),
    "plans": Listed(
        text(
            "SELECT id FROM (SELECT referral_id || ' ' || version AS id, planned_at AS at "
            f"FROM notify.plans) AS listed WHERE {_OF_WINDOW}"
        ),
        text(
            "SELECT w.id FROM unnest(CAST(:ids AS text[])) AS w(id) WHERE EXISTS (SELECT 1 "
            "FROM notify.plans AS p WHERE p.referral_id = split_part(w.id, ' ', 1) "
            "AND p.version = CAST(split_part(w.id, ' ', 2) AS integer))"
        ),
    ),
    "deliveries": _listed(
        "SELECT notice_id AS id, delivered_at AS at FROM notify.deliveries "
        "WHERE delivered_at IS NOT NULL"
    ),
    "receipts": Listed(
        _listed(f"SELECT id, min(at) AS at FROM ({_TAKEN}) AS taken GROUP BY id").page,
        text(
            f"SELECT id FROM ({_TAKEN} UNION ALL SELECT notice_id, told_at FROM notify.tellings) "
            f"AS taken WHERE {_OF_IDS} GROUP BY id"
        ),
    ),
    "answered": Listed(
        text(
            "SELECT id FROM (SELECT taken.id, min(m.stated_at) AS at FROM (SELECT s.notice_id AS "
            f"id, s.agency_id, min(o.occurred_at) AS taken_at {ANSWERED} GROUP BY 1, 2) AS taken "
            f"JOIN {statements.fullname} m ON m.agency_id = taken.agency_id "
            f"AND taken_at >= m.since + {_MARGIN} AND taken_at < m.until - {_MARGIN} "
            f"WHERE {NOT_RECALLED.format(notice_id='taken.id')} GROUP BY taken.id) AS listed "
            f"WHERE {_OF_WINDOW}"
        ),
        text(
            "SELECT notice_id AS id FROM notify.disclosures "
            "WHERE notice_id = ANY(CAST(:ids AS text[])) GROUP BY 1"
        ),
    ),
    "stated": _listed(
        f"SELECT r.notice_id AS id, m.stated_at AS at FROM {receipts.fullname} r "
        f"JOIN {statements.fullname} m USING (statement_id)"
    ),
}
"""`tellings`: by telephone, by when they were entered, for that may be days after.
`receipts`: notices that a receiver's server has taken; there are those, too, that were told by
telephone, which ends only a delivery that had no other way. `deliveries`: those we call delivered.
`stated`: those that a recipient's own system says it holds; `answered`: those it should, because
its server answered for them in a time that it spoke of; there are those that were tried at all,
for a late answer may never come."""
