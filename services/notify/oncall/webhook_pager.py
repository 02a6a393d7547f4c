"""Pages as a POST of Alertmanager's webhook JSON (version 4), which pagers accept."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import aiohttp

from services.notify.oncall.pager import SECONDS, Alarm, PagerFailed, sentence

_NEVER = "0001-01-01T00:00:00Z"
_NAME = "HartlineTask"
_MOST = 50
"""Alarms in one page; the others are counted in `truncatedAlerts`."""


class WebhookPager:
    """Follows no redirect and heeds no proxy: a page goes where the roster says, or fails."""

    async def page(self, to: str, alarms: Sequence[Alarm], now: datetime) -> None:
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=aiohttp.ClientTimeout(total=SECONDS),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    trust_env=False,
                ) as session,
                session.post(to, json=body(alarms, now), allow_redirects=False) as answer,
            ):
                status = answer.status
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise PagerFailed(type(error).__name__) from None
        if not 200 <= status < 300:
            raise PagerFailed(f"HTTP {status}")


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
                },
                "startsAt": f"{each.since:%Y-%m-%dT%H:%M:%SZ}",
                "endsAt": _NEVER,
                "generatorURL": each.link,
                "fingerprint": hashlib.sha256(each.task_id.encode()).hexdigest()[:16],
            }
            for each in alarms[:_MOST]
        ],
    }
