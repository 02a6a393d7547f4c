"""A service that cannot start says why, how it must be, and when it said so."""

import importlib
import re

import pytest
from pydantic import Field

from services.notify.settings import NotifySettings
from shared.runtime.errors import Misconfigured
from shared.runtime.setting_forms import form
from shared.runtime.settings import ServiceSettings

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ "


@pytest.mark.parametrize("service", ["intake", "notify", "deadlines", "audit"])
def test_each_line_of_why_it_does_not_start_says_when(
    service: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log is read hours later: since when?"""
    monkeypatch.delenv("HARTLINE_ISSUER", raising=False)
    main = importlib.import_module(f"services.{service}.__main__").main
    assert main([]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 1
    assert all(re.match(TIME, line) for line in lines), lines
    assert any(line.endswith("HARTLINE_ISSUER is not set: set it.") for line in lines)
    assert main(["parked", "list"]) == 2
    assert "HARTLINE_ISSUER is not set: set it." in capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("unread_hours", "a number greater than 0, for example 2.0"),
        ("tracing_ratio", "a number not less than 0 and not more than 1, for example 0.01"),
        ("port", "a whole number, for example 8102"),
        ("synthetic", "true or false"),
        ("profile", "development or production, for example production"),
        (
            "kafka_security_protocol",
            "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL, for example PLAINTEXT",
        ),
        ("marker", "the path of a file or a folder"),
        ("intake_url", r"what matches ^https?://[^\s/?#]+$ (Base URL of intake's internal API)"),
        ("dsn", "a text"),
    ],
)
def test_the_form_of_a_setting_is_said_in_words(name: str, says: str) -> None:
    assert form(NotifySettings.model_fields[name]) == says


class Sample(ServiceSettings):
    hours: float = Field(2.0, gt=0, validation_alias="HARTLINE_SAMPLE_HOURS")


@pytest.mark.parametrize("value", ["two", "-1"])
def test_a_wrong_setting_is_told_with_the_form_that_is_right(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARTLINE_ISSUER", "https://issuer.example")
    monkeypatch.setenv("HARTLINE_JWKS", "/keys/jwks.json")
    monkeypatch.setenv("HARTLINE_SAMPLE_HOURS", value)
    with pytest.raises(Misconfigured) as refused:
        Sample.load()
    assert str(refused.value).splitlines()[0] == (
        "HARTLINE_SAMPLE_HOURS: write a number greater than 0, for example 2.0."
    )
