"""What a request asks for: its body as a model says, and the key under which it is done once."""

from typing import TypeVar

from fastapi import Request

from services.intake import referrals
from services.intake.inputs import idempotency_key, json_body, refusing
from services.intake.once import Asked
from services.intake.schemas import Body
from shared.runtime.auth import Principal
from shared.runtime.ids import utc_now

B = TypeVar("B", bound=Body)


async def asked(request: Request, caller: Principal, model: type[B]) -> tuple[Asked, B]:
    """The request with its Idempotency-Key and its valid body. Raises Problem."""
    key = idempotency_key(request)
    body, wanted = await read_body(request, model)
    action = f"{request.method} {request.url.path}"
    return Asked(action, caller.subject, key, body, utc_now()), wanted


async def read_body(request: Request, model: type[B]) -> tuple[object, B]:
    """The body as it came and as the model has it. Raises Problem 400 or 422."""
    body = await json_body(request)
    with refusing():
        return body, referrals.read(model, body)
