"""Pages as a POST of Alertmanager's webhook JSON (version 4), which pagers accept."""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

from services.notify.delivery.outcomes import Answered, NotSent, Unknown
from services.notify.delivery.sender import HttpSender, Letter
from services.notify.oncall.pager import SECONDS, Alarm, PagerFailed, sentence
from services.notify.oncall.pager_secrets import opened
from shared.runtime.sealing import Sealer, Unsealable

_NEVER = "0001-01-01T00:00:00Z"
_NAME = "HartlineTask"
_MOST = 50
"""Alarms in one page; the others are counted in `truncatedAlerts`."""


@dataclass(frozen=True, slots=True)
class WebhookPager:
    """By the sender that posts notices: its guard at the socket, no redirect and no proxy. A page
    goes where the roster says, or fails.

    `networks`: private ones in which pagers may be. `allow_http`: in a development profile.
    """

    sealer: Sealer
    networks: tuple[str, ...] = ()
    allow_http: bool = False

    async def page(self, to: str, alarms: Sequence[Alarm], now: datetime) -> None:
        try:
            url = opened(self.sealer, to)
        except Unsealable:
            raise PagerFailed("Unsealable") from None
        letter = Letter(
            agency_id=_NAME,
            url=url,
            allowed_networks=self.networks,
            headers={"Content-Type": "application/json"},
            body=json.dumps(body(alarms, now)).encode(),
            deadline=asyncio.get_running_loop().time() + SECONDS,
        )
        async with HttpSender(allow_http=self.allow_http) as sender:
            outcome = await sender.post(letter)
        match outcome:
            case Answered(status=status):
                if not outcome.accepted:
                    raise PagerFailed(f"HTTP {status}")
            case NotSent(obstacle=obstacle):
                raise PagerFailed(obstacle.value)
            case Unknown():
                raise PagerFailed("unknown")
            case _:
                assert_never(outcome)


def body(alarms: Sequence[Alarm], now: datetime) -> Mapping[str, Any]:
    common = {"alertname": _NAME, "service": "notify", "severity": "page"}
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{_NAME}"}}',
        "truncatedAlerts": max(0, len(alarms) - _MOST),
        "status": "firing",
        "receiver": "hartline",
        "groupLabels": {"alertname": _NAME},
        "commonLabels": common,
        "commonAnnotations": {},
        "externalURL": alarms[0].link,
        "alerts": [
            {
                "status": "firing",
                "labels": common | {"kind": each.kind, "task": each.task_id},
                "annotations": {
                    "summary": sentence(each, now),
                    "minutes": str(each.minutes(now)),
                    "round": str(each.round),
                    "runbook": each.runbook,
                },
                "startsAt": f"{each.since:%Y-%m-%dT%H:%M:%SZ}",
                "endsAt": _NEVER,
                "generatorURL": each.link,
                "fingerprint": hashlib.sha256(each.task_id.encode()).hexdigest()[:16],
            }
            for each in alarms[:_MOST]
        ],
    }
