"""Whether anybody outside hears when Hartline itself hangs: no task is filed of that."""

from dataclasses import dataclass

import httpx
import yaml

from services.notify.settings import NotifySettings
from shared.runtime.findings import Finding, look, well
from shared.runtime.settings import Profile

_ABOUT = "notify, watched from outside"
_PAGE = "docs/oncall.md, what rings and what does not"
_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """`receives`: some receiver leads to somebody. `fed`: Prometheus' watchdog has arrived."""

    receives: bool
    fed: bool


async def watched(settings: NotifySettings) -> list[Finding]:
    heartbeat = settings.heartbeat_url is not None
    if settings.alertmanager is None:
        return of_watch(settings.profile, heartbeat=heartbeat)
    try:
        found = await _ask(settings.alertmanager)
    except (httpx.HTTPError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        says = f"Alertmanager does not answer as it should ({type(error).__name__})."
        return [look(_ABOUT, says, f"See that it runs, or mend the setting ({_PAGE}).")]
    return of_watch(settings.profile, heartbeat=heartbeat, alertmanager=found)


def of_watch(
    profile: Profile, *, heartbeat: bool, alertmanager: Alertmanager | None = None
) -> list[Finding]:
    """Of a development profile nothing is asked but what is set."""
    if alertmanager is not None and not alertmanager.fed:
        says = "Alertmanager has no Watchdog: Prometheus does not reach it, and no alert would."
        return [look(_ABOUT, says, "docs/runbook.md#the-watchdog-has-stopped")]
    if alertmanager is not None and not alertmanager.receives:
        says = "No receiver of Alertmanager leads to anybody: its alerts reach nobody."
        return [look(_ABOUT, says, "Write how to reach somebody into alertmanager.yml.")]
    if heartbeat or alertmanager is not None:
        by = [
            name for name, on in (("a heartbeat", heartbeat), ("Alertmanager", alertmanager)) if on
        ]
        return [well(_ABOUT, f"By {' and '.join(by)}.")]
    if profile is Profile.DEVELOPMENT:
        return [well(_ABOUT, "By nobody, and nobody is needed here.")]
    return [
        look(
            _ABOUT,
            "Nobody watches from outside: a service that hangs pages nobody.",
            "Set HARTLINE_NOTIFY_HEARTBEAT_URL, or HARTLINE_NOTIFY_ALERTMANAGER to an Alertmanager "
            f"that has a receiver ({_PAGE}).",
        )
    ]


async def _ask(base: str) -> Alertmanager:
    """Raises httpx.HTTPError, or what a body raises that is not Alertmanager's."""
    async with httpx.AsyncClient(trust_env=False, timeout=_SECONDS, base_url=base) as client:
        status = (await client.get("/api/v2/status")).raise_for_status().json()
        watchdog = {"filter": 'alertname="Watchdog"'}
        alerts = (await client.get("/api/v2/alerts", params=watchdog)).raise_for_status().json()
    receivers = yaml.safe_load(status["config"]["original"])["receivers"]
    return Alertmanager(
        receives=any(each.keys() - {"name"} for each in receivers), fed=bool(alerts)
    )
