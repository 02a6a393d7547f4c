"""Ask an API of what runs here, as a person: a request of the runbook's, as it is written there.

The token is made for the asking, with the scope that the route asks for: on one machine whoever
can read the home is everybody. In production a person has a token of their own.
"""

import json
import re
from collections.abc import Sequence

import httpx

from shared.runtime.auth import LocalIssuer

_ASKED_FOR = re.compile(r'scope="([\w:-]+)"')
_READ_ALL = "notices:read-all"
"""It widens what a route answers, and no route asks for it."""
_MOST = 4


def ask(
    issuer: LocalIssuer, base: str, method: str, path: str, body: str | None, person: str
) -> tuple[int, str]:
    """The status and what was answered, indented. Raises httpx.HTTPError when nobody answers."""
    scopes = [_READ_ALL]
    with httpx.Client(trust_env=False, timeout=10.0, base_url=base) as client:
        for _ in range(_MOST):
            answer = client.request(
                method,
                path,
                content=body,
                headers=_headers(issuer, person, scopes, json_body=body is not None),
            )
            wanted = _ASKED_FOR.search(answer.headers.get("WWW-Authenticate", ""))
            if answer.status_code != httpx.codes.FORBIDDEN or wanted is None:
                break
            scopes.append(wanted[1])
    return answer.status_code, _shown(answer)


def refusal(status: int, path: str, person: str) -> str:
    """What the status says to who asked, in a sentence."""
    where = path.partition("?")[0]
    if status == httpx.codes.UNAUTHORIZED:
        return "It was refused (401): who answers does not know this run's keys. See the doctor."
    if status != httpx.codes.NOT_FOUND:
        return f"It was refused ({status})."
    return (
        f"There is nothing at {where}, or {person} may not see it: Hartline tells nobody which of "
        "the two (404). Look whether the id is one of this run's and the path is the runbook's. "
        "What a referral says is for those who work on it; its notices (of notify) and its clocks "
        "(of deadlines, which say when it was received) are for whoever is on duty."
    )


def _headers(
    issuer: LocalIssuer, person: str, scopes: Sequence[str], *, json_body: bool
) -> dict[str, str]:
    bearer = {"Authorization": f"Bearer {issuer.token(person, scopes, person=True)}"}
    return bearer | ({"Content-Type": "application/json"} if json_body else {})


def _shown(answer: httpx.Response) -> str:
    try:
        return json.dumps(answer.json(), indent=2, ensure_ascii=False)
    except ValueError:
        return answer.text
