"""Modules stay short enough to be read at one sitting (STYLE: think again at 250 and 40 lines)."""

import ast
from pathlib import Path

from deploy.machine.home import ROOT

MODULE_LINES = 250
FUNCTION_LINES = 40
TEST_LINES = 550

LARGER_MODULES: dict[str, str] = {
    "services/notify/models.py": "a list of tables",
    "services/notify/delivery/deliver.py": "one engine, whose steps are read together",
}
LARGER_FUNCTIONS: dict[str, str] = {
    "services/audit/api.py:routes": "its body is the routes, each a function of its own",
    "services/audit/accounting/api.py:accounting_routes": "its body is the routes",
    "services/audit/accounting/api.py:withholding_routes": "its body is the routes",
    "services/audit/retention/api.py:hold_routes": "its body is the routes",
    "services/audit/retention/api.py:shredding_routes": "its body is the routes",
    "services/deadlines/changes/api.py:_add_reading": "its body is the routes",
    "services/intake/calls/api.py:routes": "its body is the routes, each a function of its own",
    "services/intake/decisions/api.py:routes": "its body is the routes, each a function of its own",
    "services/intake/hart/consults_api.py:_add_steps": "its body is the routes, as above",
    "services/intake/placements/api.py:routes": "its body is the routes, as above",
    "services/intake/statistics/api.py:_published": "its body is the routes, as above",
    "services/intake/statistics/export_api.py:export_routes": "its body is the routes, as above",
    "services/notify/api.py:router": "its body is the routes, each a function of its own",
    "services/notify/controls/api.py:halt_router": "its body is the routes",
    "services/notify/controls/redrive_api.py:_add_steps": "its body is the routes",
    "services/notify/enrolment/api.py:_add_staff_routes": "its body is the routes",
    "services/notify/oncall/api.py:oncall_router": "its body is the routes",
    "services/notify/rulemaking/api.py:rules_router": "its body is the routes",
    "services/notify/conflicts/api.py:conflict_router": "its body is the routes",
    "services/notify/directory/api.py:directory_router": "its body is the routes",
    "services/notify/proposals/api.py:proposal_router": "its body is the routes",
    "services/notify/delivery/claim_store.py:claim": "its numbered steps are read together",
    "services/notify/delivery/outcome_store.py:record": "one statement of SQL",
    "services/notify/planning/history_store.py:lock_history": "one statement of SQL",
    "shared/messaging/tables.py:inbox_tables": "a list of columns",
}


def modules(*folders: str) -> list[Path]:
    return [
        path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "versions" not in path.parts and ".venv" not in path.parts
    ]


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_module_is_longer_than_the_budget_without_a_reason() -> None:
    longer = {
        name(path) for path in modules("services", "shared", "deploy") if lines(path) > MODULE_LINES
    }
    assert longer == set(LARGER_MODULES)


def test_no_function_is_longer_than_the_budget_without_a_reason() -> None:
    longer = {
        f"{name(path)}:{node.name}"
        for path in modules("services", "shared", "deploy")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES
    }
    assert longer == set(LARGER_FUNCTIONS)


def test_test_modules_stay_readable_too() -> None:
    assert [name(path) for path in modules("tests") if lines(path) > TEST_LINES] == []


def test_no_module_is_a_drawer() -> None:
    drawers = {"utils", "helpers", "common", "manager"}
    assert [path for path in modules("services", "shared", "deploy") if path.stem in drawers] == []
