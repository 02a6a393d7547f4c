"""The client: one call of a method is one request, sent again only where that is safe."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type

from hartline_careline.answers import Call, CodeList, Referral
from hartline_careline.bodies import NewReferral
from hartline_careline.errors import Unavailable, refused

_JSON = "application/json"
_MERGE_PATCH = "application/merge-patch+json"
_MAY_PASS = (408, 429, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: for one attempt, for all of them together, and before the second one."""

    attempt: float = 5.0
    total: float = 15.0
    pause: float = 0.2
    longest_pause: float = 3.0


class _MayPass(Unavailable):
    """Worth another attempt."""


def new_key() -> str:
    """A new Idempotency-Key. Keep it with the request: sent again, it must be the same."""
    return uuid4().hex


class Careline:
    """Hartline's intake, for a machine's token. Thread-safe; close it, or use `with`.

    `token` is called for each attempt and gives a bearer token that is valid now.
    """

    def __init__(
        self,
        url: str,
        token: Callable[[], str],
        *,
        patience: Patience | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._token = token
        self._patience = patience or Patience()
        self._sleep = sleep
        self._clock = clock
        self._http = httpx.Client(
            base_url=url,
            timeout=self._patience.attempt,
            transport=transport,
            trust_env=False,
            follow_redirects=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def create(self, referral: NewReferral, *, key: str) -> Referral:
        """Send a referral. When this returns, it is kept. Raises HartlineError.

        After Unavailable, send the same with the same key: it is kept once, however often.
        """
        return Referral.read(self._send("POST", "/v1/referrals", referral, key=key))

    def amend(
        self, referral_id: str, version: int, patch: Mapping[str, Any], *, key: str
    ) -> Referral:
        """Apply a JSON Merge Patch to `version`. Raises Outdated when there is a newer one."""
        path = f"/v1/referrals/{referral_id}"
        return Referral.read(self._send("PATCH", path, patch, key=key, version=version))

    def status(self, referral_id: str) -> Referral:
        """How a referral of this system's stands."""
        return Referral.read(self._send("GET", f"/v1/referrals/{referral_id}"))

    def open_call(
        self, *, key: str, received_at: str | None = None, synthetic: bool = False
    ) -> Call:
        """A call comes in; `received_at` (RFC 3339) if it was written down on paper before."""
        body: dict[str, Any] = {"synthetic": synthetic}
        if received_at is not None:
            body["received_at"] = received_at
        return Call.read(self._send("POST", "/v1/calls", body, key=key))

    def save_call(self, call_id: str, draft: Mapping[str, Any]) -> Call:
        """Keep all that was typed so far, in place of what was kept before."""
        return Call.read(self._send("PUT", f"/v1/calls/{call_id}/draft", draft))

    def call_status(self, call_id: str) -> Call:
        return Call.read(self._send("GET", f"/v1/calls/{call_id}"))

    def finish_call(
        self, call_id: str, patch: Mapping[str, Any] | None = None, *, key: str
    ) -> Referral:
        """Make the call a referral, with a last merge patch of what was typed."""
        path = f"/v1/calls/{call_id}/referral"
        return Referral.read(self._send("POST", path, patch or {}, key=key))

    def code_lists(self) -> tuple[CodeList, ...]:
        """Every code that a referral may use."""
        told = self._send("GET", "/v1/code-lists")
        return tuple(CodeList.read(each) for each in told["lists"])

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        version: int | None = None,
    ) -> Any:
        headers: dict[str, str] = {}
        if key is not None:
            headers["Idempotency-Key"] = key
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        content = None
        if body is not None:
            content = json.dumps(body, ensure_ascii=False).encode()
            headers["Content-Type"] = _MERGE_PATCH if method == "PATCH" else _JSON
        deadline = self._clock() + self._patience.total
        retrying = Retrying(
            retry=retry_if_exception_type(_MayPass),
            wait=self._wait,
            stop=lambda state: self._clock() + self._wait(state) >= deadline,
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(self._attempt, method, path, headers, content)

    def _attempt(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes | None
    ) -> Any:
        sent = {**headers, "Authorization": f"Bearer {self._token()}"}
        try:
            answer = self._http.request(method, path, headers=sent, content=content)
        except httpx.TransportError as error:
            raise _MayPass(f"Hartline does not answer ({type(error).__name__}).") from None
        retry_after = _seconds(answer.headers.get("retry-after"))
        told = _json(answer)
        if answer.is_success:
            if told is None:
                raise _MayPass("Hartline's answer was cut off, or is not Hartline's.")
            return told
        waits = answer.status_code == 409 and retry_after is not None
        if answer.status_code in _MAY_PASS or waits:
            raise _MayPass(f"Hartline answered {answer.status_code}.", retry_after)
        raise refused(answer.status_code, told)

    def _wait(self, state: RetryCallState) -> float:
        """Retry-After is a floor; the pause doubles."""
        pause = self._patience.pause * 2 ** min(state.attempt_number - 1, 16)
        pause = float(min(pause, self._patience.longest_pause))
        error = state.outcome.exception() if state.outcome is not None else None
        floor = error.retry_after if isinstance(error, Unavailable) else None
        return max(pause, floor or 0.0)


def _seconds(value: str | None) -> float | None:
    """Of Retry-After, when it is a number; a date is not what Hartline sends."""
    return float(value) if value is not None and value.isascii() and value.isdigit() else None


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None
