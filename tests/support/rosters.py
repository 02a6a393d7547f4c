"""A small roster for tests: two on duty by day, one by night, a chief behind them."""

from typing import Any

from services.notify.oncall.webhook_pager import WebhookPager
from tests.support.planning import SEALER

DAY = {"days": ["mon", "tue", "wed", "thu", "fri"], "begins": "08:00", "ends": "18:00"}


def roster(to: dict[str, tuple[str, str]], **changes: Any) -> dict[str, Any]:
    """`to`: person → (channel kind, where). Who is not there has a channel that fails."""
    people = {
        person: [dict(zip(("kind", "to"), to.get(person, ("webhook", NOWHERE)), strict=True))]
        for person in ("ann", "bob", "cat", "chief")
    }
    return {
        "people": people,
        "roles": {
            "duty": [{"people": ["ann", "bob"]}],
            "desk": [DAY | {"people": ["cat"], "holidays": "off"}],
        },
        "tasks": {"directory_changed": {"role": "desk", "urgent": False}},
        "otherwise": {"role": "duty"},
        "fallback": ["chief"],
        "holidays": ["2026-12-25"],
    } | changes


LOCAL_PAGER = WebhookPager(SEALER, ("127.0.0.0/8",), allow_http=True)
NOWHERE = "http://127.0.0.1:1099/pager"
