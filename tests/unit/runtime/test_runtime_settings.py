from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from shared.runtime import failpoints
from shared.runtime.errors import Misconfigured
from shared.runtime.settings import Profile, ServiceSettings, one_setting

BASE = {
    "HARTLINE_ISSUER": "https://issuer.example",
    "HARTLINE_JWKS": "/keys/jwks.json",
    "HARTLINE_BUS_DSN": "postgresql://bus:hunter2@127.0.0.1/hartline",
    "HARTLINE_TEST_PORT": "1",
    "HARTLINE_SAMPLE_DSN": "postgresql://sample:hunter2@127.0.0.1/hartline",
}


class Sample(ServiceSettings):
    dsn: SecretStr = Field(validation_alias="HARTLINE_SAMPLE_DSN")
    port: int = Field(validation_alias="HARTLINE_TEST_PORT")


def load(monkeypatch: pytest.MonkeyPatch, **changes: str | None) -> Sample:
    for name, value in (BASE | changes).items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(
            name, value
        )
    return Sample.load()


def test_production_is_what_runs_when_nobody_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = load(monkeypatch, HARTLINE_PROFILE=None)
    assert settings.profile is Profile.PRODUCTION
    assert settings.jwks == Path("/keys/jwks.json")


def test_each_missing_setting_is_a_sentence_by_its_own_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(Misconfigured) as refused:
        load(monkeypatch, HARTLINE_ISSUER=None, HARTLINE_SAMPLE_DSN=None)
    lines = str(refused.value).splitlines()
    assert lines[:2] == [
        "HARTLINE_ISSUER is not set: set it.",
        "HARTLINE_SAMPLE_DSN is not set: set it.",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HARTLINE_TEST_PORT", "hunter2"),
        ("HARTLINE_BUS", "redis://hunter2"),
        ("HARTLINE_PROFILE", "hunter2"),
        ("HARTLINE_LOG_LEVEL", "hunter2"),
    ],
)
def test_a_wrong_value_is_named_but_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(Misconfigured) as refused:
        load(monkeypatch, **{name: value})
    assert name in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_no_secret_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "hunter2" not in repr(load(monkeypatch))


def test_the_postgresql_bus_needs_its_own_dsn(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Misconfigured, match="HARTLINE_BUS_DSN"):
        load(monkeypatch, HARTLINE_BUS_DSN=None)
    assert load(monkeypatch, HARTLINE_BUS_DSN=None, HARTLINE_BUS="kafka://127.0.0.1:9092")


def test_production_refuses_the_local_issuer_and_fail_points(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(Misconfigured, match="HARTLINE_LOCAL_ISSUER_KEY"):
        load(monkeypatch, HARTLINE_LOCAL_ISSUER_KEY="/k", HARTLINE_PROFILE="production")
    assert load(monkeypatch, HARTLINE_LOCAL_ISSUER_KEY="/k", HARTLINE_PROFILE="development")
    monkeypatch.setattr(failpoints, "_DIRECTORY", "/tmp/x")
    assert load(monkeypatch, HARTLINE_LOCAL_ISSUER_KEY="/k", HARTLINE_PROFILE="development")
    with pytest.raises(Misconfigured, match="HARTLINE_FAILPOINT_DIR"):
        load(monkeypatch, HARTLINE_LOCAL_ISSUER_KEY=None, HARTLINE_PROFILE="production")


SASL = {
    "HARTLINE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "HARTLINE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "HARTLINE_KAFKA_USERNAME": "hartline",
    "HARTLINE_KAFKA_PASSWORD_FILE": "/keys/kafka-password",
}


@pytest.mark.parametrize(
    ("named", "changes"),
    [
        ("SASL_MECHANISM is not set", SASL | {"HARTLINE_KAFKA_SASL_MECHANISM": None}),
        ("USERNAME is not set", SASL | {"HARTLINE_KAFKA_USERNAME": None}),
        ("PASSWORD_FILE is not set", SASL | {"HARTLINE_KAFKA_PASSWORD_FILE": None}),
        ("SASL_MECHANISM is set", SASL | {"HARTLINE_KAFKA_SECURITY_PROTOCOL": "SSL"}),
        ("CA is set", {"HARTLINE_KAFKA_CA": "/keys/ca.pem"}),
        ("set both, or neither", SASL | {"HARTLINE_KAFKA_CERT": "/keys/client.pem"}),
        ("SASL_PLAINTEXT", SASL | {"HARTLINE_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"}),
        ("HARTLINE_KAFKA_SECURITY_PROTOCOL", {"HARTLINE_KAFKA_SECURITY_PROTOCOL": "hunter2"}),
    ],
)
def test_half_a_security_of_kafka_is_refused(
    monkeypatch: pytest.MonkeyPatch, named: str, changes: dict[str, str | None]
) -> None:
    with pytest.raises(Misconfigured, match=named):
        load(monkeypatch, **changes)


def test_a_whole_security_of_kafka_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, **SASL).kafka_sasl_mechanism == "SCRAM-SHA-512"
    whole = {"HARTLINE_KAFKA_CERT": "/keys/client.pem", "HARTLINE_KAFKA_KEY": "/keys/client.key"}
    assert load(monkeypatch, **SASL, **whole, HARTLINE_KAFKA_CA="/keys/ca.pem")


