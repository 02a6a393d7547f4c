"""Where each service can be asked, and by which settings it runs."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.runtime.errors import Misconfigured

SERVICES = ("intake", "notify", "deadlines", "audit")
_OPS_PORTS = {"intake": 9101, "notify": 9102, "deadlines": 9103, "audit": 9104}
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH")
_EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - what a server listens on, not us


@dataclass(frozen=True, slots=True)
class Place:
    """One service: the address of its operations port, and its settings if they are known."""

    service: str
    url: str
    settings: Mapping[str, str]
    file: Path | None = None
    """Where its own settings are written, if they come from a file."""

    @property
    def environment(self) -> dict[str, str] | None:
        """For a process that looks with the service's own settings; None: they are not here."""
        if f"HARTLINE_{self.service.upper()}_DSN" not in self.settings:
            return None
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return kept | {"TZ": "UTC"} | dict(self.settings)

    def is_ours(self, run: str | None) -> bool:
        """Whether who answers belongs to the run that the settings name. Who names none, and
        where none is named, is believed: a version before had no name."""
        return run is None or self.settings.get("HARTLINE_RUN", run) == run


def places(folder: Path | None, at: Sequence[str]) -> list[Place]:
    """`folder` holds SERVICE.env for each, and perhaps hartline.environment for all; None: this
    process's own environment. `at`: SERVICE=URL, before anything else. Raises Misconfigured."""
    urls = dict(_at(each) for each in at)
    return [_place(service, folder, urls) for service in SERVICES]


def _place(service: str, folder: Path | None, urls: Mapping[str, str]) -> Place:
    settings = _settings(service, folder)
    host = settings.get("HARTLINE_HOST", "127.0.0.1")
    port = settings.get(f"HARTLINE_{service.upper()}_OPS_PORT", str(_OPS_PORTS[service]))
    here = "127.0.0.1" if host in _EVERYWHERE else host
    file = None if folder is None else folder / f"{service}.env"
    return Place(service, urls.get(service, f"http://{here}:{port}"), settings, file)


def _at(written: str) -> tuple[str, str]:
    service, _, url = written.partition("=")
    if service not in SERVICES or not url.startswith(("http://", "https://")):
        raise Misconfigured(
            f"--at {written}: write it as SERVICE=http://HOST:PORT, with one of "
            f"{', '.join(SERVICES)} and its operations port."
        )
    return service, url.rstrip("/")


def _settings(service: str, folder: Path | None) -> dict[str, str]:
    if folder is None:
        return {name: value for name, value in os.environ.items() if name.startswith("HARTLINE_")}
    files = (folder / "hartline.environment", folder / f"{service}.env")
    return {name: value for file in files for name, value in read_env(file).items()}


def read_env(file: Path) -> dict[str, str]:
    """NAME=VALUE lines, as systemd and docker compose read them; {} when there is no such file.

    Raises Misconfigured with file and line.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except OSError as error:
        why = (error.strerror or "the system does not say why").lower()
        raise Misconfigured(f"{file} cannot be read: {why}.") from None
    except ValueError:
        raise Misconfigured(f"{file} cannot be read: it is no UTF-8 text.") from None
    found = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith(("#", ";")):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip().isidentifier():
            raise Misconfigured(f"{file}, line {number}: write it as NAME=VALUE.")
        found[name.strip()] = value.strip().strip("\"'")
    return found


def write_env(settings: Mapping[str, str]) -> str:
    """Of `settings` what is ours, as `read_env` reads it."""
    ours = {name: value for name, value in settings.items() if name.startswith("HARTLINE_")}
    return "".join(f"{name}={value}\n" for name, value in sorted(ours.items()))
