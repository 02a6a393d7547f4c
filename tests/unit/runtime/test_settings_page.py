"""docs/settings.md lists every setting that the code reads, and nothing else."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.runtime.migrate import SERVICES
from shared.runtime.settings import ServiceSettings

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "settings.md").read_text()
LISTED = frozenset(re.findall(r"^\| `(HARTLINE_\w+)`", PAGE, re.MULTILINE))
MODULES = sorted(path.parent.name for path in ROOT.glob("services/*/settings.py"))
OWNERS = {f"HARTLINE_{schema.upper()}_OWNER_DSN" for schema in SERVICES}
NOT_SETTINGS = ("tests/unit",)


def classes(service: str) -> Iterator[type[ServiceSettings]]:
    module = importlib.import_module(f"services.{service}.settings")
    for found in vars(module).values():
        if isinstance(found, type) and issubclass(found, ServiceSettings):
            yield found


def names(settings: type[ServiceSettings]) -> Iterator[str]:
    for field, info in settings.model_fields.items():
        yield str(info.validation_alias or f"HARTLINE_{field.upper()}")


@pytest.mark.parametrize("service", MODULES)
def test_every_setting_of_a_service_is_on_the_page(service: str) -> None:
    read = {name for settings in classes(service) for name in names(settings)}
    assert read > set(names(ServiceSettings))
    assert read <= LISTED


def test_every_setting_named_anywhere_in_the_code_is_on_the_page() -> None:
    assert set(mentioned()) <= LISTED


def test_the_page_lists_nothing_that_the_code_does_not_read() -> None:
    fields = {n for s in MODULES for settings in classes(s) for n in names(settings)}
    assert fields | OWNERS | set(mentioned()) >= LISTED


def mentioned() -> Iterator[str]:
    """Whole names of settings in the Python files, the tests' own included."""
    for top in ("services", "shared", "deploy", "tests"):
        for path in (ROOT / top).rglob("*.py"):
            if not str(path.relative_to(ROOT)).startswith(NOT_SETTINGS):
                yield from re.findall(r"\bHARTLINE_[A-Z_]*[A-Z]\b(?![*{])", path.read_text())
