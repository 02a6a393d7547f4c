"""What must not be in the repository."""

import re
import subprocess

import pytest

from deploy.machine.home import ROOT

FILES = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=False, capture_output=True, text=True
    ).stdout.splitlines()
]
REGISTRIES = re.compile(
    # As words: a test vector's base64 may hold any four letters.
    r"(?<![a-z0-9])(pypi|pythonhosted|repo1?\.maven|maven\.org|npmjs|docker\.io|ghcr\.io|quay\.io"
    r"|gcr\.io)(?![a-z0-9])",
    re.IGNORECASE,
)


def text(name: str) -> str:
    return (ROOT / name).read_text()


def test_the_lock_holds_hashes_and_no_address() -> None:
    lock = text("requirements.lock")
    assert "://" not in lock
    assert "--hash=sha256:" in lock


def test_the_pom_holds_no_address_but_its_namespace() -> None:
    addresses = re.findall(r"\w+://[^\s\"<]+", text("deploy/kafka/pom.xml"))
    assert addresses == ["http://maven.apache.org/POM/4.0.0"]


@pytest.mark.skipif(not FILES, reason="not a git work tree: clone the repository to run this")
def test_no_file_names_a_package_registry() -> None:
    naming = [
        path.relative_to(ROOT)
        for path in FILES
        if path.is_file()
        and path.name != "test_repository.py"
        and path.parent.name != "vectors"  # ciphertext in base64 spells anything
        and REGISTRIES.search(path.read_text(errors="ignore"))
    ]
    assert naming == []


@pytest.mark.skipif(not FILES, reason="not a git work tree: clone the repository to run this")
def test_no_file_holds_both_sides_of_a_merge() -> None:
    sides = re.compile(r"^(<{7}|>{7}) ", re.MULTILINE)
    torn = [
        path.relative_to(ROOT)
        for path in FILES
        if path.is_file() and sides.search(path.read_text(errors="ignore"))
    ]
    assert torn == []


@pytest.mark.skipif(not FILES, reason="not a git work tree: clone the repository to run this")
def test_no_private_key_and_no_environment_file_is_kept() -> None:
    kept = [
        path.relative_to(ROOT) for path in FILES if path.suffix in {".key", ".jwk", ".pem", ".env"}
    ]
    assert kept == []
