"""deploy/kubernetes as files and as kustomize builds it, and Kubernetes's own schemas."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from deploy.machine.home import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
OVERLAY = FOLDER / "overlays" / "production"
VERSION = "1.33"
KUBECTL = shutil.which("kubectl")

Manifest = dict[str, Any]


def manifests(folder: Path = OVERLAY) -> list[Manifest]:
    """Everything that the folder's kustomization names, as it lies in its files."""
    return [manifest for path in files(folder) for manifest in yaml.safe_load_all(path.read_text())]


def files(folder: Path) -> Iterator[Path]:
    for name in kustomization(folder)["resources"]:
        path = (folder / name).resolve()
        yield from files(path) if path.is_dir() else [path]


def kustomization(folder: Path) -> Manifest:
    read: Manifest = yaml.safe_load((folder / "kustomization.yaml").read_text())
    return read


def built() -> list[Manifest]:
    """What `kubectl kustomize` makes of the overlay; it asks no cluster."""
    assert KUBECTL is not None
    done = subprocess.run(
        [KUBECTL, "kustomize", str(OVERLAY)], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


def of_kind(kind: str, among: list[Manifest] | None = None) -> dict[str, Manifest]:
    found = manifests() if among is None else among
    return {each["metadata"]["name"]: each for each in found if each["kind"] == kind}


def problem(manifest: Manifest) -> str | None:
    """What the strict schema of its kind does not allow."""
    try:
        kubernetes_validate.validate(manifest, VERSION, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{'/'.join(map(str, error.path))}: {error.message[:200]}"
    return None
