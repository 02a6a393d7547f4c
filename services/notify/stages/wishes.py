"""What is to be planned of a later stage, given how far a referral is. Values and pure rules."""

from dataclasses import dataclass, replace

from services.notify.stages.reversing import ACCEPTED
from shared.contracts.codes import Acceptance, Stage
from shared.contracts.referrals import ConsultShareRequested, ReferralDecided


@dataclass(frozen=True, slots=True)
class Wish:
    """One plan of a later stage: of which series, by which referral version and decision.

    `revision`: the decision that an accepted case follows; 0 for a share. `accepted` is False once
    the acceptance was reversed.
    """

    referral_id: str
    stage: Stage
    series: str
    version: int
    revision: int
    accepted: bool = True
    consult_id: str | None = None
    child_id: str | None = None
    ever_accepted: bool = True

    @property
    def tells(self) -> bool:
        """Whether anybody may have to be told: not of what was never accepted (C11)."""
        return self.accepted or self.ever_accepted

    @property
    def key(self) -> tuple[str, int, int]:
        return self.series, self.version, self.revision


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a referral is planned. `version` is None before its receipt was."""

    version: int | None
    withdrawn: bool
    stages: tuple[Wish, ...]
    """The latest plan of each series of a later stage."""

    def of(self, series: str) -> Wish | None:
        return next((each for each in self.stages if each.series == series), None)


def of_decision(data: ReferralDecided, standing: Standing) -> Wish:
    """By the newest version there is: who is told of an acceptance is told what holds now."""
    before = standing.of(ACCEPTED)
    return Wish(
        referral_id=data.referral_id,
        stage=Stage.ACCEPTED,
        series=ACCEPTED,
        version=max(data.version, standing.version or 0),
        revision=data.decision,
        accepted=data.outcome is Acceptance.ACCEPTED,
        ever_accepted=before is not None and before.ever_accepted,
    )


def of_share(data: ConsultShareRequested, standing: Standing) -> Wish:
    return Wish(
        referral_id=data.referral_id,
        stage=Stage.CONSULT_SHARED,
        series=data.share_id,
        version=standing.version or 1,
        revision=0,
        consult_id=data.consult_id,
        child_id=data.child_id,
    )


def of_version(version: int, standing: Standing) -> tuple[Wish, ...]:
    """What an amended version makes of every later stage: its recipients are corrected too (P8)."""
    if standing.withdrawn:
        return ()
    return tuple(
        replace(each, version=version)
        for each in standing.stages
        if each.tells and each.version < version
    )
