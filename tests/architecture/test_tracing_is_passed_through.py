"""Tracing is switched on in one place of each deployment, for every service alike."""

import re

import pytest

from deploy.machine.home import ROOT
from deploy.machine.machine import SERVICES
from shared.runtime.settings import ServiceSettings
from tests.support.compose import compose

NAMES = {"HARTLINE_TRACING", "HARTLINE_TRACING_RATIO"}
_OFFERED = re.compile(r'^ *#\s*(HARTLINE_TRACING\w*)\s*[:=]\s*"?([^"\s]+)"?$', re.MULTILINE)


@pytest.mark.parametrize("service", SERVICES)
def test_compose_hands_on_what_its_caller_has_set(service: str) -> None:
    environment = compose()["services"][service]["environment"]
    assert {name for name in NAMES if environment.get(name, "") is None} == NAMES


@pytest.mark.parametrize(
    "file", ["deploy/systemd/hartline.environment", "deploy/kubernetes/base/settings.yaml"]
)
def test_what_is_offered_is_what_a_service_takes(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = dict(_OFFERED.findall((ROOT / file).read_text()))
    assert set(offered) == NAMES
    for name, value in offered.items():
        monkeypatch.setenv(name, value)
    settings = ServiceSettings(issuer="here", jwks=ROOT / "none", bus="postgresql")
    assert settings.tracing == offered["HARTLINE_TRACING"]
    assert settings.tracing_ratio == float(offered["HARTLINE_TRACING_RATIO"])
