"""What notify asks of intake: one referral version, projected for the profiles of its route."""

from collections.abc import Sequence
from typing import Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from services.notify.routing.facts import ChildFacts
from services.notify.routing.facts_read import Facts
from shared.contracts.base import Instant, OpaqueId
from shared.contracts.codes import Trigger
from shared.runtime.errors import Permanent
from shared.runtime.internal_http import InternalClient

SCOPES = ("internal:projections",)
PURPOSE = "Notification by DCF-737"
AUTHORITY = "DCF Policy 21-14; CGS 17a-101b(c)"

Content = dict[str, object]
"""A child's copy: field → value, personal data. Never log it, never put it in an error."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class ProjectedChild(_Answer):
    child_id: OpaqueId
    facts: Facts
    copies: dict[str, Content]

    @property
    def routing(self) -> ChildFacts:
        return self.facts.of(self.child_id)


class Projection(_Answer):
    """One version of a referral: the facts that routing needs and a copy per profile and child."""

    referral_id: OpaqueId
    number: str
    version: int
    trigger: Trigger
    received_at: Instant
    synthetic: bool
    children: tuple[ProjectedChild, ...]
    shredded: tuple[OpaqueId, ...] = ()
    """Children whose content intake has destroyed since."""

    def with_copies_of(self, other: "Projection") -> "Projection":
        """The same version with the copies of both."""
        more = {child.child_id: child.copies for child in other.children}
        children = tuple(
            child.model_copy(update={"copies": child.copies | more.get(child.child_id, {})})
            for child in self.children
        )
        return self.model_copy(update={"children": children})


class Intake(Protocol):
    async def project(
        self, referral_id: str, version: int, profiles: Sequence[str]
    ) -> Projection: ...


class HttpIntake:
    """Intake over its internal API, which records the read before it answers (P2)."""

    def __init__(self, client: InternalClient) -> None:
        self._client = client

    async def project(self, referral_id: str, version: int, profiles: Sequence[str]) -> Projection:
        """Raises Retryable while intake is away, Permanent when it will not or cannot answer,
        Gone when the content is destroyed."""
        answer = await self._client.post(
            f"/internal/v1/referrals/{referral_id}/versions/{version}/projections",
            {"profiles": list(profiles), "purpose": PURPOSE, "authority": AUTHORITY},
        )
        try:
            projection = Projection.model_validate(answer)
        except ValidationError:
            raise Permanent("intake's projection is not in the form agreed") from None
        _check(projection, referral_id, version, profiles)
        return projection


def _check(projection: Projection, referral_id: str, version: int, profiles: Sequence[str]) -> None:
    if (projection.referral_id, projection.version) != (referral_id, version):
        raise Permanent("intake answered for another version than the one asked for")
    if any(set(child.copies) != set(profiles) for child in projection.children):
        raise Permanent("intake answered with other profiles than those asked for")
