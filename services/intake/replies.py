"""Answers over HTTP that every route of intake gives alike."""

from collections.abc import Mapping
from typing import assert_never

from fastapi import Response

from services.intake.answers import location
from services.intake.once import Answer
from services.intake.receiving import Accepted, KeyReused, Received, StillOpen
from shared.runtime.auth import Principal
from shared.runtime.problem import Problem


def reply(
    content: str,
    status: int = 200,
    *,
    etag: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """JSON as it is; `etag` is the version."""
    tagged = {} if etag is None else {"ETag": f'"{etag}"'}
    return Response(
        content, status, headers={**tagged, **(headers or {})}, media_type="application/json"
    )


def conflict(detail: str) -> Problem:
    return Problem(409, "Conflict", detail)


def key_reused() -> Problem:
    return conflict("This Idempotency-Key came before with another body: use a new key.")


def still_open() -> Problem:
    detail = "A request with this Idempotency-Key is under way: send it again in a moment."
    return Problem(409, "Conflict", detail, headers={"Retry-After": "1"})


def only_a_person(caller: Principal) -> str:
    """The person's subject. Raises Problem 403 for a machine, whatever its scopes."""
    if not caller.person:
        raise Problem(403, "Forbidden", "Only a person may do this: sign in as one.")
    return caller.subject


def answered(outcome: Answer | KeyReused | StillOpen) -> Response:
    """The 201 of what is done once, the first time and every time it is sent again."""
    match outcome:
        case Answer():
            return reply(outcome.text, 201)
        case KeyReused():
            raise key_reused()
        case StillOpen():
            raise still_open()
        case _:
            assert_never(outcome)


def created(outcome: Received) -> Response:
    """The 201 of a referral that is kept."""
    match outcome:
        case Accepted():
            headers = {"Location": location(outcome.answer)}
            return reply(outcome.answer, 201, etag=1, headers=headers)
        case KeyReused():
            raise key_reused()
        case StillOpen():
            raise still_open()
        case _:
            assert_never(outcome)
