"""On PYTHONPATH, a process measures nothing: every metric keeps its first value. Only to find out
what measuring costs (`tests.load.bench_tracing --what metrics`)."""

from typing import Any

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase


class Nothing:
    def _nothing(self, *_: Any, **__: Any) -> None: ...

    inc = dec = set = set_function = set_to_current_time = observe = remove = clear = _nothing


NOTHING = Nothing()


def labels(*_: Any, **__: Any) -> Nothing:
    return NOTHING


for _kind, _names in (
    (Counter, ("inc",)),
    (Gauge, ("inc", "dec", "set")),
    (Histogram, ("observe",)),
):
    for _name in _names:
        setattr(_kind, _name, Nothing._nothing)
setattr(MetricWrapperBase, "labels", labels)  # noqa: B010
