"""deploy/kubernetes by Kubernetes's own strict schemas, and by what Hartline asks of a container.

No cluster has seen it. Where there is a kubectl, kustomize builds it too, and the same holds of
what comes out.
"""

import copy
from typing import Any

import pytest

from tests.support.kubernetes import (
    FOLDER,
    KUBECTL,
    OVERLAY,
    Manifest,
    built,
    files,
    kustomization,
    manifests,
    of_kind,
    problem,
)

SOURCES = ["files", *(["kustomize"] if KUBECTL else [])]


@pytest.fixture(params=SOURCES)
def everything(request: pytest.FixtureRequest) -> list[Manifest]:
    return built() if request.param == "kustomize" else manifests()


def pods(everything: list[Manifest]) -> dict[str, Any]:
    return {
        name: each["spec"]["template"]["spec"]
        for kind in ("Deployment", "Job")
        for name, each in of_kind(kind, everything).items()
    }


def test_kubernetes_allows_it(everything: list[Manifest]) -> None:
    assert len(everything) > 15
    assert {name(each): found for each in everything if (found := problem(each))} == {}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec/replica", 2),
        ("spec/replicas", "two"),
        ("spec/template/spec/containers/0/readinessProbe", {"httpget": {}}),
        ("spec/template/spec/containers", {}),
    ],
)
def test_the_schema_finds_what_is_wrong(path: str, value: object) -> None:
    broken: Any = copy.deepcopy(of_kind("Deployment")["intake"])
    assert problem(broken) is None
    *way, last = path.split("/")
    place = broken
    for step in way:
        place = place[int(step) if step.isdigit() else step]
    place[last] = value
    assert problem(broken)


def test_a_kustomization_names_every_file_beside_it() -> None:
    lying = {path for path in FOLDER.rglob("*.yaml") if path.name != "kustomization.yaml"}
    assert set(files(OVERLAY)) == lying
    for path in FOLDER.rglob("kustomization.yaml"):
        known = {"apiVersion", "kind", "namespace", "labels", "resources", "images"}
        assert set(kustomization(path.parent)) <= known


def test_every_pod_keeps_to_the_restricted_standard(everything: list[Manifest]) -> None:
    for pod in pods(everything).values():
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] == 10001
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]


def test_every_service_is_asked_whether_it_lives_and_is_ready(everything: list[Manifest]) -> None:
    for name, deployment in of_kind("Deployment", everything).items():
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        asked = {
            probe: (container[probe]["httpGet"]["path"], container[probe]["httpGet"]["port"])
            for probe in ("startupProbe", "livenessProbe", "readinessProbe")
        }
        assert asked == {
            "startupProbe": ("/livez", "operations"),
            "livenessProbe": ("/livez", "operations"),
            "readinessProbe": ("/readyz", "operations"),
        }, name


def test_a_pod_sees_no_secret_but_its_own(everything: list[Manifest]) -> None:
    for name, pod in pods(everything).items():
        volumes = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
        assert {secret["secretName"] for secret in volumes} <= {name, f"{name}-keys"}
        assert {secret["defaultMode"] for secret in volumes} == {0o440}


def test_no_file_holds_a_secret(everything: list[Manifest]) -> None:
    assert of_kind("Secret", everything) == {}


def test_nobody_gets_in_who_is_not_named(everything: list[Manifest]) -> None:
    policies = of_kind("NetworkPolicy", everything)
    assert policies["nobody"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    for policy, port in {"from-the-edge": "api", "from-monitoring": "operations"}.items():
        rules = policies[policy]["spec"]["ingress"]
        assert [rule["ports"] for rule in rules] == [[{"port": port}]]
        assert all(rule["from"] for rule in rules)


def name(manifest: Manifest) -> str:
    return f"{manifest['kind']}/{manifest['metadata']['name']}"
