"""Every metric of Hartline, in one list, with a sentence each.

Base units; `_total` counts, `_seconds` measures. Labels take few values, known in advance: never
an id, an agency, a town or anything of a referral. A process serves them on its operations port.
"""

from prometheus_client import Counter, Gauge, Histogram

# Every service

OLDEST_AGE = Gauge(
    "hartline_oldest_age_seconds",
    "Age of the oldest one of what waits; 0 when nothing does.",
    ["service", "what"],
)
AGES_REFRESHED = Gauge(
    "hartline_ages_refreshed_timestamp_seconds",
    "When the ages were last read; while this stands still, hartline_oldest_age_seconds is old.",
    ["service"],
)
BUILD = Gauge("hartline_build_info", "Always 1; the labels say what runs.", ["service", "version"])
ROLE_RESTARTS = Counter(
    "hartline_role_restarts_total", "Roles that failed and were started again.", ["role"]
)
LOOP_LAG = Gauge(
    "hartline_loop_lag_seconds", "How late the event loop woke, at worst in the last ten seconds."
)
LOG_DROPPED = Counter(
    "hartline_log_dropped_total",
    "Log events and fields that are not on the allow-list and were left out.",
    ["kind"],
)

# HTTP

HTTP_SECONDS = Histogram(
    "hartline_http_request_seconds",
    "From the request's head to the end of the answer.",
    ["method", "route", "status"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
INTERNAL_SECONDS = Histogram(
    "hartline_internal_request_seconds",
    "A call to another service, by whom it called and how it ended.",
    ["service", "outcome"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
HTTP_IN_FLIGHT = Gauge("hartline_http_requests_in_flight", "Requests being answered.")
HTTP_SHED = Counter(
    "hartline_http_requests_shed_total", "Requests refused with 503 because too many were running."
)
