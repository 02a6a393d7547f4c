"""What a request brings: its body and headers, or the Problem that says what is wrong with them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request

from services.intake import strict_json
from services.intake.referrals import Unfit
from services.intake.strict_json import MAX_FLAWS, Flaw, NotJson, Rejected
from shared.runtime.problem import Problem, not_found, of_validation, pointer

_REFERRAL_ID = re.compile(r"ref_[0-9a-f]{32}")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_TAG = re.compile(r'(W/)?"([^"]*)"')


async def json_body(request: Request) -> object:
    """The parsed body, kept in `state` for `versions.Announcing`. Raises Problem 400 or 422."""
    with refusing():
        request.state.body = strict_json.parse(await request.body())
        return request.state.body


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what the rules reject into a Problem with pointers, never with values."""
    try:
        yield
    except NotJson as error:
        raise Problem(400, "Bad Request", str(error)) from None
    except Rejected as error:
        raise unprocessable(*error.flaws) from None
    except Unfit as error:
        raise _unfit(error) from None


def unprocessable(*flaws: Flaw) -> Problem:
    return Problem(
        422,
        "Unprocessable Content",
        "Some fields are not as they must be; nothing was stored.",
        errors=[{"pointer": pointer(flaw.path), "detail": flaw.detail} for flaw in flaws],
    )


def referral_id(request: Request) -> str:
    """From the path. Raises the one 404 for what cannot be an id."""
    given: str = request.path_params["referral_id"]
    if not _REFERRAL_ID.fullmatch(given):
        raise not_found()
    return given


def opaque_id(request: Request, name: str, kind: str) -> str:
    """From the path. Raises the one 404 for what cannot be an id of this kind."""
    given: str = request.path_params[name]
    if not re.fullmatch(rf"{kind}_[0-9a-f]{{32}}", given):
        raise not_found()
    return given


def version(request: Request) -> int:
    """From the path. Raises the one 404 for what cannot be a version."""
    return counted(request, "version")


def counted(request: Request, name: str) -> int:
    """What counts from 1, from the path. Raises the one 404 for what cannot."""
    given: str = request.path_params[name]
    if not _VERSION.fullmatch(given):
        raise not_found()
    return int(given)


def amendment_key(request: Request) -> str | None:
    """The Idempotency-Key of an amendment, which need not have one. Raises Problem 400."""
    return idempotency_key(request) if "idempotency-key" in request.headers else None


def idempotency_key(request: Request) -> str:
    """Raises Problem 400 when it is missing, doubled or not printable."""
    given = request.headers.getlist("idempotency-key")
    if len(given) != 1 or not _KEY.fullmatch(given[0]):
        detail = (
            "Send one Idempotency-Key header of 1 to 128 visible ASCII characters, new for each "
            "referral and the same when you send that referral again."
        )
        raise Problem(400, "Bad Request", detail)
    return given[0]


def expected_versions(request: Request) -> frozenset[int]:
    """The versions of If-Match. A tag that is weak or none of ours matches nothing.

    Raises Problem 428 when it is missing, or `*`, which would amend what nobody has read.
    """
    given = ", ".join(request.headers.getlist("if-match")).strip()
    if given in ("", "*"):
        detail = 'Send If-Match with the ETag of the version that you amend, such as "1".'
        raise Problem(428, "Precondition Required", detail)
    return frozenset(
        int(tag[2]) for tag in _TAG.finditer(given) if not tag[1] and _VERSION.fullmatch(tag[2])
    )


def _unfit(error: Unfit) -> Problem:
    found = error.error.errors(include_url=False, include_input=False)[:MAX_FLAWS]
    in_body = [{**each, "loc": ("body", *each["loc"])} for each in found]
    return of_validation(in_body, error.value)
