"""A series of notices, and the stage that it belongs to."""

from services.notify.planning.plan import RECEIVED, WITHDRAWAL
from shared.contracts.codes import Stage

_RELATED = "related/"


def related_series(first: str) -> str:
    """The series of what names that referral to whoever was told of both."""
    return f"{_RELATED}{first}"


def stage_of(series: str) -> Stage:
    """The stage whose plan a notice belongs to: what deadlines asks of a leg."""
    if series.startswith(_RELATED):
        return Stage.RECEIVED
    if series in (RECEIVED, Stage.ACCEPTED):
        return Stage(series)
    return Stage.WITHDRAWN if series == WITHDRAWAL else Stage.CONSULT_SHARED
