"""What a later stage asks of intake beside the referral: form DCF-823, and a consult's outcome."""

from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from services.notify.planning.intake_client import Content, HttpIntake, Intake
from shared.contracts.base import OpaqueId
from shared.runtime.errors import Permanent

INCIDENTS_PURPOSE = "Notification by DCF-823"
INCIDENTS_AUTHORITY = "DCF Policy 21-14; DCF Policy 22-1-2"
OUTCOME_PURPOSE = "Sharing a consult's outcome with the multidisciplinary team"
OUTCOME_AUTHORITY = "DCF Policy 21-14; CGS 17a-106a"


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


A = TypeVar("A", bound=_Answer)


class IncidentOfChild(_Answer):
    child_id: OpaqueId
    incident: Content
    """As the member `incident` of form DCF-823."""


class Incidents(_Answer):
    referral_id: OpaqueId
    children: tuple[IncidentOfChild, ...]


class Outcome(_Answer):
    referral_id: OpaqueId
    child_id: OpaqueId
    consult: Content
    """As the member `consult` of form DCF-737."""


class StageIntake(Intake, Protocol):
    """Both are on record at intake before they are answered (P2)."""

    async def incidents(self, referral_id: str, decision: int) -> Incidents:
        """Form DCF-823 of every child that has one, as it stood by that decision."""
        ...

    async def outcome(self, consult_id: str) -> Outcome:
        """What a consult came to."""
        ...


class HttpStageIntake(HttpIntake):
    """Over intake's internal API. Raises Retryable while it is away, Permanent when it refuses."""

    async def incidents(self, referral_id: str, decision: int) -> Incidents:
        answer = await self._client.post(
            f"/internal/v1/referrals/{referral_id}/decisions/{decision}/critical-incidents",
            {"purpose": INCIDENTS_PURPOSE, "authority": INCIDENTS_AUTHORITY},
        )
        return _read(Incidents, answer)

    async def outcome(self, consult_id: str) -> Outcome:
        answer = await self._client.post(
            f"/internal/v1/consults/{consult_id}/outcome",
            {"purpose": OUTCOME_PURPOSE, "authority": OUTCOME_AUTHORITY},
        )
        return _read(Outcome, answer)


def _read(model: type[A], answer: Any) -> A:
    try:
        return model.model_validate(answer)
    except ValidationError:
        raise Permanent("intake's answer is not in the form agreed") from None
