"""A series of notices, and the stage that it belongs to."""

from services.notify.planning import RECEIVED, WITHDRAWAL
from shared.contracts.codes import Stage


def stage_of(series: str) -> Stage:
    """The stage whose plan a notice belongs to: what deadlines asks of a leg."""
    if series in (RECEIVED, Stage.ACCEPTED):
        return Stage(series)
    return Stage.WITHDRAWN if series == WITHDRAWAL else Stage.CONSULT_SHARED
