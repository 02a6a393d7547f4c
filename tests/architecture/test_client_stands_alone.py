"""The Python client is somebody else's dependency: it imports nothing of ours, and only what it
declares."""

import ast
import re
import sys
import tomllib

from deploy.machine.home import ROOT

CLIENT = ROOT / "clients" / "python"


def test_the_client_imports_only_what_it_declares() -> None:
    declared = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]["dependencies"]
    allowed = {re.split(r"[^\w-]", each)[0] for each in declared} | {"hartline_careline"}
    imported = {
        name.split(".")[0]
        for path in CLIENT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [each.name for each in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported - sys.stdlib_module_names == allowed


def test_the_client_asks_for_no_other_versions_than_the_service() -> None:
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    client = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert set(client) <= set(ours)
