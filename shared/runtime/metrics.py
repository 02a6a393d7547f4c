"""Every metric of Hartline, in one list, with a sentence each.

Base units; `_total` counts, `_seconds` measures. Labels take few values, known in advance: never
an id, an agency, a town or anything of a referral. A process serves them on its operations port.
"""

import math

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
BUILD = Gauge(
    "hartline_build_info", "Always 1; the labels say what runs.", ["service", "version", "python"]
)
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
TRACE_DROPPED = Counter(
    "hartline_trace_dropped_total",
    "Spans, attributes and events of spans that are not on the allow-list and were left out.",
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

# Pools: `database`, the connections of a service's own; `intake`, `notify` and the like, those to
# another service; `agencies`, the attempts to deliver that are under way.

POOL = Gauge(
    "hartline_pool_connections",
    "Connections of a pool: open, of these in_use, and the most that it may have.",
    ["pool", "state"],
)
POOL_WAITING = Gauge(
    "hartline_pool_waiting", "Tasks that wait for a pool to let them have a connection.", ["pool"]
)

# Messaging

ROUND_TRIPS = Counter(
    "hartline_database_round_trips_total", "Statements sent to PostgreSQL, BEGIN and COMMIT too."
)
TRANSACTIONS = Counter("hartline_database_transactions_total", "Transactions committed.")
NOTIFICATIONS = Gauge(
    "hartline_database_notifications_ratio",
    "How full the database server's queue of notifications is; full, what notifies fails. NaN: not "
    "asked yet.",
)
NOTIFICATIONS.set(math.nan)
RELAYED = Counter("hartline_events_relayed_total", "Events that the bus acknowledged.")
RECEIVED = Counter("hartline_events_received_total", "Events that were new to the inbox.")
DUPLICATES = Counter("hartline_events_duplicate_total", "Events that the inbox already knew.")
QUARANTINED = Counter(
    "hartline_records_quarantined_total", "Records of the bus that could not be read, or forked."
)
HANDLED = Counter("hartline_events_handled_total", "Events whose effects are committed.")
PARKED = Counter("hartline_subjects_parked_total", "Subjects stopped until a person looks.")
PARKED_NOW = Gauge(
    "hartline_parked_subjects", "Subjects that are parked now, and wait for a person.", ["service"]
)
LEASES_LOST = Counter(
    "hartline_leases_lost_total", "Times that work was dropped because its lease had passed on."
)
RELAY_LEADERSHIP_LOST = Counter(
    "hartline_relay_leadership_lost_total", "Times that a relay found another one leading."
)

# Intake

REFERRALS_KEPT = Counter(
    "hartline_intake_referrals_total", "Referrals kept, by what set them in motion.", ["trigger"]
)
REFERRALS_AMENDED = Counter(
    "hartline_intake_amendments_total", "Versions of referrals kept after the first."
)
CALLS_ABANDONED = Counter(
    "hartline_intake_calls_abandoned_total", "Calls that were left alone and told to a person."
)
GLASS_BROKEN = Counter(
    "hartline_intake_glass_broken_total", "Consults read by people whom they did not concern."
)
CASES_FOUND = Counter(
    "hartline_intake_cases_found_total", "Flagged cases reported because they had no DCF-737."
)

# Notify

PLANNED = Counter(
    "hartline_notify_legs_total",
    "Legs of planned referral versions: told, refused, or superseded by a later version.",
    ["result"],
)
WAY = Histogram(
    "hartline_notify_way_seconds",
    "A referral's way by stage: planned, from its acceptance to its plan; attempted, from there "
    "to the first attempt on record, which the first byte follows.",
    ["stage"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 900),
)
ATTEMPTS = Counter(
    "hartline_notify_attempts_total",
    "Attempts to deliver that ended: accepted, rejected (another status), not_sent or unknown; by "
    "the recipient's kind.",
    ["result", "kind"],
)
NOTICES = Counter(
    "hartline_notify_notices_total",
    "Notices first attempted, first opened (or told by telephone), first acknowledged; by the "
    "recipient's kind.",
    ["stage", "kind"],
)
PAGES = Counter(
    "hartline_notify_pages_total",
    "Pages to people on call: taken by a pager, failed, or lost with whoever was sending them.",
    ["outcome"],
)
NOBODY_ON_CALL = Counter(
    "hartline_notify_nobody_on_call_total",
    "Pages that went to the fallback because nobody was on call for the role.",
)
HEARTBEATS = Counter(
    "hartline_notify_heartbeats_total",
    "Beats of the dead-man's heartbeat: taken, failed, or withheld because something is wrong.",
    ["outcome"],
)
DRILL_PASSED = Gauge(
    "hartline_notify_synthetic_passed_timestamp_seconds",
    "When a synthetic referral was last seen to have gone the whole way; 0: never.",
)

# Audit

AUDIT_SEQUENCED = Counter("hartline_audit_entries_total", "Entries given an index in the log.")
AUDIT_CHECKPOINTS = Counter("hartline_audit_checkpoints_total", "Checkpoints signed and stored.")
AUDIT_FORKS = Counter(
    "hartline_audit_forks_total",
    "Times that the log refused to sign because its tree contradicts a tree that was signed.",
)
AUDIT_COSIGNATURES = Counter(
    "hartline_audit_cosignatures_total", "Checkpoints that a witness has cosigned."
)
AUDIT_WITNESS_ALARMS = Counter(
    "hartline_audit_witness_alarms_total",
    "Times that a witness knew more of the log than is there (rollback), or otherwise (fork).",
    ["kind"],
)
AUDIT_DISCREPANCIES = Gauge(
    "hartline_audit_discrepancies",
    "What one side of a reconciliation has and the other lacks; ordinary is 0.",
    ["kind"],
)

# Deadlines

CLOCKS_BREACHED = Counter(
    "hartline_deadlines_breaches_total", "Clocks that ran out, by policy.", ["policy"]
)
BREACHES_CORRECTED = Counter(
    "hartline_deadlines_corrections_total",
    "Breaches that a fact dated in time took back, by policy.",
    ["policy"],
)
CLOCK_SKEW = Gauge(
    "hartline_deadlines_clock_skew_seconds",
    "How far this host's clock is ahead of the database's; beyond a second the latter is followed.",
)
NEIGHBOUR_SKEW = Gauge(
    "hartline_deadlines_neighbour_skew_seconds",
    "How far the clock of a service that states facts is ahead of ours; NaN: it did not answer.",
    ["neighbour"],
)
CALENDAR_ENDS = Gauge(
    "hartline_deadlines_calendar_ends_seconds",
    "Until a calendar of the policies knows no more holidays; NaN in processes without one.",
)
CALENDAR_ENDS.set(math.nan)
WARNED = Counter(
    "hartline_deadlines_warnings_total", "Warnings that a clock is about to run out.", ["policy"]
)
NEXT_DUE = Gauge(
    "hartline_deadlines_next_due_seconds",
    "Until the next open clock falls due; NaN when none is open.",
)
NEXT_DUE.set(math.nan)
DUE_SOON = Gauge(
    "hartline_deadlines_due_within_hour",
    "Open clocks that fall due within the hour, those that are due already included.",
)
