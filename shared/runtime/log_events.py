"""What may be logged: every event, with the fields it may carry. Anything else is left out.

A field holds an id, a count, a duration, a name from the code or an error's class; never what a
person typed, and never an error's text, which may quote it (P5). Grouped as the packages are; each
service adds its own.
"""

EVENTS: dict[str, frozenset[str]] = {
    name: frozenset(fields.split())
    for name, fields in {
        # shared/runtime
        "started": "roles",
        "stopped": "",
        "crashed": "error where",
        "library": "logger error where",
        "role_failed": "role error where",
        "role_not_drained": "role",
        "http_request": "method route status ms",
        "http_failed": "error where route",
        "schema_newer": "revision",
        "signals_lost": "name error",
        # shared/messaging
        "batch_damaged": "topic partition offset count length sha256 reason",
        "bus_unavailable": "",
        "bus_records_missing": "topic count",
        "commit_failed": "error",
        "partition_blocked": "topic partition offset reason",
        "record_too_large": "topic length",
        "topic_not_made": "topic code",
        "topic_partitions_differ": "topic count",
        "records_quarantined": "count",
        "event_failed": "topic error",
        "subject_parked": "topic reason",
        # services/intake
        "database_lost": "error",
        "number_taken": "",
        "referral_kept": "referral_id",
        "referral_amended": "referral_id version",
        "referral_viewed": "referral_id version disclosure_id",
        "view_failed": "error where",
        "calls_abandoned": "count",
        "child_not_indexed": "referral_id",
        "chore_failed": "chore error where",
        "referral_decided": "referral_id decision",
        "referral_withdrawn": "referral_id",
        "glass_broken": "disclosure_id",
        "cases_found": "count",
        "document_not_tallied": "referral_id",
        "statistics_released": "number held",
        "statistics_exported": "disclosure_id export_id",
        # services/notify
        "referral_planned": "referral_id version notices refused superseded",
        "parked_not_filed": "error",
        "substitutes_not_planned": "error referral_id",
        "oral_entry_not_recorded": "error",
        "oral_entry_decided": "outcome",
        "blocked_not_released": "error",
        "notice_recalled": "notice",
        "notice_closed": "notice",
        "shredding_not_finished": "error",
        "mailboxes_not_swept": "error",
        "directory_turned": "version",
        "directory_not_turned": "error",
        "claim_failed": "error where",
        "reclaim_failed": "error where",
        "letter_failed": "notice error where",
        "post_failed": "notice error where",
        "outcomes_not_recorded": "count error where",
        "attempts_recorded": "accepted rejected not_sent unknown",
        "database_restored": "",
        "marker_not_moved": "error where",
        "people_paged": "count outcome",
        "pager_failed": "channel reason error",
        "related_not_planned": "error referral_id",
        "drill_not_sent": "error",
        "drill_passed": "referral_id ms",
        "heartbeat_withheld": "reason",
        # services/audit
        "audit_forked": "reason",
        "shredding_not_ordered": "shredding_id error",
        "audit_witness_contradicts": "witness kind",
        "audit_witness_silent": "witness reason",
        "audit_checkpoint": "origin size root signature",
        "audit_checkpoint_not_printed": "error",
        "audit_checkpoint_not_mailed": "error",
        "audit_reconciled": "compared missing",
        "audit_not_reconciled": "error",
        # services/deadlines
        "clocks_breached": "count",
        "clocks_not_swept": "error where",
        "policies_read": "approved",
        # services/intake/majority
        "child_not_looked_at": "referral_id",
    }.items()
}
"""`level`, `time` and `service` come with every event."""
