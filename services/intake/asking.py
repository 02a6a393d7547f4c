"""What the areas' routes share: a request that is done once, who may read, and plain answers."""

import re
from typing import TypeVar

from fastapi import Request, Response

from services.intake import referrals
from services.intake.doing import Ask, Kept
from services.intake.inputs import idempotency_key, json_body, refusing
from services.intake.receiving import KeyReused, StillOpen
from services.intake.schemas import Body
from shared.runtime.auth import Principal
from shared.runtime.ids import utc_now
from shared.runtime.problem import Problem, not_found

_ID = re.compile(r"[a-z]{3}_[0-9a-f]{32}")
B = TypeVar("B", bound=Body)


async def asked(request: Request, caller: Principal, model: type[B]) -> tuple[Ask, B]:
    """The request with its Idempotency-Key and its valid body. Raises Problem."""
    key = idempotency_key(request)
    body, wanted = await read_body(request, model)
    ask = Ask(f"{request.method} {request.url.path}", caller.subject, key, body, utc_now())
    return ask, wanted


async def read_body(request: Request, model: type[B]) -> tuple[object, B]:
    """The body as it came and as the model has it. Raises Problem 400 or 422."""
    body = await json_body(request)
    with refusing():
        return body, referrals.read(model, body)


def path_id(request: Request, name: str) -> str:
    """From the path. Raises the one 404 for what cannot be an id."""
    given: str = request.path_params[name]
    if not _ID.fullmatch(given):
        raise not_found()
    return given


def a_person(caller: Principal) -> str:
    """The subject of a natural person. Raises Problem 403 for a machine."""
    if not caller.person:
        raise Problem(403, "Forbidden", "Only a person may do this: use a person's token.")
    return caller.subject


def created(outcome: Kept | KeyReused | StillOpen) -> Response:
    """201, the first time and every time it is sent again. Raises Problem 409."""
    if isinstance(outcome, Kept):
        return as_json(outcome.answer, 201)
    if isinstance(outcome, KeyReused):
        raise conflict("This Idempotency-Key came before with another request: use a new key.")
    detail = "A request with this Idempotency-Key, or about the same child, is under way."
    raise Problem(409, "Conflict", detail, headers={"Retry-After": "1"})


def conflict(detail: str) -> Problem:
    """409, with the sentence that says what to do."""
    return Problem(409, "Conflict", detail)


def as_json(content: str, status: int = 200) -> Response:
    return Response(content, status, media_type="application/json")
