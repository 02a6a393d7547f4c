"""deploy/Dockerfile by the rules that matter. Not by hadolint, which no package here carries, and
not by a build: this project's machines have no engine."""

import re

import pytest

from deploy.machine.home import ROOT

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
KNOWN = {"ARG", "FROM", "RUN", "WORKDIR", "COPY", "ENV", "USER", "CMD"}


def instructions(text: str) -> list[tuple[str, str]]:
    """(instruction, its words), comments and folded lines undone."""
    bare = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    folded = re.sub(r"\\\n\s*", " ", bare)
    return [
        (line.split(maxsplit=1)[0].upper(), line.split(maxsplit=1)[1])
        for line in folded.splitlines()
        if line.strip()
    ]


def findings(text: str) -> list[str]:
    """What is wrong with a Dockerfile, a sentence each."""
    steps = instructions(text)
    arguments = dict(words.split("=", 1) for name, words in steps if name == "ARG" and "=" in words)
    found = [f"{name} is not used here" for name, _ in steps if name not in KNOWN]
    for name, words in steps:
        if name == "FROM":
            base = re.sub(r"\$\{(\w+)\}", lambda match: arguments.get(match[1], ""), words)
            if not re.search(r"(:\d+\.\d+\.\d+[\w.-]*|@sha256:[0-9a-f]{64})$", base):
                found.append(f"the base {base} is not pinned to a release or a digest")
        if name == "COPY" and words.split()[0] in {".", "./", "--chown"}:
            found.append("COPY takes everything: name what the image needs")
        if name == "RUN":
            found += _of_run(words)
        if name in {"ARG", "ENV"} and re.search(r"(?i)password|secret|token|dsn|_key", words):
            found.append(f"{name} holds a secret, which every layer keeps")
        if name == "CMD" and not words.startswith("["):
            found.append("CMD runs a shell, which keeps SIGTERM to itself")
    users = [words for name, words in steps if name == "USER"]
    if not users or users[-1].split(":")[0] in {"root", "0"} or not users[-1][0].isdigit():
        found.append("it runs as root, or as a user that Kubernetes cannot see is not root")
    return found


def _of_run(words: str) -> list[str]:
    found = []
    if "pip install" in words and not {"--require-hashes", "--no-cache-dir"} <= set(words.split()):
        found.append("pip installs without hashes, or keeps its cache")
    if re.search(r"\b(curl|wget|git clone|sudo)\b|https?://", words):
        found.append("RUN fetches what no hash holds")
    if re.search(r"\b(apt-get|apk) ", words):
        found.append("RUN installs system packages, which nothing here locks")
    if "777" in words:
        found.append("RUN opens a folder to everybody")
    return found


def test_it_keeps_every_rule() -> None:
    assert findings(DOCKERFILE) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("USER 10001:10001", "USER root", "as root"),
        ("USER 10001:10001\n", "", "as root"),
        ("USER 10001:10001", "USER hartline", "cannot see"),
        ("python:3.11.14-slim-bookworm", "python:3.11-slim", "not pinned"),
        ("python:3.11.14-slim-bookworm", "python", "not pinned"),
        (" --require-hashes", "", "without hashes"),
        ("COPY shared shared", "COPY . .", "takes everything"),
        ("COPY shared shared", "ADD shared shared", "ADD is not used"),
        ("RUN python -m", "RUN curl -O example && python -m", "no hash"),
        ("ENV PYTHON", "ENV SOME_PASSWORD=x PYTHON", "holds a secret"),
        ('CMD ["python", "-m", "services.intake"]', "CMD python -m services.intake", "shell"),
    ],
)
def test_a_broken_rule_is_found(old: str, new: str, said: str) -> None:
    assert old in DOCKERFILE
    assert any(said in sentence for sentence in findings(DOCKERFILE.replace(old, new)))


def test_what_is_sent_to_the_engine_is_what_the_image_takes() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    kept = {line[1:] for line in ignored if line.startswith("!")}
    taken = {
        words.split()[0]
        for name, words in instructions(DOCKERFILE)
        if name == "COPY" and not words.startswith("--")
    }
    assert ignored[0] == "*"
    assert kept == taken