def test_a_setting_may_lie_in_a_file_that_is_named_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "HARTLINE_SAMPLE_DSN").write_text("postgresql://sample:filed@127.0.0.1/hartline\n")
    settings = load(monkeypatch, HARTLINE_SAMPLE_DSN=None, HARTLINE_SECRETS=str(tmp_path))
    assert settings.dsn.get_secret_value() == "postgresql://sample:filed@127.0.0.1/hartline"
    assert one_setting("HARTLINE_SAMPLE_DSN") == settings.dsn.get_secret_value()


def test_the_environment_comes_before_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "HARTLINE_SAMPLE_DSN").write_text("postgresql://sample:filed@127.0.0.1/hartline")
    settings = load(monkeypatch, HARTLINE_SECRETS=str(tmp_path))
    assert settings.dsn.get_secret_value() == BASE["HARTLINE_SAMPLE_DSN"]
    assert one_setting("HARTLINE_SAMPLE_DSN") == BASE["HARTLINE_SAMPLE_DSN"]


def test_a_secret_that_is_nowhere_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="HARTLINE_SAMPLE_DSN is not set"):
        load(monkeypatch, HARTLINE_SAMPLE_DSN=None, HARTLINE_SECRETS=str(tmp_path))
    assert one_setting("HARTLINE_SAMPLE_DSN") is None


def test_a_folder_of_secrets_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(Misconfigured, match="HARTLINE_SECRETS is no folder"):
        load(monkeypatch, HARTLINE_SECRETS=str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"TRACING": "otlp"}, "HARTLINE_TRACING: "),
        ({"TRACING": "grpc://collector:4317"}, "HARTLINE_TRACING: "),
        ({"TRACING": "http://me:hunter2@collector:4318"}, "HARTLINE_TRACING: "),
        ({"TRACING": "http://collector:4318", "TRACING_RATIO": "5"}, "HARTLINE_TRACING_RATIO: "),
        ({"TRACING": "http://collector:4318", "TRACING_RATIO": "-1"}, "HARTLINE_TRACING_RATIO: "),
        ({"TRACING": "http://collector:4318", "TRACING_RATIO": "nan"}, "HARTLINE_TRACING_RATIO: "),
        ({"TRACING_RATIO": "0.1"}, "HARTLINE_TRACING_RATIO is set while HARTLINE_TRACING is not"),
        (
            {"TRACING_TRUST_CALLERS": "true"},
            "HARTLINE_TRACING_TRUST_CALLERS is set while HARTLINE_TRACING is not",
        ),
    ],
)
def test_half_a_tracing_is_refused_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], said: str
) -> None:
    with pytest.raises(Misconfigured) as refused:
        load(monkeypatch, **{f"HARTLINE_{name}": value for name, value in changes.items()})
    assert str(refused.value).startswith(said)
    assert "hunter2" not in str(refused.value)


def test_tracing_is_off_unless_it_is_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch).tracing is None
    settings = load(monkeypatch, HARTLINE_TRACING="http://collector:4318")
    assert (settings.tracing_ratio, settings.tracing_trust_callers) == (0.01, False)
