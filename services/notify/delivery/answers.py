"""What an agency last answered, or what kept a notice from being sent to it. For staff alone."""

from services.notify import models
from services.notify.delivery.outcomes import Obstacle


def last_answer(notice_id: str) -> str:
    """SQL of one row, `answer` and `occurred_at`, of the notice that the expression names: a
    status (`404`), an obstacle (`unreachable`) or `unknown`. Not what we broke off before it
    connected: that says nothing about the agency. None: nothing is known."""
    return (
        "SELECT coalesce(CAST(o.http_status AS text), o.obstacle, "
        "CASE o.outcome WHEN 'failed' THEN 'not_sent' ELSE o.outcome END) AS answer, o.occurred_at "
        f"FROM {models.disclosures.fullname} s "
        f"JOIN {models.disclosure_outcomes.fullname} o USING (disclosure_id) "
        f"WHERE s.notice_id = {notice_id} AND s.channel <> 'oral' "
        f"AND o.obstacle IS DISTINCT FROM '{Obstacle.INTERRUPTED.value}' "
        "ORDER BY o.occurred_at DESC, s.disclosure_id DESC LIMIT 1"
    )


def in_words(answer: str) -> str:
    """As a person is told of it; the runbook's table says what each means."""
    if answer.isdecimal():
        return f"its last answer was {answer}"
    return f"the last try ended as {answer}"
