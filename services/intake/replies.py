"""Answers over HTTP that every route of intake gives alike."""

from collections.abc import Mapping

from fastapi import Response

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


def only_a_person(caller: Principal) -> None:
    """Raises Problem 403 for a machine, whatever its scopes."""
    if not caller.person:
        raise Problem(403, "Forbidden", "Only a person may do this: sign in as one.")
