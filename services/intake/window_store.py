"""SQL of what intake answers when the record is compared with it. Ids only."""

from sqlalchemy import text

from shared.runtime.closed_windows import Listed

_VIEWS = (
    "SELECT disclosure_id AS id, viewed_at AS at FROM intake.views "
    "UNION ALL SELECT disclosure_id, viewed_at FROM intake.call_views "
    "UNION ALL SELECT disclosure_id, viewed_at FROM intake.record_views"
)


def _listed(source: str) -> Listed:
    """From a query that yields `id` and `at`."""
    return Listed(
        text(
            f"SELECT id FROM ({source}) AS listed "
            "WHERE at >= :start AND at < :end AND id > :after ORDER BY id LIMIT :limit"
        ),
        text(f"SELECT id FROM ({source}) AS listed WHERE id = ANY(CAST(:ids AS text[]))"),
    )


KINDS = {
    "versions": Listed(
        text(
            "SELECT id FROM (SELECT referral_id || ' ' || version AS id, recorded_at AS at "
            "FROM intake.referral_versions) AS listed "
            "WHERE at >= :start AND at < :end AND id > :after ORDER BY id LIMIT :limit"
        ),
        text(
            "SELECT w.id FROM unnest(CAST(:ids AS text[])) AS w(id) WHERE EXISTS (SELECT 1 "
            "FROM intake.referral_versions AS v WHERE v.referral_id = split_part(w.id, ' ', 1) "
            "AND v.version = CAST(split_part(w.id, ' ', 2) AS integer))"
        ),
    ),
    "reads": _listed(_VIEWS),
    "tellings": _listed("SELECT disclosure_id AS id, recorded_at AS at FROM intake.tellings"),
    "exports": _listed(
        "SELECT disclosure_id AS id, exported_at AS at FROM intake.statistics_disclosures"
    ),
}
"""`reads`: everything of which intake has shown content, by the id of the disclosure.
`tellings`: what a placement was told of a child. `exports`: answers with exact figures."""
